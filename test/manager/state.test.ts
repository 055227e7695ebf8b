// The state beside backups: it is never half written, never overwritten by somebody else, and never lost without a message.

import { execFile, execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { PREVIOUS_STATE_FILE, STATE_FILE } from '../../lib/backup/state-file.js';
import { RocksDBError } from '../../lib/base/errors.js';
import { HISTORY_LENGTH } from '../../lib/manager/history.js';
import type { NewRecord } from '../../lib/manager/operation-record.js';
import { acknowledgeLostPins, isPinned, pin, unpin } from '../../lib/manager/pins.js';
import { Recorder } from '../../lib/manager/recorder.js';
import { readState, updateState } from '../../lib/manager/state.js';
import { native } from '../../lib/native/binding.js';
import { ANY_VERSION, openStorage, type Storage } from '../../lib/storage/storage.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStorage } from '../fixtures/memory-storage.js';

const seven = { backupId: 7, timestamp: new Date('2026-11-20T03:00:00Z') };

function directory(t: Test): string {
  const path = tempDir(t)('backups');
  mkdirSync(path);
  return path;
}

function record(more: Partial<NewRecord> = {}): NewRecord {
  return { operation: 'create', at: '2026-11-20T03:00:00.000Z', ok: true, durationMs: 12, ...more };
}

/** What must be so on every storage, tried on two. */
const storages: [string, (t: Test) => Storage][] = [
  ['on a disk', (t) => openStorage(directory(t))],
  ['in memory', () => new MemoryStorage()],
];

for (const [name, make] of storages) {
  t.test(`${name}: a pin is of one backup, and not of a later one that was given the same id`, async (t) => {
    const storage = make(t);
    await updateState(storage, (state) => pin(state, seven, 'before the upgrade'));
    const state = await readState(storage);
    t.ok(isPinned(state, seven));
    t.ok(isPinned(state, { ...seven, timestamp: seven.timestamp.toISOString() }), 'a timestamp is a Date or its text');
    t.notOk(isPinned(state, { ...seven, timestamp: new Date('2026-11-21T03:00:00Z') }));
    t.equal(state.pins[0]?.note, 'before the upgrade');
    await updateState(storage, (state) => pin(state, seven, 'another note'));
    t.same(
      (await readState(storage)).pins.map(({ note }) => note),
      ['another note'],
      'pinning again changes the note',
    );
    await updateState(storage, (state) => t.ok(unpin(state, seven)));
    await updateState(storage, (state) => t.notOk(unpin(state, seven)));
    t.notOk(isPinned(await readState(storage), seven));
  });

  t.test(`${name}: a change that throws changes nothing and leaves no lock`, async (t) => {
    const storage = make(t);
    await updateState(storage, (state) => pin(state, seven));
    const fail = () => {
      throw new Error('on purpose');
    };
    await t.rejects(updateState(storage, fail), { message: 'on purpose' });
    await updateState(storage, (state) => t.ok(isPinned(state, seven)));
  });

  t.test(`${name}: a damaged state is set aside, and the one before it is used`, async (t) => {
    const storage = make(t);
    await updateState(storage, (state) => pin(state, seven));
    await updateState(storage, (state) => {
      state.counters.n = 1;
    });
    for (const damage of [
      '',
      '{"version":1,"pins":[{"ba',
      '[]',
      '{"version":1,"pins":[{"backupId":"7"}]}',
      '\0\0\0\0',
    ]) {
      await storage.replaceSmall(STATE_FILE, ANY_VERSION, damage);
      const state = await readState(storage);
      t.ok(isPinned(state, seven), `the pin outlives ${JSON.stringify(damage)}`);
      t.equal(state.pinsLost, undefined);
      await updateState(storage, () => undefined);
      t.ok(isPinned(await readState(storage), seven));
      t.equal((await storage.readSmall('rocksdb-backup.state.damaged.json'))?.bytes.toString(), damage);
    }
  });

  t.test(`${name}: any bit that flips in a state is seen, and no pin is lost by it`, async (t) => {
    const storage = make(t);
    await updateState(storage, (state) => pin(state, { ...seven, backupId: 3 }, 'first'));
    await updateState(storage, (state) => pin(state, seven, 'kept'));
    const whole = (await storage.readSmall(STATE_FILE))!.bytes;
    const pins = (await readState(storage)).pins;
    t.equal(pins.length, 2);
    let seen = 0;
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Buffer.from(whole);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      await storage.replaceSmall(STATE_FILE, ANY_VERSION, flipped);
      const state = await readState(storage);
      if (JSON.stringify(state.pins) !== JSON.stringify(pins) || state.pinsLost !== undefined) {
        t.fail(`bit ${bit} changed the pins to ${JSON.stringify(state.pins)}`);
        break;
      }
      seen++;
    }
    t.equal(seen, whole.length * 8);
  });

  t.test(
    `${name}: pins that were lost are lost with a word about it, until somebody says that they are right again`,
    async (t) => {
      const storage = make(t);
      await storage.replaceSmall(STATE_FILE, ANY_VERSION, 'nothing of sense');
      t.match((await readState(storage)).pinsLost, STATE_FILE);
      await updateState(storage, (state) => pin(state, seven));
      t.match((await readState(storage)).pinsLost, STATE_FILE, 'a change does not hide it');
      await updateState(storage, acknowledgeLostPins);
      t.equal((await readState(storage)).pinsLost, undefined);
      t.ok(isPinned(await readState(storage), seven));
    },
  );

  t.test(
    `${name}: what somebody made of records and notes has the right form when it is read, or is left out`,
    async (t) => {
      const storage = make(t);
      const record = {
        operation: 'verify',
        at: seven.timestamp.toISOString(),
        ok: true,
        durationMs: 1,
        pid: 1,
        host: 'h',
      };
      const wrong = [
        { error: null },
        { error: { message: 5 } },
        { durationMs: '1' },
        { operation: '\x1b[2J' },
        { detail: 'x' },
        { bytes: 'many' },
      ];
      const pins = [{ backupId: 7, timestamp: seven.timestamp, note: { a: 1 }, at: seven.timestamp }];
      const history = [record, ...wrong.map((part) => ({ ...record, ...part }))];
      await storage.replaceSmall(
        STATE_FILE,
        ANY_VERSION,
        JSON.stringify({ version: 1, pins, history, last: { verify: history[1] } }),
      );
      const state = await readState(storage);
      t.same([state.history, state.last], [[record], {}]);
      t.ok(isPinned(state, seven), 'a note that is no text takes no pin away');
      t.equal(state.pins[0]?.note, undefined);
    },
  );

  t.test(`${name}: a state of a newer version is neither read nor overwritten`, async (t) => {
    const storage = make(t);
    const newer = '{"version":2,"pins":"elsewhere"}';
    await storage.replaceSmall(STATE_FILE, ANY_VERSION, newer);
    await t.rejects(readState(storage), { code: 'STATE_NEWER', message: STATE_FILE });
    await t.rejects(
      updateState(storage, () => undefined),
      { code: 'STATE_NEWER' },
    );
    t.equal((await storage.readSmall(STATE_FILE))?.bytes.toString(), newer);
  });

  t.test(`${name}: what is not as it should be in a state that can be read is left out`, async (t) => {
    const storage = make(t);
    const good = { ...record(), pid: 1, host: 'h' };
    await storage.replaceSmall(
      STATE_FILE,
      ANY_VERSION,
      JSON.stringify({
        version: 1,
        pins: [],
        counters: { good: 1, bad: 'x', worse: null },
        history: [good, 7, { operation: 'create' }],
        last: { create: good, verify: 'yes' },
        manager: [],
      }),
    );
    t.same(await readState(storage), {
      version: 1,
      pins: [],
      counters: { good: 1 },
      history: [good],
      last: { create: good },
      manager: {},
    });
  });

  t.test(`${name}: the history is bounded, and remembers the last of each`, async (t) => {
    const storage = make(t);
    const recorder = new Recorder(storage);
    await recorder.record(record({ operation: 'drill' }));
    await updateState(storage, (state) => {
      state.history = Array.from({ length: HISTORY_LENGTH }, () => ({ ...record(), pid: 1, host: 'h' }));
    });
    await recorder.record(record({ backupId: 9, ok: false, error: { code: 'NO_SPACE', message: 'full' } }));
    const { history, last } = await readState(storage);
    t.equal(history.length, HISTORY_LENGTH);
    t.match(history.at(-1), { backupId: 9, ok: false, pid: process.pid });
    t.match(last, { drill: { operation: 'drill' }, createFailed: { backupId: 9, error: { code: 'NO_SPACE' } } });
    t.equal(last.create, undefined);
  });

  t.test(`${name}: changes made at once by many are all there`, async (t) => {
    const storage = make(t);
    const count = (state: { counters: Record<string, number> }) => {
      state.counters.n = (state.counters.n ?? 0) + 1;
    };
    await Promise.all(Array.from({ length: 20 }, () => updateState(storage, count)));
    t.equal((await readState(storage)).counters.n, 20);
  });
}

