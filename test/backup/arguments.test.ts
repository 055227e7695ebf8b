// Passes every kind of wrong value to every option and argument of a backup engine. Each must fail with a TypeError or RangeError with the
// code INVALID_OPTION, before anything is changed.

import { existsSync } from 'node:fs';
import t, { type Test } from 'tap';
import { BackupEngine, Database, RateLimiter, removeRestoreLeftovers } from '../../lib/index.js';
import { fill, openDatabase, openEngine, settled } from '../fixtures/backups.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';

type Kind = typeof TypeError | typeof RangeError;
type Wrong = [value: unknown, kind: Kind];

const bare = Object.create(null); // an object that cannot be converted to a string
const types = (...values: unknown[]): Wrong[] => values.map((value) => [value, TypeError]);
const ranges = (...values: unknown[]): Wrong[] => values.map((value) => [value, RangeError]);

const notBoolean = types(null, 0, 1, 'true', '', {}, bare, [], [true], () => true, Symbol('yes'), 1n, Number.NaN);
const notNumber = types(null, '1', '', true, {}, bare, [1], () => 1, Symbol('one'));
const notWhole = ranges(Number.NaN, Number.POSITIVE_INFINITY, 1.5, -1, -1n, 2 ** 64);
const notPath: Wrong[] = [
  ...types(null, 1, true, {}, bare, [], ['/tmp/x'], () => '/tmp/x', Symbol('path'), new URL('file:///tmp/x')),
  ...types('with\0zero'),
];
const notFunction = types(null, 1, 'f', '', 0, false, true, {}, bare, []);
const notSignal = types(null, {}, bare, 'abort', 1, false, new EventTarget(), { aborted: false });

const engineOptions: Record<string, Wrong[]> = {
  readOnly: notBoolean,
  createIfMissing: notBoolean,
  shareTableFiles: notBoolean,
  shareFilesWithChecksum: notBoolean,
  shareFilesWithChecksumNaming: types(null, '', 'DbSessionId', 1, true, {}, bare, ['dbSessionId'], Symbol('s')),
  includeFileSizeInName: notBoolean,
  sync: notBoolean,
  destroyOldData: notBoolean,
  backupLogFiles: notBoolean,
  backupRateLimit: [...notNumber, ...notWhole],
  restoreRateLimit: [...notNumber, ...notWhole],
  maxBackgroundOperations: [...notNumber, ...notWhole, ...ranges(0, 257, 0n)],
  callbackTriggerIntervalSize: [...notNumber, ...notWhole, ...ranges(0)],
  maxValidBackupsToOpen: [...notNumber, ...notWhole, ...ranges(0, 2 ** 31)],
  schemaVersion: [...notNumber, ...notWhole, ...ranges(0, 3)],
  currentTemperaturesOverrideManifest: notBoolean,
  infoLog: [...types(null, 1, true, {}, bare, [], Symbol('log')), ...types('', 'with\0zero')],
  unknownOption: types(true),
  share_table_files: types(true),
};

const createOptions: Record<string, Wrong[]> = {
  flushBeforeBackup: notBoolean,
  atomicFlush: notBoolean,
  metadata: [
    ...types(null, 1, true, {}, bare, ['x'], () => 'x', Symbol('x'), new ArrayBuffer(4)),
    ...ranges('x'.repeat(2 ** 20 + 1), Buffer.alloc(2 ** 20 + 1), 'ü'.repeat(2 ** 19 + 1)),
  ],
  excludeFiles: notFunction,
  backgroundThreadCpuPriority: types(null, '', 'high', 'Low', 0, true, {}, bare, Symbol('low')),
  checkDiskSpace: notBoolean,
  signal: notSignal,
  onProgress: notFunction,
  unknownOption: types(1),
};

const verifyOptions: Record<string, Wrong[]> = {
  checksum: notBoolean,
  signal: notSignal,
  onProgress: notFunction,
  unknownOption: types(1),
};

const restoreOptions: Record<string, Wrong[]> = {
  walDir: [...notPath, ...types('')],
  keepLogFiles: notBoolean,
  overwrite: notBoolean,
  keepOld: notBoolean,
  checkDiskSpace: notBoolean,
  mode: types(null, '', 'purge', 0, true, {}, bare, Symbol('mode')),
  alternates: types(null, {}, bare, 'x', 1, true, ['x'], [{}], [null], [undefined], () => []),
  signal: notSignal,
  onProgress: notFunction,
  unknownOption: types(1),
};

const notObject = types(null, 1, 0, '', 'readOnly', true, [], [{}], () => ({}), Symbol('o'), 1n);
const notId = [...types(null, '1', true, {}, bare, [1], Symbol('1')), ...notWhole, ...ranges(0, 0n, 2 ** 32)];

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 20));
  if (typeof value === 'object' && value !== null) return value === bare ? 'a bare object' : value.constructor.name;
  return String(value);
}

