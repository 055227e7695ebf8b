// How many requests each operation sends, by kind. The store is wrapped and counts; repetitions would count too.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BackupEngine, Database, type OpenBackupOptions } from '../lib/index.js';
import type { ObjectStore } from '../lib/stores/object-store.js';
import { s3Store } from '../lib/stores/s3.js';

export const KINDS = ['list', 'get', 'put', 'delete', 'create', 'part', 'complete'] as const;
export type Counts = Record<(typeof KINDS)[number], number>;

export interface Requests {
  operation: string;
  counts: Counts;
}

const none = (): Counts => ({ list: 0, get: 0, put: 0, delete: 0, create: 0, part: 0, complete: 0 });

/** A store that counts what is asked of another one. */
export class CountingStore implements ObjectStore {
  counts = none();
  readonly name: string;
  readonly identity: string | undefined;
  readonly multipart: ObjectStore['multipart'];
  readonly put: ObjectStore['put'];
  readonly get: ObjectStore['get'];
  readonly list: ObjectStore['list'];
  readonly delete: ObjectStore['delete'];

  constructor(store: ObjectStore) {
    const counted =
      <A extends unknown[], R>(kind: keyof Counts, send: (...args: A) => R) =>
      (...args: A) => {
        this.counts[kind]++;
        return send(...args);
      };
    this.name = store.name;
    this.identity = store.identity;
    this.put = counted('put', store.put.bind(store));
    this.get = counted('get', store.get.bind(store));
    this.list = counted('list', store.list.bind(store));
    this.delete = counted('delete', store.delete.bind(store));
    this.multipart = store.multipart && {
      ...store.multipart,
      create: counted('create', store.multipart.create),
      part: counted('part', store.multipart.part),
      complete: counted('complete', store.multipart.complete),
    };
  }

  take(): Counts {
    const taken = this.counts;
    this.counts = none();
    return taken;
  }
}

export interface RequestsOptions {
  endpoint: string;
  bucket: string;
  directory: string;
  /** Tables of the database. */
  tables: number;
}

async function readAll(opened: Database): Promise<void> {
  for await (const _ of opened.iterator()) {
    // only read
  }
}

/** The credentials come from the environment. */
export async function countRequests({ endpoint, bucket, directory, tables }: RequestsOptions): Promise<Requests[]> {
  const store = new CountingStore(s3Store({ bucket, prefix: 'requests', endpoint }));
  const rows: Requests[] = [];
  const count = async <T>(operation: string, work: () => Promise<T>): Promise<T> => {
    store.take();
    const result = await work();
    rows.push({ operation, counts: store.take() });
    return result;
  };
  await using db = await Database.open(join(directory, 'requests'), { disableAutoCompactions: true });
  const addTables = async (number: number) => {
    for (let i = 0; i < number; i++) {
      await db.put(`key-${Math.random()}`, Buffer.alloc(1000));
      await db.flush();
    }
  };
  await addTables(tables);
  const engine = await count('open a new repository', () => BackupEngine.open(store));
  await count(`create the first backup, of ${tables} tables`, () => engine.createBackup(db));
  await count('create with nothing new', () => engine.createBackup(db));
  await addTables(10);
  await count(`create with 10 new tables among ${tables + 10}`, () => engine.createBackup(db));
  await db.put('large', randomBytes(40 * 2 ** 20));
  await db.flush();
  await count('create with 1 new table of 40 MiB', () => engine.createBackup(db));
  for (const backups of [10, 20]) {
    while ((await engine.getBackupInfo()).length < backups) await engine.createBackup(db);
    await count(`list of ${backups} backups, again`, () => engine.getBackupInfo());
    await count(`create with nothing new beside ${backups} backups`, () => engine.createBackup(db));
    await engine.deleteBackup((await engine.getLatestBackupInfo())!.backupId);
  }
  await engine.close();
  const fresh = new CountingStore(s3Store({ bucket, prefix: 'requests', endpoint }));
  store.take();
  await using again = await BackupEngine.open(fresh);
  const countFresh = async (operation: string, work: () => Promise<unknown>) => {
    fresh.take();
    await work();
    rows.push({ operation, counts: fresh.take() });
  };
  await countFresh('list of 20 backups, for the first time in a process', () => again.getBackupInfo());
  await countFresh('verify, names and sizes', () => again.verifyBackup(4));
  await countFresh(`verify with checksums, ${tables + 11} tables`, () => again.verifyBackup(4, { checksum: true }));
  await countFresh(`restore, ${tables + 11} tables`, () =>
    again.restoreBackup(4, join(directory, 'requests-restored')),
  );
  const read = async (options: OpenBackupOptions, read: (opened: Database) => Promise<unknown>) => {
    await using opened = await again.openBackup(4, options);
    await read(opened);
  };
  const diskCache = { directory: join(directory, 'requests-cache') };
  await countFresh('open a backup in place and read one key', () => read({}, (opened) => opened.get('key')));
  await countFresh(`open a backup in place and read all, ${tables + 11} tables`, () => read({}, readAll));
  await countFresh('the same with an empty cache on the disk', () => read({ diskCache }, readAll));
  await countFresh('the same again', () => read({ diskCache }, readAll));
  await countFresh('delete one backup of 20', () => again.deleteBackup(2));
  await countFresh('purge from 19 backups to 1', () => again.purgeOldBackups(1));
  await countFresh('garbageCollect', () => again.garbageCollect());
  return rows;
}
