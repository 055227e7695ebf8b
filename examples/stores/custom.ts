// A store of your own: objects in the table of an SQL database, or behind a service of your company. This one keeps them in memory, and says
// what it is asked. It is complete, but for uploads in parts.
//
//   node dist/examples/stores/custom.js

import {
  type GetOptions,
  type ListPage,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
} from '../../lib/index.js';
import { roundTrip } from './round-trip.js';

interface Row {
  bytes: Buffer;
  version: number;
  modified: number;
}

class TableStore implements ObjectStore {
  readonly name = 'table://backups';
  readonly requests = new Map<string, number>();
  readonly #rows = new Map<string, Row>();
  #version = 0;

  async put(key: string, bytes: Uint8Array, { ifAbsent, ifMatch }: PutOptions): Promise<{ etag: string }> {
    this.#note('put');
    const row = this.#rows.get(key);
    // Nothing may come between this look and the write. In SQL both are one statement.
    if ((ifAbsent && row) || (ifMatch !== undefined && String(row?.version) !== ifMatch)) {
      throw new StoreError('CONDITION_FAILED', `${this.name}/${key} is not as expected`, { key });
    }
    const version = ++this.#version;
    this.#rows.set(key, { bytes: Buffer.from(bytes), version, modified: Date.now() });
    return { etag: String(version) };
  }

  async get(key: string, { offset = 0, length = Infinity, ifMatch }: GetOptions): Promise<StoredObject> {
    this.#note('get');
    const row = this.#rows.get(key);
    if (row === undefined) throw new StoreError('NOT_FOUND', `there is no ${this.name}/${key}`, { key });
    const etag = String(row.version);
    if (ifMatch !== undefined && ifMatch !== etag) {
      throw new StoreError('CONDITION_FAILED', `${this.name}/${key} has changed`, { key });
    }
    return { bytes: row.bytes.subarray(offset, offset + length), etag };
  }

  async list(prefix: string): Promise<ListPage> {
    this.#note('list');
    const rows = [...this.#rows].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
    return {
      objects: rows.map(([key, { bytes, version, modified }]) => ({
        key,
        size: bytes.length,
        etag: String(version),
        modified,
      })),
    };
  }

  async delete(keys: readonly string[]): Promise<void> {
    this.#note('delete');
    for (const key of keys) this.#rows.delete(key);
  }

  #note(request: string): void {
    this.requests.set(request, (this.requests.get(request) ?? 0) + 1);
  }
}

async function main() {
  const store = new TableStore();
  await roundTrip(store);
  console.log([...store.requests].map(([request, count]) => `${count} ${request}`).join(', '));
}

void main();
