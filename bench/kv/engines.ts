// The packages that bench:kv compares. All have the same few calls here, and each is used as its documentation shows. Keys are strings,
// values are Buffers.

export interface Seeker {
  seek(key: string): Promise<unknown>;
  close(): Promise<unknown>;
}

export interface KvEngine {
  open(path: string, cacheBytes: number): Promise<void>;
  put(key: string, value: Buffer): Promise<unknown>;
  batch(entries: [string, Buffer][]): Promise<unknown>;
  get(key: string): Promise<unknown>;
  getMany?(keys: string[]): Promise<unknown[]>;
  getSync?(key: string): unknown;
  /** Returns how many entries there were. */
  scan(range: { gte?: string; limit?: number; reverse?: boolean }): Promise<number>;
  /** Returns how many entries there were, in one call that returns all of them. */
  all?(range: { limit: number }): Promise<number>;
  /** Makes an iterator on which `seek` can be called repeatedly. */
  seeker?(): Seeker;
  close(): Promise<unknown>;
}

type Callback = (error: Error | null, value?: unknown) => void;

function promised(call: (callback: Callback) => void): Promise<unknown> {
  return new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))));
}

async function countOf(entries: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of entries) count++;
  return count;
}

interface SeekIterator {
  seek(key: string): void;
  next(): Promise<unknown>;
  close(): Promise<unknown>;
}

function seekerOf(iterator: SeekIterator): Seeker {
  return {
    seek(key) {
      iterator.seek(key);
      return iterator.next();
    },
    close: () => iterator.close(),
  };
}

function ours(): KvEngine {
  const { Database } = require('../../lib/index.js') as typeof import('../../lib/index.js');
  let db: import('../../lib/index.js').Database;
  return {
    async open(path, cacheSize) {
      db = await Database.open(path, { cacheSize });
    },
    put: (key, value) => db.put(key, value),
    batch(entries) {
      const batch = db.batch();
      for (const [key, value] of entries) batch.put(key, value);
      return batch.write();
    },
    get: (key) => db.get(key),
    getMany: (keys) => db.getMany(keys),
    getSync: (key) => db.getSync(key),
    scan: (range) => countOf(db.iterator(range)),
    async all({ limit }) {
      const iterator = db.iterator();
      const { length } = await iterator.nextMany(limit);
      await iterator.close();
      return length;
    },
    seeker: () => seekerOf(db.iterator()),
    close: () => db.close(),
  };
}

/** The common interface of abstract-level's implementations, in version 1 (with callbacks inside) and version 3. */
interface Level {
  open(): Promise<void>;
  close(): Promise<void>;
  put(key: string, value: Buffer): Promise<void>;
  batch(operations: { type: 'put'; key: string; value: Buffer }[]): Promise<void>;
  get(key: string): Promise<unknown>;
  getSync?(key: string): unknown;
  getMany(keys: string[]): Promise<unknown[]>;
  iterator(range: object): AsyncIterable<unknown> & SeekIterator & { all(): Promise<unknown[]> };
}

function level(make: (path: string, options: object) => Level, sync: boolean): KvEngine {
  let db: Level;
  return {
    async open(path, cacheSize) {
      db = make(path, { cacheSize, keyEncoding: 'utf8', valueEncoding: 'buffer' });
      await db.open();
    },
    put: (key, value) => db.put(key, value),
    batch: (entries) => db.batch(entries.map(([key, value]) => ({ type: 'put', key, value }))),
    get: (key) => db.get(key),
    getMany: (keys) => db.getMany(keys),
    ...(sync && { getSync: (key: string) => db.getSync!(key) }),
    scan: (range) => countOf(db.iterator(range)),
    all: async (range) => (await db.iterator(range).all()).length,
    seeker: () => seekerOf(db.iterator({})),
    close: () => db.close(),
  };
}

interface Leveldown {
  open(options: object, callback: Callback): void;
  put(key: string, value: Buffer, callback: Callback): void;
  batch(operations: object[], callback: Callback): void;
  get(key: string, callback: Callback): void;
  getMany(keys: string[], callback: Callback): void;
  iterator(options: object): {
    next(callback: (error: Error | null, key?: unknown, value?: unknown) => void): void;
    seek(key: string): void;
    end(callback: Callback): void;
  };
  close(callback: Callback): void;
}

function leveldown(make: (path: string) => Leveldown): KvEngine {
  let db: Leveldown;
  return {
    async open(path, cacheSize) {
      db = make(path);
      await promised((callback) => db.open({ cacheSize }, callback));
    },
    put: (key, value) => promised((callback) => db.put(key, value, callback)),
    batch: (entries) =>
      promised((callback) =>
        db.batch(
          entries.map(([key, value]) => ({ type: 'put', key, value })),
          callback,
        ),
      ),
    get: (key) => promised((callback) => db.get(key, callback)),
    getMany: (keys) => promised((callback) => db.getMany(keys, callback)) as Promise<unknown[]>,
    async scan(range) {
      const iterator = db.iterator(range);
      let count = 0;
      await new Promise<void>((resolve, reject) => {
        const next = () =>
          iterator.next((error, key) => {
            if (error) return reject(error);
            if (key === undefined) return resolve();
            count++;
            next();
          });
        next();
      });
      await promised((callback) => iterator.end(callback));
      return count;
    },
    seeker() {
      const iterator = db.iterator({});
      return {
        seek(key) {
          iterator.seek(key);
          return promised((callback) => iterator.next(callback));
        },
        close: () => promised((callback) => iterator.end(callback)),
      };
    },
    close: () => promised((callback) => db.close(callback)),
  };
}

function rocksdbNative(): KvEngine {
  const RocksDB = require('rocksdb-native');
  // biome-ignore lint/suspicious/noExplicitAny: the package has no types
  let db: any;
  return {
    async open(path) {
      db = new RocksDB(path);
      await db.ready();
    },
    put: (key, value) => db.put(key, value),
    async batch(entries) {
      const batch = db.write();
      for (const [key, value] of entries) batch.tryPut(key, value);
      await batch.flush();
      batch.destroy();
    },
    get: (key) => db.get(key),
    async getMany(keys) {
      const batch = db.read();
      const values = keys.map((key) => batch.get(key));
      batch.tryFlush();
      const found = await Promise.all(values);
      batch.destroy();
      return found;
    },
    async scan({ gte, limit, reverse }) {
      let count = 0;
      for await (const _ of db.iterator({ gte }, { limit: limit ?? -1, reverse: reverse ?? false })) count++;
      return count;
    },
    close: () => db.close(),
  };
}

/** By the names in the tables. */
export const ENGINES: Record<string, () => KvEngine> = {
  'rocksdb-backup': ours,
  'rocksdb-backup/level': () => {
    const { RocksLevel } = require('../../lib/level/rocks-level.js');
    return level((path, options) => new RocksLevel(path, options), true);
  },
  'rocksdb-backup/leveldown': () => leveldown(require('../../lib/level/leveldown.js')),
  'rocksdb@5.2.1': () => leveldown(require('rocksdb')),
  'classic-level@3.0.0': () => {
    const { ClassicLevel } = require('classic-level');
    return level((path, options) => new ClassicLevel(path, options), true);
  },
  'rocksdb-native@3.18.1': rocksdbNative,
  '@nxtedition/rocksdb@12.2.12': () => {
    const { RocksLevel } = require('@nxtedition/rocksdb');
    return level((path, options) => new RocksLevel(path, options), false);
  },
};
