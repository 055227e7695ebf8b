// Passes values of every type to every option of every public function. Each call must work, or fail with an error of a known type. If the
// value is wrong, the error must name the option.

import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import {
  BackupEngine,
  BackupManager,
  createSnapshot,
  Database,
  diffDatabases,
  digestDatabase,
  drillBackup,
  planRetention,
  pruneSnapshots,
  RateLimiter,
  RocksDBError,
} from '../../lib/index.js';
import { RocksLevel } from '../../lib/level/index.js';
import leveldown from '../../lib/level/leveldown.js';
import type { Experiment, Torture } from './experiment.js';
import { holding, namesOf, Thrown, throwing, values } from './option-values.js';

/** A function and the options it takes. What is passed has the wrong type on purpose. */
interface Target {
  name: string;
  options: readonly string[];
  call(options: never): unknown;
  /** What the call needs besides the option that is tested. */
  base?: object;
  /** The call makes files each time, so fewer values are tried in the short form. */
  slow?: boolean;
  /** A function in place of its options is taken as its callback. */
  callback?: boolean;
}

const HANGS_AFTER = 60_000;

async function close(thing: unknown): Promise<void> {
  if (thing instanceof Database || thing instanceof BackupEngine || thing instanceof RocksLevel) await thing.close();
  else if (thing instanceof BackupManager) await thing.stop();
}

async function drain(iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of iterable) break;
}

interface Scene {
  db: Database;
  engine: BackupEngine;
  level: RocksLevel;
  path(): string;
}

function targets({ db, engine, level, path }: Scene): Target[] {
  const range = [...namesOf('RangeOptions')];
  const write = namesOf('WriteOptions');
  const read = namesOf('ReadOptions');
  const old = leveldown(path());
  const opened = new Promise((done) => old.open(done));
  const byCallback = (start: (done: (error?: Error | null) => void) => void) =>
    opened.then(() => new Promise<void>((done, fail) => start((error) => (error ? fail(error) : done()))));
  return [
    { name: 'Database.open', slow: true, options: namesOf('OpenOptions'), call: (o) => Database.open(path(), o) },
    {
      name: 'createColumnFamily',
      slow: true,
      options: namesOf('ColumnFamilyOptions'),
      call: (o) => db.createColumnFamily(`f${Math.random()}`, o).then((family) => db.dropColumnFamily(family.name)),
    },
    { name: 'Database.destroy', slow: true, options: namesOf('OpenOptions'), call: (o) => Database.destroy(path(), o) },
    { name: 'get', options: read, call: (o) => db.get('key', o) },
    { name: 'getSync', options: read, call: (o) => db.getSync('key', o) },
    { name: 'getMany', options: read, call: (o) => db.getMany(['key'], o) },
    { name: 'has', options: read, call: (o) => db.has('key', o) },
    { name: 'put', options: write, call: (o) => db.put('key', 'value', o) },
    { name: 'putSync', options: write, call: (o) => db.putSync('key', 'value', o) },
    { name: 'delete', options: write, call: (o) => db.delete('gone', o) },
    { name: 'deleteRange', options: write, call: (o) => db.deleteRange('y', 'z', o) },
    { name: 'batch.write', options: write, call: (o) => db.batch().put('a', 'b').write(o) },
    { name: 'batch.put', options: namesOf('BatchOperationOptions'), call: (o) => db.batch().put('a', 'b', o).write() },
    { name: 'iterator', options: range, call: (o) => drain(db.iterator(o)) },
    { name: 'keys', options: range, call: (o) => drain(db.keys(o)) },
    { name: 'compactRange', slow: true, options: namesOf('CompactRangeOptions'), call: (o) => db.compactRange(o) },
    {
      name: 'BackupEngine.open',
      slow: true,
      options: namesOf('BackupEngineOptions'),
      call: (o) => BackupEngine.open(path(), o),
    },
    {
      name: 'createBackup',
      slow: true,
      options: namesOf('CreateBackupOptions'),
      call: (o) => engine.createBackup(db, o),
    },
    { name: 'verifyBackup', options: namesOf('VerifyBackupOptions'), call: (o) => engine.verifyBackup(1, o) },
    {
      name: 'restoreBackup',
      slow: true,
      options: namesOf('RestoreBackupOptions'),
      call: (o) => engine.restoreBackup(1, path(), o),
    },
    { name: 'getBackupInfo', options: namesOf('BackupInfoOptions'), call: (o) => engine.getBackupInfo(1, o) },
    { name: 'deleteBackup', options: namesOf('DeleteOptions'), call: (o) => engine.deleteBackup(4000, o) },
    { name: 'garbageCollect', slow: true, options: namesOf('DeleteOptions'), call: (o) => engine.garbageCollect(o) },
    { name: 'RateLimiter', options: namesOf('RateLimiterOptions'), call: (o) => new RateLimiter(o) },
    {
      name: 'BackupManager',
      options: namesOf('BackupManagerOptions'),
      base: { db, location: engine },
      call: (o) => new BackupManager(o),
    },
    ...['drill', 'retry', 'snapshots', 'metrics', 'retention', 'engine', 'create'].map((group) => ({
      name: `BackupManager ${group}`,
      options: namesOf(
        {
          drill: 'ManagerDrillOptions',
          retry: 'RetryOptions',
          snapshots: 'ManagerSnapshotOptions',
          metrics: 'MetricsOptions',
          retention: 'RetentionPolicy',
          engine: 'BackupEngineOptions',
          create: 'CreateBackupOptions',
        }[group] as string,
      ),
      call: (o: never) => new BackupManager({ db, location: path(), [group]: o }),
    })),
    { name: 'planRetention', options: namesOf('RetentionPolicy'), call: (o) => planRetention([], o, new Date()) },
    {
      name: 'drillBackup',
      slow: true,
      options: [...namesOf('DrillOptions'), 'signal', 'onProgress'],
      call: (o) => drillBackup(engine, 1, o),
    },
    { name: 'digestDatabase', slow: true, options: namesOf('ReadAllOptions'), call: (o) => digestDatabase(db, o) },
    { name: 'diffDatabases', options: namesOf('DiffOptions'), call: (o) => drain(diffDatabases(db, db, o)) },
    {
      name: 'createSnapshot',
      slow: true,
      options: namesOf('CreateSnapshotOptions'),
      call: (o) => createSnapshot(db, o),
    },
    {
      name: 'pruneSnapshots',
      options: namesOf('SnapshotPlace'),
      call: (o) => pruneSnapshots(db.path, { keepLast: 3 } as never, new Date(), o),
    },
    {
      name: 'RocksLevel',
      slow: true,
      options: namesOf('LevelOpenOptions'),
      call: async (o) => {
        const opening = new RocksLevel(path(), o);
        await opening.open();
        return opening;
      },
    },
    { name: 'RocksLevel.get', options: read, call: (o) => level.get('key', o) },
    { name: 'RocksLevel.put', options: write, call: (o) => level.put('key', 'value', o) },
    {
      name: 'RocksLevel.iterator',
      options: ['gt', 'lte', 'limit', 'reverse', 'keys', 'values', 'highWaterMarkBytes', ...read],
      call: (o) => drain(level.iterator(o)),
    },
    {
      name: 'RocksLevel.clear',
      options: ['gt', 'lte', 'limit', ...write],
      base: { gt: 'zz' },
      call: (o) => level.clear(o),
    },
    {
      name: 'leveldown.open',
      slow: true,
      callback: true,
      options: namesOf('RocksDBOpenOptions'),
      call: (o) =>
        new Promise<void>((done, fail) => {
          const store = leveldown(path());
          store.open(o, (error) => (error ? fail(error) : store.close(() => done())));
        }),
    },
    {
      name: 'leveldown.get',
      callback: true,
      options: namesOf('RocksDBGetOptions'),
      call: (o) =>
        byCallback((done) => old.get('key', o, (error) => done(/NotFound/.test(String(error)) ? null : error))),
    },
    {
      name: 'leveldown.iterator',
      callback: true,
      options: namesOf('RocksDBIteratorOptions'),
      call: (o) =>
        byCallback((done) => {
          const iterator = old.iterator(o);
          iterator.next((error) => iterator.end(() => done(error)));
        }),
    },
    ...positions({ db, engine, level, path }),
  ];
}

