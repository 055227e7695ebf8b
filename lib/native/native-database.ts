// The interface between binding/napi/database/ (database.cc and the files beside it) and lib. Types only; nothing here is public.

import type { RocksDBError } from '../base/errors.js';
import type { Key } from './options.js';
import type { Snapshot } from './snapshot.js';

/** A result. It is returned directly if nothing had to wait, otherwise as a promise. */
export type MaybePromise<T> = T | Promise<T>;

/** What was read and written through a cache on the disk since a backup was opened: see {@link Database.diskCache}. */
export interface DiskCacheStatus {
  /** Pieces that were in the cache, and pieces that were read from the store. */
  readonly hits: number;
  readonly misses: number;
  /** Misses because the piece on the disk was damaged. Such pieces were removed. */
  readonly damaged: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** What fails: no right, a full disk, ... Reads go to the store meanwhile. Undefined if nothing has failed. */
  readonly problem: string | undefined;
}

/** Options of a read. An encoding alone may stand in place of the object; that is faster. */
export type ReadArgument = object | 'utf8';

/** A handle of one JS thread on a database. `family` is the id of a column family. */
export interface NativeDatabase {
  readonly path: string;
  readonly token: string;
  readonly mode: 'readWrite' | 'readOnly' | 'secondary';
  readonly identity: string;
  readonly latestSequenceNumber: bigint;
  /** A number is a position in the read pool. See lib/native/reads.ts, which also knows the result format of `getMany`. */
  get(family: number, key: Key, options?: ReadArgument): MaybePromise<Buffer | string | undefined | number>;
  /** With `into`, copies the value there and returns its length, if `into` is large enough for it. */
  getSync(family: number, key: Key, options?: ReadArgument, into?: Buffer): Buffer | string | undefined | number;
  getMany(
    family: number,
    keys: readonly Key[],
    options?: ReadArgument,
  ): MaybePromise<Buffer | (Buffer | string | undefined)[]>;
  has(family: number, key: Key, options?: object): MaybePromise<boolean>;
  hasMany(family: number, keys: readonly Key[], options?: object): MaybePromise<boolean[]>;
  put(family: number, key: Key, value: Key, options?: object): MaybePromise<void>;
  putSync(family: number, key: Key, value: Key, options?: object): void;
  delete(family: number, key: Key, options?: object): MaybePromise<void>;
  deleteSync(family: number, key: Key, options?: object): void;
  singleDelete(family: number, key: Key, options?: object): MaybePromise<void>;
  deleteRange(family: number, start: Key, end: Key, options?: object): MaybePromise<void>;
  merge(family: number, key: Key, operand: Key, options?: object): MaybePromise<void>;
  /** Writes what lib/native/packed-writes.ts collected. */
  writePacked(count: number, words: Uint32Array, bytes: Buffer, used: number): MaybePromise<void>;
  batch(): NativeWriteBatch;
  iterator(family: number, options?: object): NativeIterator;
  snapshot(): Snapshot;
  columnFamily(name: string): number | undefined;
  columnFamilies(): string[];
  createColumnFamily(name: string, options?: object): Promise<number>;
  dropColumnFamily(name: string): Promise<void>;
  flush(family?: number): Promise<void>;
  compactRange(family: number, options?: object): Promise<void>;
  approximateSize(family: number, start: Key, end: Key): Promise<number>;
  property(family: number, name: string): string | undefined;
  checkpoint(path: string): Promise<void>;
  tryCatchUpWithPrimary(): Promise<void>;
  /** Undefined if the database is not read through a cache on the disk. */
  readonly diskCache: DiskCacheStatus | undefined;
  /** Identifies what the database contains: see lib/manager/database-content.ts. `tables` is empty if it is not known. */
  content(tables: boolean): Promise<{ state: Buffer; tables: Buffer; inMemory: boolean }>;
  resume(): Promise<void>;
  /** One listener for each handle. Undefined removes it. */
  onEvent(listener: DatabaseListener | undefined): void;
  close(): Promise<void>;
}

type DatabaseListener = (kind: 'error' | 'recovered', during: string, error: RocksDBError | undefined) => void;

export interface NativeWriteBatch {
  readonly count: number;
  readonly size: number;
  put(family: number, key: Key, value: Key): void;
  merge(family: number, key: Key, operand: Key): void;
  delete(family: number, key: Key): void;
  singleDelete(family: number, key: Key): void;
  deleteRange(family: number, start: Key, end: Key): void;
  /** Adds what lib/native/packed-writes.ts collected. */
  append(count: number, words: Uint32Array, bytes: Buffer, used: number): void;
  clear(): void;
  write(options?: object): MaybePromise<void>;
  writeSync(options?: object): void;
}

export interface NativeIterator {
  /**
   * Returns a block; its layout is described in binding/core/database/iterator.h. With `into`, it may put the block there and return its
   * length.
   */
  next(maxEntries: number, maxBytes: number, target?: Key): MaybePromise<Buffer>;
  next(maxEntries: number, maxBytes: number, target?: Key, into?: Buffer): MaybePromise<Buffer | number>;
  close(): void;
}

/** Version and features of the RocksDB in this package. */
export interface EngineInfo {
  /** RocksDB's version, for example `9.7.4`. */
  rocksdb: string;
  /** The compressions that are built in, with the names that options use. */
  compressions: string[];
  /**
   * The features that not every RocksDB has with which this package can be built: `ioBufferSize`, `atomicFlush`, `levelDBTables` (a LevelDB
   * database can be opened for reading).
   */
  features: string[];
}

export interface NativeDatabaseModule {
  Database: {
    open(path: string, options?: object): Promise<NativeDatabase>;
    attach(token: string): NativeDatabase;
    listColumnFamilies(path: string): Promise<string[]>;
    destroy(path: string, options?: object): Promise<void>;
    repair(path: string, options?: object): Promise<void>;
  };
  Snapshot: { prototype: Snapshot };
  setReadPool(pool: Buffer): void;
  /** The pool that was set last. */
  readPool?: Buffer;
  engineInfo(): EngineInfo;
  setErrorClass(errorClass: unknown): void;
}
