// With --json, an error has the facts that it has in JavaScript.

import { rmSync } from 'node:fs';
import t, { type Test } from 'tap';
import { RocksDBError, type RocksDBErrorDetails } from '../../lib/base/errors.js';
import { definitions, errorAsJson } from '../../lib/cli/json.js';
import { DrillError } from '../../lib/drill/drill.js';
import { BackupEngine, Database } from '../../lib/index.js';
import { fill, SLOW } from '../fixtures/backups.js';
import { cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes } from '../fixtures/cli-scene.js';
import { type Schema, violations } from '../fixtures/json-schema.js';
import { ScriptedServer } from '../stores/servers/scripted.js';

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

interface Failure {
  error: { code: string; exitCode: number } & Record<string, unknown>;
}

async function failure(t: Test, args: string[], env: Record<string, string> = {}): Promise<Failure['error']> {
  const { json, code } = await cliAnswer<Failure>(t, args, { env });
  t.equal(json.error.exitCode, code);
  return json.error;
}

t.test('every fact is printed, and the schema knows it', async (t) => {
  const facts: Required<RocksDBErrorDetails> = {
    subcode: 'NO_SPACE',
    severity: 'hard',
    damagedFiles: ['shared/1.sst'],
    leftFiles: ['shared/2.sst'],
    lockedUntil: 1_800_000_000_000,
    why: 'denied',
    path: '/backups',
    backupId: 7,
    databaseId: 'abc',
    holder: 'process 1 on web1',
    bytesNeeded: 10,
    bytesFree: 0,
    from: '2026-01-31T03:00:00.000000Z',
    to: '2026-01-31T04:00:00.000000Z',
    firstSequence: 1,
    lastSequence: 2,
    status: 403,
    storeCode: 'AccessDenied',
    requestId: 'R1',
    advice: 'storeDenied',
  };
  const fits = (json: unknown) =>
    violations(JSON.parse(JSON.stringify(json)), definitions.error as Schema, definitions as Record<string, Schema>);
  const json = errorAsJson(new RocksDBError('it fails', 'STORE_DENIED', facts));
  t.match(json, { code: 'STORE_DENIED', exitCode: 1, message: /^it fails\. Check the credentials/, ...facts });
  t.same(fits(json), []);
  const drilled = errorAsJson(
    new DrillError('differs', 3, [
      { columnFamily: 'default', change: 'changed', key: Buffer.from('a') },
      { columnFamily: 'default', change: 'added', key: Buffer.from([0xff]) },
    ]),
  );
  t.match(drilled, { backupId: 3, differences: [{ change: 'changed', key: 'a' }, { key: { base64: '/w==' } }] });
  t.same(fits(drilled), []);
  for (const thrown of ['text', undefined, null, new TypeError('no facts'), { path: () => '' }]) {
    t.strictSame(Object.keys(JSON.parse(JSON.stringify(errorAsJson(thrown)))), ['code', 'message', 'exitCode']);
  }
});

t.test('what a command cannot find, lock or read', async (t) => {
  const { dir, db, backups } = scene(t);
  t.match(await failure(t, ['show', backups, '9']), { code: 'BACKUP_NOT_FOUND', path: backups, backupId: 9 });
  t.match(await failure(t, ['list', dir('nowhere')]), { code: 'DIRECTORY_NOT_FOUND', path: dir('nowhere') });

  const database = await Database.open(db);
  await fill(database, 'slow', { count: 200 });
  const engine = await BackupEngine.open(backups, { backupRateLimit: SLOW });
  const stop = new AbortController();
  await new Promise<void>((began) => {
    engine.createBackup(database, { signal: stop.signal, onProgress: () => began() }).catch(() => began());
  });
  const holder = new RegExp(`process ${process.pid}`);
  t.match(await failure(t, ['delete', backups, '1', '--yes']), { code: 'BACKUP_LOCKED', path: backups, holder });
  stop.abort();
  await engine.close();
  t.match(await failure(t, ['create', db, backups]), { code: 'DATABASE_IN_USE', path: db, holder });
  await database.close();

  await (await Database.open(dir('other'))).close();
  const differs = await failure(t, ['create', dir('other'), backups]);
  t.match(differs, { code: 'DATABASE_DIFFERS', path: backups, databaseId: /./, advice: 'shareRepository' });

  rmSync(`${backups}/private/2`, { recursive: true });
  t.match(await failure(t, ['verify', backups, '2']), { code: 'BACKUP_CORRUPT', backupId: 2, why: 'damaged' });
});

t.test('what a store says', async (t) => {
  const server = await ScriptedServer.start(t);
  server.answers({
    status: 403,
    headers: { 'content-type': 'application/xml', 'x-amz-request-id': 'R1' },
    body: '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>No.</Message></Error>',
  });
  const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'key' };
  for (const command of ['list', 'status']) {
    for (const more of command === 'list' ? [[]] : [[], ['--recursive']]) {
      const error = await failure(t, [command, `s3://backups/users?endpoint=${server.url}`, ...more], env);
      t.match(
        error,
        {
          code: 'STORE_DENIED',
          message: /s3:\/\/backups\/users.*Check the credentials in the environment/,
          path: /^s3:\/\/backups\/users/,
          status: 403,
          storeCode: 'AccessDenied',
          requestId: 'R1',
          advice: 'storeDenied',
        },
        [command, ...more].join(' '),
      );
    }
  }
});