/** Positional arguments: paths, ids, keys, values. */
function positions({ db, engine, path }: Scene): Target[] {
  const one = (name: string, call: (value: never) => unknown): Target => ({ name, options: [], call });
  return [
    one('Database.open(path)', (v) => Database.open(v, { createIfMissing: false })),
    one('Database.attach(token)', (v) => Database.attach(v)),
    one('Database.listColumnFamilies(path)', (v) => Database.listColumnFamilies(v)),
    one('columnFamily(name)', (v) => db.columnFamily(v)),
    one('get(key)', (v) => db.get(v)),
    one('getSync(key)', (v) => db.getSync(v)),
    one('getMany(keys)', (v) => db.getMany(v)),
    one('put(key)', (v) => db.put(v, 'value')),
    one('put(value)', (v) => db.put('key', v)),
    one('putSync(key)', (v) => db.putSync(v, 'value')),
    one('delete(key)', (v) => db.delete(v)),
    one('merge(operand)', (v) => db.merge('merged', v)),
    one('batch.put(key)', (v) => db.batch().put(v, 'value').write()),
    one('approximateSize(start)', (v) => db.approximateSize(v, 'z')),
    one('property(name)', (v) => db.property(v)),
    one('BackupEngine.attach(token)', (v) => BackupEngine.attach(v)),
    one('createBackup(db)', (v) => engine.createBackup(v)),
    one('verifyBackup(id)', (v) => engine.verifyBackup(v)),
    one('restoreBackup(id)', (v) => engine.restoreBackup(v, path())),
    one('getBackupInfo(id)', (v) => engine.getBackupInfo(v)),
    one('openBackup(id)', (v) => engine.openBackup(v)),
    one('drillBackup(engine)', (v) => drillBackup(v, 1)),
    one('digestDatabase(db)', (v) => digestDatabase(v)),
  ];
}

