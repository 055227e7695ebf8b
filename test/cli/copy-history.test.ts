// copy is recorded in the history of the repository that gets the backups, and in the audit log.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { OperationRecord } from '../../lib/manager/operation-record.js';
import { readState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { type CliScene, cliScenes } from '../fixtures/cli-scene.js';

let scene: (t: Test) => CliScene;
t.before(async () => {
  scene = await cliScenes(t);
});

const historyOf = async (place: string) => (await readState(openStorage(place))).history;

t.test('what was copied, from where, and how much', async (t) => {
  const { dir, backups } = scene(t);
  const to = dir('copied');
  const log = dir('audit.jsonl');
  await cli(t, ['pin', backups, '2']);
  const before = await historyOf(backups);
  await cli(t, ['copy', backups, to, '--dry-run']);
  const first = await cliAnswer<{ bytes: number }>(t, ['copy', backups, to, '--id', '1,2', '--audit-log', log]);
  await cli(t, ['copy', backups, to]);
  await cli(t, ['copy', backups, to]);
  const history = await historyOf(to);
  t.match(history, [
    {
      operation: 'copy',
      ok: true,
      trigger: 'cli',
      bytes: first.json.bytes,
      detail: { from: backups, copied: [1, 2], failed: [], pinned: [2] },
    },
    { operation: 'copy', ok: true, detail: { copied: [3], pinned: [] } },
    { operation: 'copy', ok: true, bytes: 0, detail: { copied: [] } },
  ]);
  t.equal(history.length, 3, 'the dry run is none');
  const logged = JSON.parse(readFileSync(log, 'utf8')) as OperationRecord;
  t.same(logged, history[0], 'and so in the audit log');
  t.same(await historyOf(backups), before, 'the repository that was read has no entry');
  t.match((await cliAnswer(t, ['stats', to])).json, { operations: [{ operation: 'copy', ok: 3, failed: 0 }] });
});

t.test('a copy that fails, and one that a damaged backup is left out of', async (t) => {
  const { dir, backups } = scene(t);
  await cli(t, ['copy', backups, dir('copied'), '--id', '9']);
  t.match(await historyOf(dir('copied')), [{ operation: 'copy', ok: false, error: { code: 'BACKUP_NOT_FOUND' } }]);
  const table = join(backups, 'shared_checksum', readdirSync(join(backups, 'shared_checksum')).sort().at(-1)!);
  const bytes = readFileSync(table);
  bytes[10]! ^= 1;
  writeFileSync(table, bytes);
  const { code } = await cli(t, ['copy', backups, dir('damaged')]);
  t.equal(code, 5);
  t.match(await historyOf(dir('damaged')), [
    { operation: 'copy', ok: false, error: { code: 'BACKUP_CORRUPT' }, detail: { copied: [1, 2], failed: [3] } },
  ]);
});