t.test('a state that cannot be read, written or locked is told, and is as it was', async (t) => {
  const storage = new MemoryStorage();
  await updateState(storage, (state) => pin(state, seven));
  for (const [access, code] of [
    ['read', 'STATE_UNREADABLE'],
    ['replace', 'STATE_UNWRITABLE'],
    ['lock', 'ROCKSDB_IO_ERROR'],
  ] as const) {
    storage.fail = (which) => {
      if (which === access) throw new RocksDBError('the network is down.', code);
    };
    const changed = updateState(storage, (state) => void unpin(state, seven));
    await t.rejects(changed, { code, message: 'the network is down.' }, access);
    storage.fail = undefined;
    t.ok(isPinned(await readState(storage), seven));
  }
});

t.test('a lost answer is an error, and the change is there or not, but no pin is lost', async (t) => {
  const storage = new MemoryStorage();
  await updateState(storage, (state) => pin(state, seven));
  let answers = 0;
  storage.answer = () => {
    if (++answers === 2) throw new RocksDBError('no answer came.', 'STATE_NOT_DURABLE'); // that of the state itself
  };
  const changed = updateState(storage, (state) => {
    state.counters.n = 1;
  });
  await t.rejects(changed, { code: 'STATE_NOT_DURABLE', message: 'no answer came.' });
  storage.answer = undefined;
  const state = await readState(storage);
  t.ok(isPinned(state, seven));
  t.equal(state.counters.n, 1);
});