/** Adds what a call needs to the options that are tested. A tested option is found by its name, in whatever way the object has it. */
function merged(tried: object, base: object): object {
  return new Proxy(base, {
    get: (_, name) => Reflect.get(name in tried ? tried : base, name),
    has: (_, name) => name in tried || name in base,
    ownKeys: () => [...new Set([...Reflect.ownKeys(tried), ...Reflect.ownKeys(base)])],
    getOwnPropertyDescriptor: (_, name) => ({
      configurable: true,
      enumerable: true,
      value: Reflect.get(name in tried ? tried : base, name),
    }),
  });
}

/** The result of a call. An empty object means that all is well. */
async function outcome(start: () => unknown): Promise<{ error?: unknown; hung?: boolean }> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<{ hung: boolean }>((done) => {
    timer = setTimeout(() => done({ hung: true }), HANGS_AFTER);
  });
  const work = (async () => {
    try {
      await close(await start());
      return {};
    } catch (error) {
      return { error };
    }
  })();
  const end = await Promise.race([work, hang]);
  clearTimeout(timer);
  return end;
}

function isTyped(error: unknown): error is Error {
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof RocksDBError ||
    hasCode(error) ||
    (error instanceof Error && error.name === 'AbortError')
  );
}

function hasCode(error: unknown): boolean {
  return error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
}

// What the language itself says about values that cannot even be examined, callbacks that are classes, keys that abstract-level cannot
// convert to strings, bytes that are gone, and frozen options into which abstract-leveldown writes.
const BY_JS =
  /has been revoked|Class constructors? .*cannot be invoked|Cannot convert object to primitive value|not extensible|detached ArrayBuffer/;

/** Whether the error is about the option: a TypeError must name it; other errors must say what they are about. */
function names(error: Error, option: string): boolean {
  return !(error instanceof TypeError) || error.message.includes(option) || hasCode(error) || BY_JS.test(error.message);
}

async function tryAll(torture: Torture, scene: Scene, wild: unknown[]): Promise<{ calls: number; refused: number }> {
  let calls = 0;
  let refused = 0;
  const judge = async (what: string, option: string | undefined, start: () => unknown) => {
    calls++;
    const { error, hung } = await outcome(start);
    if (hung) torture.check(false, `${what} ends`);
    if (error !== undefined) refused++;
    const well =
      error === undefined ||
      error instanceof Thrown ||
      (isTyped(error) && (option === undefined || names(error, option)) && error.message.length > 5);
    torture.check(well, `${what} works, or says what is wrong with ${option ?? 'it'}`, error);
    if (calls % 50 === 0) await turn();
    torture.check(wild.length === 0, `nothing is thrown past ${what}`, wild.shift());
  };
  for (const target of targets(scene)) {
    const share = torture.full ? 1 : target.slow ? 0.08 : 0.4;
    for (const [label, make] of values) {
      const what = `${target.name}: ${label}`;
      if (target.callback && typeof make() === 'function') continue;
      if (target.slow && !torture.full && torture.random.next() < 0.5) continue;
      await judge(what, undefined, () => target.call(make() as never));
    }
    for (const option of target.options) {
      const some = values.filter(() => torture.random.next() < share);
      for (const [label, make] of some) {
        const { how, options } = holding(torture.random, option, make);
        const all = target.base === undefined ? options : merged(options, target.base);
        await judge(`${target.name} with ${option} = ${label}, ${how}`, option, () => target.call(all as never));
      }
      if (share === 1 || torture.random.next() < 2 * share)
        await judge(`${target.name} with ${option} that throws`, option, () => target.call(throwing(option) as never));
    }
  }
  return { calls, refused };
}

export const options: Experiment = {
  name: 'options',
  about: 'values of every type for every option of every function: it works, or a typed error names the option',
  async run(torture) {
    const wild: unknown[] = [];
    const keep = (error: unknown) => wild.push(error);
    process.on('uncaughtException', keep).on('unhandledRejection', keep).setMaxListeners(0);
    process.chdir(torture.directory);
    let number = 0;
    const path = () => {
      const places = torture.path('places');
      rmSync(places, { recursive: true, force: true });
      mkdirSync(places);
      return join(places, String(number++));
    };
    const db = await Database.open(torture.path('db'));
    await db.put('key', 'value');
    const engine = await BackupEngine.open(torture.path('backups'));
    await engine.createBackup(db);
    const level = new RocksLevel(torture.path('level'));
    await level.open();
    const { calls, refused } = await tryAll(torture, { db, engine, level, path }, wild);
    torture.check((await db.get('key'))?.length !== undefined, 'the database works afterwards');
    await engine.verifyBackup(1, { checksum: true });
    await Promise.all([db.close(), engine.close(), level.close()]);
    process.off('uncaughtException', keep).off('unhandledRejection', keep);
    torture.figure('calls', calls);
    torture.figure('of these refused', refused);
  },
};
