// How many requests each operation sends, by kind. The store is wrapped and counts; repetitions would count too.

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BackupEngine, BackupManager, copyBackups, Database, type OpenBackupOptions } from '../lib/index.js';
import type { ObjectStore } from '../lib/stores/object-store.js';
import { s3Store } from '../lib/stores/s3.js';
import { type Counts, EXPECTED, type RequestCase, unexpected } from './request-formulas.js';

export interface Requests {
  operation: string;
  counts: Counts;
  /** What is not as request-formulas.ts says. */
  unexpected: string[];
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
  const storeIn = (prefix: string) => new CountingStore(s3Store({ bucket, prefix, endpoint }));
  let store = storeIn('requests');
  const rows: Requests[] = [];
  /** Counts the requests to `store`, or to another one. */
  const count = async <T>(
    operation: string,
    name: keyof typeof EXPECTED,
    of: RequestCase,
    work: () => Promise<T>,
    counting = store,
  ): Promise<T> => {
    counting.take();
    const result = await work();
    const counts = counting.take();
    rows.push({ operation, counts, unexpected: unexpected(counts, EXPECTED[name](of)) });
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
  const engine = await count('open a new repository', 'open a new repository', {}, () => BackupEngine.open(store));
  const create = (operation: string, newTables: number, unread = 1) =>
    count(operation, 'create', { newTables, unread }, () => engine.createBackup(db));
  await create(`create the first backup, of ${tables} tables`, tables, 0);
  await create('create with nothing new', 0);
  await addTables(10);
  await create(`create with 10 new tables among ${tables + 10}`, 10);
  await db.put('large', randomBytes(40 * 2 ** 20));
  await db.flush();
  await engine.createBackup(db);
  rows.push({ operation: 'create with 1 new table of 40 MiB', counts: store.take(), unexpected: [] });
  for (const backups of [10, 20]) {
    while ((await engine.getBackupInfo()).length < backups) await engine.createBackup(db);
    await count(`list of ${backups} backups, again`, 'list', {}, () => engine.getBackupInfo());
    await create(`create with nothing new beside ${backups} backups`, 0);
    await engine.deleteBackup((await engine.getLatestBackupInfo())!.backupId);
  }
  await engine.close();

  store = storeIn('requests'); // another object for the same store, of which nothing has been read
  const again = await count(
    'open a repository of 20 backups, for the first time',
    'open to write',
    { unread: 20 },
    () => BackupEngine.open(store),
  );
  await count('list of 20 backups, for the first time', 'list', { unread: 20 }, () => again.getBackupInfo());
  // The table of 40 MiB has six pieces.
  const pieces = tables + 10 + 6;
  const named = `${tables + 11} tables`;
  await count('verify, names and sizes', 'verify, names and sizes', {}, () => again.verifyBackup(4));
  await count(`verify with checksums, ${named}`, 'verify with checksums', { pieces }, () =>
    again.verifyBackup(4, { checksum: true }),
  );
  await count(`restore, ${named}`, 'restore', { pieces }, () =>
    again.restoreBackup(4, join(directory, 'requests-restored')),
  );
  const read = async (options: OpenBackupOptions, read: (opened: Database) => Promise<unknown>) => {
    await using opened = await again.openBackup(4, options);
    await read(opened);
  };
  const diskCache = { directory: join(directory, 'requests-cache') };
  await count('open a backup in place and read one key', 'open in place and read a key', {}, () =>
    read({}, (opened) => opened.get('key')),
  );
  await count(`open a backup in place and read all, ${named}`, 'open in place and read all', { pieces }, () =>
    read({}, readAll),
  );
  await count('the same with an empty cache on the disk', 'open in place and read all', { pieces }, () =>
    read({ diskCache }, readAll),
  );
  await count('the same again', 'open in place and read all', { pieces: 0 }, () => read({ diskCache }, readAll));
  const copying = { newTables: pieces, backups: 1 };
  const target = storeIn('requests-copied');
  const copy = () => copyBackups(store, target, { backupIds: [4] });
  await count(`copy of a backup, ${named}: the source`, 'copy, in the source', copying, async () => {
    target.take();
    await copy();
    rows.push({ operation: `copy of a backup, ${named}: the new repository`, counts: target.take(), unexpected: [] });
  });
  await count('delete one backup of 20', 'delete', { backups: 1 }, () => again.deleteBackup(2));
  await count('purge from 19 backups to 1', 'delete', { backups: 18 }, () => again.purgeOldBackups(1));
  await count('garbageCollect', 'garbageCollect', {}, () => again.garbageCollect());
  await again.close();

  const manager = new BackupManager({ db, location: store });
  await manager.backupNow();
  await addTables(1);
  await count('backupNow of a manager, 1 new table', 'backupNow of a manager', { newTables: 1 }, () =>
    manager.backupNow(),
  );
  await count('the same, nothing new', 'backupNow of a manager, nothing new', {}, () =>
    manager.backupNow({ skipUnchanged: true }),
  );
  await manager.stop();
  return rows;
}
