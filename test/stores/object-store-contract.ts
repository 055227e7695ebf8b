// The contract of lib/stores/object-store.ts, tried on any store.

import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Test } from 'tap';
import {
  type CallOptions,
  type ListedObject,
  type ObjectStore,
  StoreError,
  type StoreErrorKind,
} from '../../lib/stores/object-store.js';

/** What a store cannot do. Its tests then check that it says so. */
export interface Limits {
  readonly ifAbsent?: false;
  /** How it rejects a put with an ETag. */
  readonly ifMatch?: 'REFUSED' | 'CONDITION_FAILED';
  readonly metadata?: false;
  /** The store does not know when an object was written. */
  readonly modified?: false;
  /** The store does not notice that the bucket of a delete does not exist. */
  readonly deleteNowhere?: false;
  /** The store cannot tell which uploads were begun. */
  readonly uploads?: false;
}

export interface Subject {
  readonly store: ObjectStore;
  /** The same place with credentials that are wrong. */
  readonly stranger?: ObjectStore;
  /** A bucket that does not exist. */
  readonly nowhere?: ObjectStore;
  /** The same place on a server that takes requests and never answers. */
  readonly hanging?: ObjectStore;
  readonly limits?: Limits;
}

const { signal } = new AbortController();
setMaxListeners(100, signal); // the requests of a test share it
const options = { signal };