t.test('where no name can be made to last, the state is changed all the same', async (t) => {
  const storage = new MemoryStorage();
  await updateState(storage, (state) => pin(state, seven));
  storage.answer = () => {
    throw new RocksDBError('the directory cannot be synced.', 'STATE_NOT_DURABLE');
  };
  const changed = updateState(storage, (state) => {
    state.counters.n = 1;
  });
  await t.rejects(changed, { code: 'STATE_NOT_DURABLE', message: 'the directory cannot be synced.' });
  storage.answer = undefined;
  t.equal((await readState(storage)).counters.n, 1);
});

t.test('a state that was changed without its copy is not called unchanged', async (t) => {
  const storage = new MemoryStorage();
  await updateState(storage, (state) => pin(state, seven));
  let writes = 0;
  storage.fail = (which) => {
    if (which === 'replace' && ++writes === 3) throw new RocksDBError('the disk is full.', 'STATE_UNWRITABLE');
  };
  const changed = updateState(storage, (state) => void unpin(state, seven));
  await t.rejects(changed, { code: 'STATE_NOT_DURABLE', message: /was changed, but its copy .* the disk is full/ });
  storage.fail = undefined;
  t.notOk(isPinned(await readState(storage), seven));
});

t.test('a lock that is lost between the writes of a state ends them', async (t) => {
  const storage = new MemoryStorage();
  await updateState(storage, (state) => pin(state, seven));
  storage.answer = () => storage.loseLock();
  const changed = updateState(storage, (state) => void unpin(state, seven));
  await t.rejects(changed, { code: 'LOCK_LOST' });
  storage.answer = undefined;
  t.ok(isPinned(await readState(storage), seven));
});

