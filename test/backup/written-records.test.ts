// The files beside backups are read completely or not at all, written completely, and on the disk when a call says so.

import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { PREVIOUS_STATE_FILE, STATE_FILE } from '../../lib/backup/state-file.js';
import type { NewRecord } from '../../lib/manager/operation-record.js';
import { isPinned, pin } from '../../lib/manager/pins.js';
import { Recorder } from '../../lib/manager/recorder.js';
import { readState, updateState } from '../../lib/manager/state.js';
import { openStorage } from '../../lib/storage/storage.js';
import { fileCalls } from '../fixtures/file-calls.js';
import { tempDir } from '../fixtures/files.js';

const seven = { backupId: 7, timestamp: new Date('2026-11-20T03:00:00Z') };

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

t.test('half of a state is not taken for a state, nor for a damaged one: no pin is lost', async (t) => {
  const path = directory(t);
  await updateState(openStorage(path), () => undefined);
  await updateState(openStorage(path), (state) => pin(state, seven));
  const calls = fileCalls(t);
  for (const part of [0, 1, 30]) {
    // A disk or a network that returns a part of the file and then reports its end.
    calls.instead = (name, call, [into], handle) => {
      if (name !== STATE_FILE || !call.startsWith('read')) return undefined;
      const bytes = readFileSync(join(path, STATE_FILE)).subarray(0, part);
      if (call === 'readFile') return Promise.resolve(bytes.toString());
      const isFirst = !given.has(handle);
      given.add(handle);
      return Promise.resolve({
        bytesRead: isFirst ? bytes.copy(into as Buffer) : 0,
        buffer: into,
      });
    };
    const given = new Set<unknown>();
    const told = {
      code: 'STATE_UNREADABLE',
      message: new RegExp(`only ${part} of its \\d+ bytes could be read`),
    };
    await t.rejects(readState(openStorage(path)), told);
    await t.rejects(
      updateState(openStorage(path), () => undefined),
      told,
    );
  }
  delete calls.instead;
  t.ok(isPinned(await readState(openStorage(path)), seven));
});

t.test('a state that comes in pieces is read whole', async (t) => {
  const path = directory(t);
  await updateState(openStorage(path), (state) => pin(state, seven, 'ä'.repeat(100)));
  const calls = fileCalls(t);
  calls.instead = (_name, call, [into, offset, , position], handle) =>
    call === 'read' ? handle.read(into as Buffer, offset as number, 1, position as number) : undefined;
  t.equal((await readState(openStorage(path))).pins[0]?.note, 'ä'.repeat(100));
});

t.test('a state is on the disk before it takes the place of the one before, and then its name is', async (t) => {
  const path = directory(t);
  await updateState(openStorage(path), () => undefined);
  const calls = fileCalls(t);
  const write = [
    `write ${STATE_FILE}.tmp`,
    `sync ${STATE_FILE}.tmp`,
    `rename ${PREVIOUS_STATE_FILE}`,
    `rename ${STATE_FILE}`,
    `sync ${basename(path)}`,
  ];
  await updateState(openStorage(path), (state) => {
    state.counters.some = 1;
  });
  t.same(calls.done, write);
  calls.done.length = 0;
  await updateState(openStorage(path), (state) => pin(state, seven));
  t.same(calls.done, [...write, ...write], 'a pin is in the file before, too');
});

t.test('a state that was not written whole does not take the place of the one before', async (t) => {
  const path = directory(t);
  await updateState(openStorage(path), (state) => pin(state, seven));
  const calls = fileCalls(t);
  calls.instead = (_name, call, [text], handle) =>
    call === 'writeFile' ? handle.writeFile((text as string).slice(0, 40)) : undefined;
  await t.rejects(
    updateState(openStorage(path), () => undefined),
    { code: 'STATE_UNWRITABLE', message: /has 40 bytes/ },
  );
  delete calls.instead;
  t.ok(isPinned(await readState(openStorage(path)), seven));
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
    const path = directory(t);
    const problems: string[] = [];
    const recorder = new Recorder(openStorage(path), {
      onProblem: ({ message }) => problems.push(message),
    });
    const calls = fileCalls(t);
    calls.instead = (_name, call) =>
      call === 'writeFile' ? Promise.reject(new Error('ENOSPC: no space left on device, write')) : undefined;
    await recorder.record(record(1));
    await Promise.all([recorder.record(record(2)), recorder.record(record(3))]);
    t.equal(problems.length, 3);
    t.match(problems[0], /the history of .*ENOSPC/);
    const state = await readState(openStorage(path));
    t.same(state.history, []);
    const ids = (of: typeof state) => of.history.map(({ backupId }) => backupId);
    t.same(ids(recorder.withUnwritten(state)), [1, 2, 3]);
    t.same(state.history, [], 'which is not changed by that');
    delete calls.instead;
    await Promise.all([recorder.record(record(4)), recorder.record(record(5))]);
    t.same(ids(await readState(openStorage(path))), [1, 2, 3, 4, 5]);
    t.same(ids(recorder.withUnwritten(await readState(openStorage(path)))), [1, 2, 3, 4, 5]);
    t.equal(problems.length, 3);
  },
);