export function testContract(t: Test, { store, stranger, nowhere, hanging, limits = {} }: Subject): void {
  t.test('what was put is read, whole and in ranges', async (t) => {
    const bytes = randomBytes(100_000);
    const { etag } = await store.put('range/data', bytes, options);
    const read = await store.get('range/data', options);
    t.ok(bytes.equals(read.bytes));
    t.equal(read.etag, etag);
    for (const [offset, length] of [
      [0, 10],
      [1, 1],
      [99_990, 10],
      [99_990, 1000],
      [500, undefined],
      [0, 100_000],
      [0, 200_000],
      [100_000, 5],
      [100_000, undefined],
      [200_000, 5],
      [7, 0],
    ] as const) {
      const part = await store.get('range/data', { ...options, offset, length });
      const expected = bytes.subarray(offset, offset + (length ?? bytes.length));
      t.ok(expected.equals(part.bytes), `${length} bytes from ${offset}: ${part.bytes.length}`);
      t.equal(part.etag, etag);
    }
  });

  t.test('a put replaces what was there', async (t) => {
    await store.put('replaced', Buffer.from('one'), options);
    await store.put('replaced', Buffer.from('three'), options);
    t.equal(text(await store.get('replaced', options)), 'three');
  });

  t.test('an empty object is an object', async (t) => {
    await store.put('empty/none', new Uint8Array(0), options);
    t.equal((await store.get('empty/none', options)).bytes.length, 0);
    t.equal((await store.get('empty/none', { ...options, offset: 0, length: 1 })).bytes.length, 0);
    t.match(await all(store, 'empty/'), [{ key: 'empty/none', size: 0 }]);
  });

  t.test('what is not there is NOT_FOUND', async (t) => {
    await rejects(t, 'NOT_FOUND', store.get('no/such', options));
    await rejects(t, 'NOT_FOUND', store.get('no/such', { ...options, offset: 5, length: 5 }));
    await rejects(t, 'NOT_FOUND', store.get('no/such', { ...options, length: 0 }));
    t.same(await all(store, 'no/'), []);
  });

  t.test('of eight puts that only create, one succeeds', async (t) => {
    const put = (n: number) => store.put('race/created', Buffer.from(`writer ${n}`), { ...options, ifAbsent: true });
    const results = await Promise.all(Array.from({ length: 8 }, (_, n) => settled(t, () => put(n).then(() => n))));
    const errors = results.filter((result) => typeof result !== 'number');
    const winners = results.filter((result) => typeof result === 'number');
    if (limits.ifAbsent === false) {
      t.same(kinds(errors), Array(8).fill('REFUSED'));
      return;
    }
    t.equal(winners.length, 1);
    t.same(kinds(errors), Array(7).fill('CONDITION_FAILED'));
    t.equal(text(await store.get('race/created', options)), `writer ${winners[0]}`);
    await rejects(
      t,
      'CONDITION_FAILED',
      store.put('race/created', Buffer.from('late'), { ...options, ifAbsent: true }),
    );
    await store.delete(['race/created'], options);
    await store.put('race/created', Buffer.from('again'), { ...options, ifAbsent: true });
    t.equal(text(await store.get('race/created', options)), 'again');
  });

  t.test('a put with an ETag replaces that version only', async (t) => {
    const { etag } = await store.put('match/lease', Buffer.from('first'), options);
    if (limits.ifMatch !== undefined) {
      await rejects(t, limits.ifMatch, store.put('match/lease', Buffer.from('second'), { ...options, ifMatch: etag }));
      t.equal(text(await store.get('match/lease', options)), 'first');
      return;
    }
    const put = (n: number) => store.put('match/lease', Buffer.from(`holder ${n}`), { ...options, ifMatch: etag });
    const results = await Promise.all(Array.from({ length: 8 }, (_, n) => settled(t, () => put(n))));
    const winners = results.filter((result) => !(result instanceof Error)) as { etag: string }[];
    t.equal(winners.length, 1);
    t.same(kinds(results.filter((result) => result instanceof Error)), Array(7).fill('CONDITION_FAILED'));
    const now = await store.get('match/lease', options);
    t.equal(now.etag, winners[0]?.etag);
    const next = await store.put('match/lease', Buffer.from('next'), { ...options, ifMatch: now.etag });
    t.not(next.etag, now.etag);
    await store.delete(['match/lease'], options);
    const gone = store.put('match/lease', Buffer.from('late'), { ...options, ifMatch: next.etag });
    await rejects(t, 'CONDITION_FAILED', gone, 'of an object that was deleted');
    await rejects(t, 'NOT_FOUND', store.get('match/lease', options));
  });

  t.test('a read with an ETag sees that version only', async (t) => {
    await store.put('match/read', Buffer.from('old old'), options);
    const [listed] = await all(store, 'match/read');
    const { bytes, etag } = await store.get('match/read', options);
    t.equal(listed?.etag, etag, 'a list has the same ETags');
    const same = await store.get('match/read', { ...options, ifMatch: etag, offset: 4, length: 3 });
    t.equal(text(same), text({ bytes }).slice(4));
    await store.put('match/read', Buffer.from('brand new'), options);
    await rejects(t, 'CONDITION_FAILED', store.get('match/read', { ...options, ifMatch: etag, offset: 4, length: 3 }));
    await rejects(t, 'CONDITION_FAILED', store.get('match/read', { ...options, ifMatch: etag }));
  });

  t.test('metadata is kept', async (t) => {
    const metadata = { writer: 'host 7', version: 'a1-B2+=/' };
    await store.put('meta/put', Buffer.from('x'), { ...options, metadata });
    const { metadata: read } = await store.get('meta/put', { ...options, offset: 0, length: 1 });
    if (limits.metadata === false) t.equal(read, undefined);
    else t.match(read, metadata);
  });

  t.test('keys are plain text', async (t) => {
    const keys = ['a b', 'a+b', 'a%20b', '100%', 'ä/日本/🙂', 'q?x=1&y=2#z', "it's (1) [2] {3} !$*,;:@=~"].map(
      (key) => `odd/${key}`,
    );
    for (const key of keys) await store.put(key, Buffer.from(key), options);
    for (const key of keys) t.equal(text(await store.get(key, options)), key);
    t.same((await all(store, 'odd/')).map(({ key }) => key).sort(), [...keys].sort());
    t.match(await all(store, 'odd/a+'), [{ key: 'odd/a+b' }]);
    await store.delete(keys, options);
    t.same(await all(store, 'odd/'), []);
  });

  t.test('a list has every object, in order, with its size and its time', async (t) => {
    const keys = Array.from(
      { length: 1234 },
      (_, n) => `many/${n % 2 ? 'shared' : 'private/1'}/${String(n).padStart(5, '0')}`,
    );
    await inGroups(keys, async (key, at) => {
      const result = await settled(t, () => store.put(key, Buffer.alloc(at % 5), options));
      if (result instanceof Error) throw result;
    });
    await store.put('many-others/1', Buffer.from('x'), options);
    const listed = await all(store, 'many/');
    t.same(
      listed.map(({ key }) => key),
      [...keys].sort(),
    );
    t.ok(listed.every(({ key, size }) => size === keys.indexOf(key) % 5));
    const now = Date.now();
    if (limits.modified !== false) t.ok(listed.every(({ modified }) => Math.abs(modified - now) < 3_600_000));
    t.equal((await all(store, 'many/shared/')).length, 617);
    t.equal((await all(store, 'many/shared/000')).length, 50, 'a prefix need not end with a slash');
    t.match(await all(store, 'many/shared/00011'), [{ key: 'many/shared/00011' }]);
    await store.delete(keys.slice(0, 1000), options);
    t.same(
      (await all(store, 'many/')).map(({ key }) => key),
      keys.slice(1000).sort(),
    );
    await store.delete([...keys.slice(500), 'many/no/such'], options);
    t.same(await all(store, 'many/'), []);
    t.equal((await all(store, 'many-others/')).length, 1);
  });

  t.test('of what is not there, a delete says nothing', async () => {
    await store.delete(['no/such', 'nor/this'], options);
    await store.delete([], options);
  });

  t.test('an aborted request rejects at once', { timeout: 30_000 }, async (t) => {
    const controller = new AbortController();
    controller.abort(new Error('stop'));
    await t.rejects(store.put('aborted', Buffer.from('x'), { signal: controller.signal }));
    await t.rejects(store.get('aborted', { signal: controller.signal }));
    await t.rejects(store.list('aborted', { signal: controller.signal }));
    await t.rejects(store.delete(['aborted'], { signal: controller.signal }));
  });

  t.test('a store that hangs is left at the signal', { skip: hanging === undefined, timeout: 60_000 }, async (t) => {
    const upload = { key: 'hangs', id: 'upload' };
    const calls: Record<string, (options: CallOptions) => Promise<unknown>> = {
      put: (options) => hanging!.put('hangs', Buffer.alloc(100_000), options),
      get: (options) => hanging!.get('hangs', options),
      list: (options) => hanging!.list('hangs', options),
      delete: (options) => hanging!.delete(['hangs'], options),
      part: (options) => hanging!.multipart!.part(upload.key, upload.id, 1, Buffer.alloc(100_000), options),
    };
    for (const [name, call] of Object.entries(calls)) {
      if (name !== 'part' || hanging!.multipart) await endsAtTheSignal(t, name, call);
    }
  });

  t.test('wrong credentials are DENIED, never NOT_FOUND', { skip: stranger === undefined }, async (t) => {
    await rejects(t, 'DENIED', stranger!.get('no/such', options));
    await rejects(
      t,
      'DENIED',
      stranger!.put('stranger', Buffer.from('x'), { ...options, ifAbsent: limits.ifAbsent ?? true }),
    );
    await rejects(t, 'DENIED', stranger!.list('', options));
    await rejects(t, 'DENIED', stranger!.delete(['no/such'], options));
  });

  t.test('a bucket that does not exist is NO_BUCKET', { skip: nowhere === undefined }, async (t) => {
    await rejects(t, 'NO_BUCKET', nowhere!.get('no/such', options));
    await rejects(t, 'NO_BUCKET', nowhere!.get('no/such', { ...options, length: 0 }));
    await rejects(t, 'NO_BUCKET', nowhere!.put('stranger', Buffer.from('x'), options));
    await rejects(t, 'NO_BUCKET', nowhere!.list('', options));
    const deleted = nowhere!.delete(['no/such'], options);
    await (limits.deleteNowhere === false ? deleted : rejects(t, 'NO_BUCKET', deleted));
  });
}