t.test('a state is not written after its lock was lost', async (t) => {
  const storage = new MemoryStorage();
  await updateState(storage, (state) => pin(state, seven));
  const changed = updateState(storage, (state) => {
    storage.loseLock();
    unpin(state, seven);
  });
  await t.rejects(changed, { code: 'LOCK_LOST' });
  t.ok(isPinned(await readState(storage), seven));
});

t.test('a state that another changed in the meantime is not overwritten, lock or not', async (t) => {
  const storage = new MemoryStorage();
  await updateState(storage, (state) => pin(state, seven));
  const other = (await storage.readSmall(STATE_FILE))!.bytes;
  const changed = updateState(storage, (state) => {
    storage.put(STATE_FILE, other);
    unpin(state, seven);
  });
  await t.rejects(changed, { code: 'STATE_CHANGED' });
  t.ok(isPinned(await readState(storage), seven));
});

t.test('a directory without a state has an empty one, and reading it makes no file', async (t) => {
  const path = directory(t);
  t.same(await readState(openStorage(path)), {
    version: 1,
    pins: [],
    counters: {},
    history: [],
    last: {},
    manager: {},
  });
  t.same(await readState(openStorage(join(path, 'missing'))), await readState(openStorage(path)));
  t.same(readdirSync(path), []);
});

t.test('changes made at once by many, in this process and others, are all there', async (t) => {
  const path = directory(t);
  const count = (state: { counters: Record<string, number> }) => {
    state.counters.n = (state.counters.n ?? 0) + 1;
  };
  const child = `
    const { updateState } = require(${JSON.stringify(join(__dirname, '..', '..', 'lib', 'manager', 'state.js'))});
    const { openStorage } = require(${JSON.stringify(join(__dirname, '..', '..', 'lib', 'storage', 'storage.js'))});
    (async () => {
      for (let i = 0; i < 20; i++) {
        await updateState(openStorage(${JSON.stringify(path)}), (state) => { state.counters.n = (state.counters.n ?? 0) + 1; });
      }
    })();`;
  await Promise.all([
    ...[1, 2, 3].map(() => promisify(execFile)(process.execPath, ['-e', child])),
    ...Array.from({ length: 20 }, () => updateState(openStorage(path), count)),
  ]);
  t.equal((await readState(openStorage(path))).counters.n, 80);
});

t.test('between the two renames of a change, readers find the state', async (t) => {
  const path = directory(t);
  await updateState(openStorage(path), (state) => pin(state, seven));
  await updateState(openStorage(path), () => undefined);
  rmSync(join(path, STATE_FILE));
  t.ok(existsSync(join(path, PREVIOUS_STATE_FILE)));
  t.ok(isPinned(await readState(openStorage(path)), seven));
});

t.test('what is no file, or has no end, is not read', { skip: process.platform === 'win32' }, async (t) => {
  const path = directory(t);
  const file = join(path, STATE_FILE);
  const lay: [() => void, string | undefined][] = [
    [() => execFileSync('mkfifo', [file]), 'moveAwayNoState'],
    [() => symlinkSync('/dev/zero', file), 'moveAwayNoState'],
    [() => symlinkSync(join(path, 'away'), file), 'mendLink'],
    [() => mkdirSync(file), 'moveAwayNoState'],
    [
      () => {
        writeFileSync(file, '');
        truncateSync(file, 2 ** 32);
      },
      undefined,
    ],
  ];
  for (const [one, toDo] of lay) {
    one();
    for (const use of [
      () => readState(openStorage(path)),
      () => updateState(openStorage(path), (state) => pin(state, seven)),
    ]) {
      await t.rejects(use(), { code: 'STATE_UNREADABLE', message: file, advice: toDo });
    }
    rmSync(file, { recursive: true });
  }
});

