import { withoutFullStop } from '../base/advice.js';
import { RocksDBError, type RocksDBErrorDetails } from '../base/errors.js';
import { type ObjectStore, StoreError, type StoreErrorKind } from '../stores/object-store.js';

/** The codes that requests of native code fail with: binding/napi/stores/js_store.cc. */
const CODES: Record<StoreErrorKind, readonly [code: string, advice?: RocksDBErrorDetails['advice']]> = {
  NOT_FOUND: ['STORE_NOT_FOUND'],
  CONDITION_FAILED: ['STORE_CONDITION_FAILED'],
  DENIED: ['STORE_DENIED', 'storeDenied'],
  NO_BUCKET: ['STORE_NO_BUCKET', 'storeNoBucket'],
  BUSY: ['STORE_UNREACHABLE', 'storeUnreachable'],
  REFUSED: ['STORE_REFUSED', 'storeRefused'],
};

/** A failure of a store with retries as the error of this library that an operation of an engine would end with. */
export function asLibraryError(error: Error, { name }: ObjectStore, doing: string): RocksDBError {
  if (!(error instanceof StoreError)) {
    return new RocksDBError(`${doing} ${name}: ${withoutFullStop(error.message)}`, 'STORE_FAILED', { path: name });
  }
  const [code, advice] = CODES[error.kind];
  const { reason = error.message, status, storeCode, requestId } = error.facts;
  const facts = Object.entries({ status, storeCode, requestId, advice }).filter(([, fact]) => fact !== undefined);
  return Object.assign(
    new RocksDBError(`${doing} ${name}: ${withoutFullStop(reason)}`, code, {
      path: name,
      ...Object.fromEntries(facts),
    }),
    { cause: error },
  );
}