/** The contract of objects in parts. */
export function testMultipart(t: Test, { store, limits = {} }: Subject): void {
  const multipart = store.multipart!;
  const partBytes = Math.max(multipart.minPartBytes, 1000);

  const upload = async (key: string, order: readonly number[]) => {
    const { upload } = await multipart.create(key, { ...options, metadata: { writer: 'of parts' } });
    const bytes = [randomBytes(partBytes), randomBytes(partBytes + 1), randomBytes(7)];
    const etags: string[] = [];
    await Promise.all(
      order.map(async (at) => {
        etags[at] = (await multipart.part(key, upload, at + 1, bytes[at]!, options)).etag;
      }),
    );
    return { upload, etags, whole: Buffer.concat(bytes) };
  };

  t.test('parts in any order make one object', async (t) => {
    const { upload: id, etags, whole } = await upload('parts/three', [2, 0, 1]);
    t.same(await all(store, 'parts/'), [], 'it is not there before it is complete');
    const { etag } = await multipart.complete('parts/three', id, etags, options);
    const read = await store.get('parts/three', options);
    t.ok(whole.equals(read.bytes));
    t.equal(read.etag, etag);
    t.match(read.metadata, { writer: 'of parts' });
    t.match(await all(store, 'parts/'), [{ key: 'parts/three', size: whole.length, etag }]);
    const across = await store.get('parts/three', { ...options, offset: partBytes - 3, length: 6, ifMatch: etag });
    t.ok(whole.subarray(partBytes - 3, partBytes + 3).equals(across.bytes));
  });

  t.test('a part that is sent again replaces the earlier one', async (t) => {
    const { upload: id } = await multipart.create('parts/again', options);
    await multipart.part('parts/again', id, 1, Buffer.from('wrong'), options);
    const { etag } = await multipart.part('parts/again', id, 1, Buffer.from('right!'), options);
    await multipart.complete('parts/again', id, [etag], options);
    t.equal(text(await store.get('parts/again', options)), 'right!');
  });

  t.test('an upload is listed until it is aborted', async (t) => {
    const { upload: id } = await upload('given-up/one', [0]);
    const { uploads } = await multipart.list('given-up/', options);
    if (limits.uploads === false) t.same(uploads, []);
    else t.match(uploads, [{ key: 'given-up/one', upload: id, started: Number }]);
    t.same((await multipart.list('others/', options)).uploads, []);
    await multipart.abort('given-up/one', id, options);
    t.same((await multipart.list('given-up/', options)).uploads, []);
    await multipart.abort('given-up/one', id, options);
    t.same(await all(store, 'given-up/'), []);
    if (limits.uploads === false) return;
    await rejects(t, 'NOT_FOUND', multipart.part('given-up/one', id, 1, Buffer.from('x'), options));
    // Ceph answers this one with an internal error.
    await t.rejects(multipart.complete('given-up/one', id, ['x'], options), { name: 'StoreError' });
    t.same(await all(store, 'given-up/'), []);
  });
}