t.test(
  'nothing is written through what lies where the new state is to be',
  { skip: process.platform === 'win32' },
  async (t) => {
    const path = directory(t);
    const other = join(path, '..', 'other');
    writeFileSync(other, 'of others');
    for (const lay of [
      (to: string) => symlinkSync(other, to),
      (to: string) => execFileSync('mkfifo', [to]),
      (to: string) => writeFileSync(to, 'x'.repeat(10_000)), // left by a process that was killed
    ]) {
      lay(join(path, `${STATE_FILE}.tmp`));
      await updateState(openStorage(path), (state) => pin(state, seven));
      t.ok(isPinned(await readState(openStorage(path)), seven));
      t.equal(readFileSync(other, 'utf8'), 'of others');
    }
  },
);

t.test('a state whose way out is to move something away is read from its copy then', async (t) => {
  const path = directory(t);
  const file = join(path, STATE_FILE);
  await updateState(openStorage(path), (state) => pin(state, seven));
  rmSync(file);
  mkdirSync(file);
  await t.rejects(readState(openStorage(path)), {
    message: /it is a directory\. It holds .*\. Move it away\. The pins are then read from the copy in /,
  });
  rmSync(file, { recursive: true });
  t.ok(isPinned(await readState(openStorage(path)), seven));
});

t.test('a state that is a link is not replaced', { skip: process.platform === 'win32' }, async (t) => {
  const path = directory(t);
  const [file, real] = [join(path, STATE_FILE), join(path, 'real.json')];
  await updateState(openStorage(path), (state) => pin(state, seven));
  renameSync(file, real);
  symlinkSync(real, file);
  t.ok(isPinned(await readState(openStorage(path)), seven), 'it is read');
  const before = readFileSync(real, 'utf8');
  await t.rejects(
    updateState(openStorage(path), (state) => void unpin(state, seven)),
    {
      code: 'STATE_UNWRITABLE',
      path: file,
      message: /it is a link\. .*was not changed\. Put the file that it leads to /,
    },
  );
  t.ok(lstatSync(file).isSymbolicLink());
  t.equal(readFileSync(real, 'utf8'), before);
});

t.test('a relative audit log stays where it was when the process changes its directory', async (t) => {
  const path = directory(t);
  const cwd = process.cwd();
  t.teardown(() => process.chdir(cwd));
  process.chdir(path);
  const recorder = new Recorder(openStorage(path), { auditLog: 'audit.jsonl' });
  process.chdir(tmpdir());
  await recorder.record(record({ backupId: 1 }));
  t.ok(existsSync(join(path, 'audit.jsonl')));
});

t.test('the audit log has a line for each record, from however many at once', async (t) => {
  const path = directory(t);
  const auditLog = join(path, 'audit.jsonl');
  const recorder = new Recorder(openStorage(path), { auditLog });
  await Promise.all(Array.from({ length: 20 }, (_, i) => recorder.record(record({ backupId: i + 1 }))));
  const lines = readFileSync(auditLog, 'utf8').trimEnd().split('\n');
  const ids = lines.map((line) => (JSON.parse(line) as { backupId: number }).backupId);
  t.same(
    ids.sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  t.equal((await readState(openStorage(path))).history.length, 20);
});

t.test('a record that cannot be written fails nothing, and is told', async (t) => {
  const path = directory(t);
  const problems: string[] = [];
  const recorder = new Recorder(openStorage(join(path, 'missing')), {
    auditLog: join(path, 'also', 'missing.jsonl'),
    onProblem: ({ message }) => problems.push(message),
  });
  t.match(await recorder.record(record()), { operation: 'create', pid: process.pid });
  t.match(problems.sort(), [/the audit log of .*missing\.jsonl/, /the history of .*rocksdb-backup\.lock/]);
});

t.test('the lock is held by one, and freed when its holder is forgotten', async (t) => {
  const path = directory(t);
  const first = native.tryLockDirectory(path);
  t.ok(first);
  t.equal(native.tryLockDirectory(path), undefined);
  first?.release();
  first?.release();
  const second = native.tryLockDirectory(path);
  t.ok(second, 'releasing twice is releasing once');
  second?.release();
});