/** Calls with each wrong value and checks the error. If the value belongs to an option, the message must contain the option's name. */
async function refuses(t: Test, name: string, wrong: Wrong[], call: (value: unknown) => Promise<unknown>) {
  for (const [value, Kind] of wrong) {
    const title = `${name}: ${describe(value)}`;
    const { error, value: result } = await settled(call(value));
    if (error === undefined) {
      t.fail(`${title} was taken`);
      if (result instanceof BackupEngine || result instanceof Database) await result.close();
      continue;
    }
    t.match(error, { code: 'INVALID_OPTION', name: Kind.name }, title);
    t.ok(error instanceof Kind, `${title}: ${error}`);
    t.ok(error.message.includes(name.replace(/^.* /, '')), `${title}: ${error.message}`);
  }
}

async function scene(t: Test) {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  await fill(db, 'a', { flush: false });
  const engine = await openEngine(t, dir('backups'), { schemaVersion: 2 });
  await engine.createBackup(db);
  const before = snapshotOf(dir());
  return { dir, db, engine, untouched: () => t.same(snapshotOf(dir()), before, 'nothing was touched') };
}

t.test('wrong options of BackupEngine.open are refused before anything is touched', async (t) => {
  const { dir, untouched } = await scene(t);
  for (const [name, wrong] of Object.entries(engineOptions)) {
    // After options that have effects of their own.
    await refuses(t, name, wrong, (value) =>
      BackupEngine.open(dir('new'), { infoLog: dir('log'), destroyOldData: true, [name]: value } as object),
    );
    await refuses(t, name, wrong, (value) =>
      BackupEngine.open(dir('backups'), { destroyOldData: true, [name]: value }),
    );
  }
  await refuses(t, 'options', notObject, (value) => BackupEngine.open(dir('new'), value as object));
  await t.rejects(BackupEngine.open(dir('backups'), { readOnly: true, destroyOldData: true }), {
    code: 'INVALID_OPTION',
    message: /readOnly.*destroyOldData/,
  });
  t.notOk(existsSync(dir('new')));
  t.notOk(existsSync(dir('log')), 'not even the log is made');
  untouched();
});

t.test('a location that is no path is refused', async (t) => {
  await refuses(t, 'location', [...notPath, ...types('', undefined)], (value) => BackupEngine.open(value as string));
});

t.test('wrong options of createBackup are refused before anything is touched', async (t) => {
  const { db, engine, untouched } = await scene(t);
  for (const [name, wrong] of Object.entries(createOptions)) {
    await refuses(t, name, wrong, (value) => engine.createBackup(db, { flushBeforeBackup: true, [name]: value }));
  }
  await refuses(t, 'options', notObject, (value) => engine.createBackup(db, value as object));
  await refuses(t, 'db', types(undefined, null, 1, 'db', {}, bare, [], engine, Symbol('db')), (value) =>
    engine.createBackup(value as Database),
  );
  t.same((await engine.getBackupInfo()).length, 1);
  untouched();
});

t.test('excludeFiles is refused by an engine of schemaVersion 1, which cannot keep what it said', async (t) => {
  const { dir, db, untouched } = await scene(t);
  const old = await openEngine(t, dir('backups'));
  await refuses(
    t,
    'excludeFiles',
    types((files: string[]) => files),
    (excludeFiles) => old.createBackup(db, { excludeFiles: excludeFiles as () => [] }),
  );
  untouched();
});

t.test('wrong options and ids of verifyBackup are refused', async (t) => {
  const { engine, untouched } = await scene(t);
  for (const [name, wrong] of Object.entries(verifyOptions)) {
    await refuses(t, name, wrong, (value) => engine.verifyBackup(1, { [name]: value }));
  }
  await refuses(t, 'options', notObject, (value) => engine.verifyBackup(1, value as object));
  await refuses(t, 'backupId', [...notId, ...types(undefined)], (value) => engine.verifyBackup(value as number));
  untouched();
});

t.test('wrong options, ids and targets of restores are refused before anything is touched', async (t) => {
  const { dir, engine, untouched } = await scene(t);
  for (const [name, wrong] of Object.entries(restoreOptions)) {
    const options = (value: unknown) => ({ overwrite: true, [name]: value });
    await refuses(t, name, wrong, (value) => engine.restoreBackup(1, dir('new'), options(value)));
    await refuses(t, name, wrong, (value) => engine.restoreLatestBackup(dir('new'), options(value)));
    await refuses(t, name, wrong, (value) => engine.planRestore(1, dir('new'), options(value)));
  }
  await refuses(t, 'options', notObject, (value) => engine.restoreBackup(1, dir('new'), value as object));
  await refuses(t, 'options', notObject, (value) => engine.restoreLatestBackup(dir('new'), value as object));
  for (const method of ['restoreBackup', 'planRestore'] as const) {
    await refuses(t, 'backupId', [...notId, ...types(undefined)], (value) =>
      engine[method](value as number, dir('new')),
    );
  }
  const paths = [...notPath, ...types('', undefined)];
  await refuses(t, 'dbDir', paths, (value) => engine.restoreBackup(1, value as string));
  await refuses(t, 'dbDir', paths, (value) => engine.restoreLatestBackup(value as string));
  await refuses(t, 'directory', paths, (value) => removeRestoreLeftovers(value as string));
  await refuses(t, 'dryRun', notBoolean, (value) => removeRestoreLeftovers(dir(), { dryRun: value as boolean }));
  untouched();
});