/** A call waits until its signal is aborted, and then rejects within a second. */
export async function endsAtTheSignal(t: Test, name: string, call: (options: CallOptions) => Promise<unknown>) {
  const controller = new AbortController();
  const running = call({ signal: controller.signal }).then(
    () => 'resolved',
    () => 'rejected',
  );
  t.equal(await Promise.race([running, later(300)]), 'nothing for 300 ms', `${name} hangs`);
  controller.abort(new Error('stop'));
  t.equal(await Promise.race([running, later(1000)]), 'rejected', name);
}

/** All pages of a list. */
export async function all(store: ObjectStore, prefix: string): Promise<ListedObject[]> {
  const found: ListedObject[] = [];
  let after: string | undefined;
  do {
    const page = await store.list(prefix, { ...options, after });
    found.push(...page.objects);
    after = page.next;
  } while (after !== undefined);
  return found;
}

export const rejects = (t: Test, kind: StoreErrorKind, promise: Promise<unknown>, message: string = kind) =>
  t.rejects(promise, { name: 'StoreError', kind }, message);
/** What a call came to. A store may answer BUSY where several write at the same time. */
async function settled<T>(t: Test, call: () => Promise<T>): Promise<T | Error> {
  for (let tries = 1; ; tries++) {
    const result = await call().catch((error: Error) => error);
    if (!(result instanceof StoreError && result.kind === 'BUSY') || tries === 20) return result;
    t.comment(`${result.facts.storeCode}: ${result.message}`);
  }
}

const text = ({ bytes }: { bytes: Uint8Array }) => Buffer.from(bytes).toString();
const kinds = (errors: readonly unknown[]) => errors.map((error) => (error instanceof StoreError ? error.kind : error));
const later = (ms: number) => new Promise<string>((resolve) => setTimeout(resolve, ms, `nothing for ${ms} ms`));

async function inGroups<T>(items: readonly T[], work: (item: T, at: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let at = next++; at < items.length; at = next++) await work(items[at]!, at);
  };
  await Promise.all(Array.from({ length: 32 }, worker));
}
