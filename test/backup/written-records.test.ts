// The audit log is written completely, and is on the disk when a call says so.

import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { RocksDBError } from '../../lib/base/errors.js';
import type { NewRecord } from '../../lib/manager/operation-record.js';
import { Recorder } from '../../lib/manager/recorder.js';
import { readState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { fileCalls } from '../fixtures/file-calls.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStorage } from '../fixtures/memory-storage.js';

function directory(t: Test): string {
  const path = tempDir(t)('backups');
  mkdirSync(path);
  return path;
}

const record = (backupId: number): NewRecord => ({
  operation: 'create',
  at: '2026-11-20T03:00:00.000Z',
  ok: true,
  durationMs: 12,
  backupId,
});

/** The entries of a log, by the ids of their backups. A line that is not an entry becomes `?`. */
const loggedIds = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      try {
        return (JSON.parse(line) as { backupId: number }).backupId;
      } catch {
        return '?';
      }
    });

t.test('a record of the audit log is on the disk when that is said', async (t) => {
  const path = directory(t);
  const calls = fileCalls(t);
  await new Recorder(openStorage(path), { auditLog: join(path, 'audit.jsonl') }).record(record(1));
  t.same(
    calls.done.filter((call) => call.endsWith('audit.jsonl')),
    ['write audit.jsonl', 'sync audit.jsonl'],
  );
});

t.test('a record that a full disk takes half of is told, written again, and glued to nothing', async (t) => {
  const path = directory(t);
  const auditLog = join(path, 'audit.jsonl');
  const problems: string[] = [];
  const recorder = new Recorder(openStorage(path), {
    auditLog,
    onProblem: ({ message }) => problems.push(message),
  });
  await recorder.record(record(1));
  const calls = fileCalls(t);
  let room = 30;
  calls.instead = (name, call, [bytes], handle) => {
    if (name !== 'audit.jsonl' || call !== 'write') return undefined;
    if (room === 0) return Promise.reject(new Error('ENOSPC: no space left on device, write'));
    const part = Buffer.from(bytes as Buffer | string).subarray(0, room);
    room -= part.length;
    return handle.write(part);
  };
  await recorder.record(record(2));
  await recorder.record(record(3));
  t.match(problems, [/the audit log of .* could not be written.*ENOSPC/, /the audit log of .*ENOSPC/]);
  delete calls.instead;
  await recorder.record(record(4));
  t.same(loggedIds(auditLog), [1, '?', 2, 3, 4], 'what was half written is a line by itself');
  appendFileSync(auditLog, '{"of a process that was killed":');
  await new Recorder(openStorage(path), { auditLog }).record(record(5));
  t.same(loggedIds(auditLog), [1, '?', 2, 3, 4, '?', 5]);
});

t.test('a record that is written in pieces is there whole', async (t) => {
  const path = directory(t);
  const auditLog = join(path, 'audit.jsonl');
  const calls = fileCalls(t);
  calls.instead = (name, call, [bytes], handle) =>
    name === 'audit.jsonl' && call === 'write'
      ? handle.write(Buffer.from(bytes as Buffer | string).subarray(0, 7))
      : undefined;
  await new Recorder(openStorage(path), { auditLog }).record(record(1));
  t.same(loggedIds(auditLog), [1]);
});

t.test(
  'records that could not be written to the history count all the same, and are written with the next',
  async (t) => {
    const storage = new MemoryStorage();
    const problems: string[] = [];
    const recorder = new Recorder(storage, {
      onProblem: ({ message }) => problems.push(message),
    });
    storage.fail = (access) => {
      if (access === 'replace') throw new RocksDBError('no space left on device.', 'STATE_UNWRITABLE');
    };
    await recorder.record(record(1));
    await Promise.all([recorder.record(record(2)), recorder.record(record(3))]);
    t.equal(problems.length, 3);
    t.match(problems[0], /the history of .*no space left/);
    const state = await readState(storage);
    t.same(state.history, []);
    const ids = (of: typeof state) => of.history.map(({ backupId }) => backupId);
    t.same(ids(recorder.withUnwritten(state)), [1, 2, 3]);
    t.same(state.history, [], 'which is not changed by that');
    storage.fail = undefined;
    await Promise.all([recorder.record(record(4)), recorder.record(record(5))]);
    t.same(ids(await readState(storage)), [1, 2, 3, 4, 5]);
    t.same(ids(recorder.withUnwritten(await readState(storage))), [1, 2, 3, 4, 5]);
    t.equal(problems.length, 3);
  },
);