t.test('wrong arguments of what lists, opens and deletes are refused, and delete nothing', async (t) => {
  const { engine, untouched } = await scene(t);
  const optional = notObject.filter(([value]) => value !== undefined);
  const required = [...notId, ...types(undefined)];
  const booleans = [...notBoolean];
  await refuses(
    t,
    'backupId',
    notId.filter(([value]) => typeof value !== 'object' || value === null),
    (value) => engine.getBackupInfo(value as number),
  );
  await refuses(t, 'fileDetails', booleans, (value) => engine.getBackupInfo(1, { fileDetails: value as boolean }));
  await refuses(t, 'fileDetails', booleans, (value) => engine.getBackupInfo({ fileDetails: value as boolean }));
  await refuses(t, 'fileDetails', booleans, (value) => engine.getLatestBackupInfo({ fileDetails: value as boolean }));
  await refuses(t, 'options', optional, (value) => engine.getBackupInfo(1, value as object));
  await refuses(t, 'options', optional, (value) => engine.getLatestBackupInfo(value as object));
  await refuses(t, 'unknownOption', types(1), (value) => engine.getBackupInfo({ unknownOption: value } as object));
  await refuses(t, 'backupId', required, (value) => engine.openBackup(value as number));
  await refuses(t, 'backupId', required, (value) => engine.deleteBackup(value as number));
  await refuses(
    t,
    'backupIds',
    types(undefined, null, 1, '1', true, {}, bare, new Set([1]), { length: 1, 0: 1 }, () => [1], Symbol('ids')),
    (value) => engine.deleteBackups(value as number[]),
  );
  await refuses(t, 'backupId', required, (value) => engine.deleteBackups([1, value as number]));
  await refuses(
    t,
    'numBackupsToKeep',
    required.filter(([value]) => value !== 0 && value !== 0n),
    (value) => engine.purgeOldBackups(value as number),
  );
  for (const call of [
    (options: object) => engine.deleteBackup(1, options),
    (options: object) => engine.deleteBackups([1], options),
    (options: object) => engine.purgeOldBackups(0, options),
    (options: object) => engine.garbageCollect(options),
  ]) {
    await refuses(t, 'force', booleans, (force) => call({ force }));
    await refuses(t, 'unknownOption', types(1), (unknownOption) => call({ unknownOption }));
    await refuses(t, 'options', optional, (options) => call(options as object));
  }
  untouched();
});

t.test('tokens of the wrong type are refused, and unknown ones are ENGINE_CLOSED', async (t) => {
  for (const [token] of types(undefined, null, 1, {}, bare, [], Symbol('t'))) {
    t.throws(() => BackupEngine.attach(token as string), { code: 'INVALID_OPTION', name: 'TypeError' });
  }
  for (const token of ['', 'engine-0', 'x'.repeat(10_000)]) {
    t.throws(() => BackupEngine.attach(token), { code: 'ENGINE_CLOSED', name: 'RocksDBError' });
  }
});

t.test('undefined is the same as not given, for every option', async (t) => {
  const { dir, db } = await scene(t);
  const undefinedOf = (options: Record<string, unknown>) =>
    Object.fromEntries(
      Object.keys(options)
        .filter((name) => !/unknown|_/.test(name))
        .map((name) => [name, undefined]),
    );
  const engine = await openEngine(t, dir('backups'), undefinedOf(engineOptions));
  const { backupId } = await engine.createBackup(db, undefinedOf(createOptions));
  await engine.verifyBackup(backupId, undefinedOf(verifyOptions));
  await engine.restoreBackup(backupId, dir('restored'), undefinedOf(restoreOptions));
  t.equal((await engine.getBackupInfo(undefined)).length, 2);
});

t.test('numbers may be bigints, limits may be 0, and limiters may be shared by both directions', async (t) => {
  const { dir, db } = await scene(t);
  const limiter = new RateLimiter({ bytesPerSecond: 2 ** 40 });
  for (const options of [
    { maxBackgroundOperations: 2n, callbackTriggerIntervalSize: 1n },
    { backupRateLimit: 0, restoreRateLimit: 0n },
    { backupRateLimit: limiter, restoreRateLimit: limiter },
    { backupRateLimit: Number.MAX_SAFE_INTEGER },
  ]) {
    const engine = await openEngine(t, dir('backups'), options as object);
    const { backupId } = await engine.createBackup(db);
    await engine.verifyBackup(BigInt(backupId) as unknown as number);
  }
});
