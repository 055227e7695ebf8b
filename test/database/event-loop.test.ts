// Results that are produced on the JS thread give the event loop its turn after some time. Here the tests control the clock.

import t, { type Test } from 'tap';
import { Pace, pace } from '../../lib/base/pace.js';
import { RocksLevel } from '../../lib/level/index.js';
import { openDb } from '../fixtures/databases.js';
import { tempDir } from '../fixtures/files.js';
import { called, fillStore, numbered, openStore } from '../fixtures/stores.js';

/** The longest time in milliseconds for which the event loop may be blocked. */
const MOST = 2;

/** A clock that advances only when a test says that work was done, and by `eachLook` whenever it is read. */
class MovedClock {
  time: number;

  constructor(t: Test, eachLook = 0) {
    const real = pace.now;
    this.time = real(); // something may have begun with this time
    pace.now = () => {
      this.time += eachLook;
      return this.time;
    };
    t.teardown(() => {
      pace.now = real;
    });
  }

  work(milliseconds: number): void {
    this.time += milliseconds;
  }

  /** The longest time between two turns of the event loop while something runs, and the number of turns. */
  async turnsDuring(run: () => Promise<unknown>): Promise<{ turns: number; longest: number; all: number }> {
    await new Promise((resolve) => setImmediate(resolve));
    const began = this.time;
    let [last, longest, turns] = [began, 0, 0];
    let running = true;
    const turn = () => {
      longest = Math.max(longest, this.time - last);
      last = this.time;
      turns++;
      if (running) setImmediate(turn);
    };
    setImmediate(turn);
    await run();
    running = false;
    return { turns, longest: Math.max(longest, this.time - last), all: this.time - began };
  }
}

const ENTRIES = 2000;
const WORK = 0.3;

t.test('the event loop has its turn after so much time, however many results that is', async (t) => {
  for (const each of [0.0005, 0.01, 0.3, 1, 5]) {
    let time = 100;
    const turned: (() => void)[] = [];
    const own = new Pace((callback) => turned.push(callback));
    own.now = () => time;
    for (let round = 0; round < 3; round++) {
      const began = time;
      while (!own.due()) time += each;
      t.ok(time - began >= 1 || each > 1, `${each}: not at once`);
      t.ok(time - began <= MOST + each, `${each}: ${time - began} ms`);
      t.ok(own.due(), 'who asks next is told so as well');
      const waiting = own.turn();
      t.equal(turned.length, 1);
      turned.shift()?.();
      await waiting;
      t.notOk(own.due(), 'and then it goes on');
      turned.shift()?.();
      await own.turn(); // there is nothing to wait for
      time += 50; // the event loop was busy with other things
    }
  }
});

t.test('results that take longer all at once are not overlooked', async (t) => {
  let time = 0;
  const own = new Pace(() => {});
  own.now = () => time;
  for (let n = 0; n < 500; n++) own.due(); // these take no time at all
  const began = time;
  for (let results = 0; !own.due() && results < 100; results++) time += 0.1;
  t.ok(time - began <= MOST + 16 * 0.1, `${time - began} ms`);
  time += 100;
  t.ok(own.dueAfterWork(), 'long work is looked at by itself');
});

t.test('iterators of a database give way: for await, next, nextMany, seek', async (t) => {
  const db = await openDb(t, tempDir(t)('db'));
  const batch = db.batch();
  for (let n = 0; n < ENTRIES; n++) batch.put(numbered(n), 'v');
  await batch.write();
  const clock = new MovedClock(t);
  const forms: Record<string, () => Promise<void>> = {
    async 'for await'() {
      for await (const _ of db.iterator()) clock.work(WORK);
    },
    async next() {
      const iterator = db.keys();
      while (!(await iterator.next()).done) clock.work(WORK);
    },
    async seek() {
      const iterator = db.values();
      for (let n = 0; n < ENTRIES; n++) {
        iterator.seek(numbered((n * 7919) % ENTRIES));
        await iterator.next();
        clock.work(WORK);
      }
      await iterator.close();
    },
  };
  for (const [name, run] of Object.entries(forms)) {
    const { turns, longest, all } = await clock.turnsDuring(run);
    t.ok(all >= ENTRIES * WORK * 0.99);
    t.ok(longest <= MOST, `${name}: ${longest} ms, ${turns} turns`);
  }
});

t.test('many entries at once give way, whatever asks for them', async (t) => {
  const dir = tempDir(t);
  const db = await openDb(t, dir('db'));
  const level = new RocksLevel(db);
  await level.open();
  const batch = db.batch();
  for (let n = 0; n < 20_000; n++) batch.put(numbered(n), 'v');
  await batch.write();
  const clock = new MovedClock(t, 0.05);
  const forms: Record<string, () => Promise<{ length: number }>> = {
    nextMany: () => db.iterator().nextMany(1e6),
    nextv: () => level.iterator().nextv(1e6),
    all: () => level.iterator().all(),
    'all keys': () => level.keys().all(),
    'all values': () => level.values().all(),
    'with a signal': () => level.iterator({ signal: new AbortController().signal }).all(),
  };
  for (const [name, run] of Object.entries(forms)) {
    let length = 0;
    const { turns, longest } = await clock.turnsDuring(async () => ({ length } = await run()));
    t.equal(length, 20_000);
    t.ok(longest <= MOST, `${name}: ${longest} ms, ${turns} turns`);
    t.ok(turns > 20, `${name}: ${turns} turns`);
  }
  await level.close();
});

t.test('RocksLevel gives way: for await, next, seek, get, getMany, put, batch', async (t) => {
  const level = new RocksLevel(tempDir(t)('db'));
  t.teardown(() => level.close());
  await level.batch(Array.from({ length: ENTRIES }, (_, n) => ({ type: 'put', key: numbered(n), value: 'v' })));
  const clock = new MovedClock(t);
  const repeat = async (run: (n: number) => Promise<unknown>) => {
    for (let n = 0; n < ENTRIES; n++) {
      await run(n);
      clock.work(WORK);
    }
  };
  const forms: Record<string, () => Promise<void>> = {
    async 'for await'() {
      for await (const _ of level.iterator()) clock.work(WORK);
    },
    async 'for await with a signal'() {
      for await (const _ of level.iterator({ signal: new AbortController().signal })) clock.work(WORK);
    },
    async next() {
      const iterator = level.keys();
      while ((await iterator.next()) !== undefined) clock.work(WORK);
      await iterator.close();
    },
    async seek() {
      const iterator = level.values();
      await repeat((n) => {
        iterator.seek(numbered((n * 7919) % ENTRIES));
        return iterator.next();
      });
      await iterator.close();
    },
    get: () => repeat((n) => level.get(numbered(n))),
    has: () => repeat((n) => level.has(numbered(n))),
    getMany: () => repeat((n) => level.getMany([numbered(n), numbered(n + 1)])),
    hasMany: () => repeat((n) => level.hasMany([numbered(n), numbered(n + 1)])),
    put: () => repeat((n) => level.put(numbered(n), 'w')),
    batch: () => repeat((n) => level.batch([{ type: 'put', key: numbered(n), value: 'w' }])),
    'chained batch': () => repeat((n) => level.batch().put(numbered(n), 'w').write()),
  };
  for (const [name, run] of Object.entries(forms)) {
    const { turns, longest, all } = await clock.turnsDuring(run);
    t.ok(all >= ENTRIES * WORK * 0.99);
    t.ok(longest <= MOST, `${name}: ${longest} ms, ${turns} turns`);
  }
});

t.test('a store of leveldown gives way: next, seek, get, getMany, put, batch', async (t) => {
  const store = await openStore(t, tempDir(t)('db'));
  await fillStore(store, ENTRIES);
  const clock = new MovedClock(t);
  /** Makes the next call in the callback of the previous one and never leaves the thread, as code for leveldown does. */
  const repeat = (call: (n: number, done: (error?: Error | null) => void) => void) =>
    called((done) => {
      let n = 0;
      const step = (error?: Error | null): void => {
        clock.work(WORK);
        if (error || n === ENTRIES) done(error);
        else call(n++, step);
      };
      step();
    });
  const forms: Record<string, () => Promise<unknown>> = {
    async next() {
      const iterator = store.iterator();
      await repeat((_, done) => void iterator.next(done));
      await iterator.end();
    },
    async seek() {
      const iterator = store.iterator();
      await repeat((n, done) => {
        iterator.seek(numbered((n * 7919) % ENTRIES));
        iterator.next(done);
      });
      await iterator.end();
    },
    async 'for await'() {
      for await (const _ of store.iterator()) clock.work(WORK);
    },
    get: () => repeat((n, done) => store.get(numbered(n), done)),
    getMany: () => repeat((n, done) => store.getMany([numbered(n)], done)),
    put: () => repeat((n, done) => store.put(numbered(n), 'w', done)),
    batch: () => repeat((n, done) => store.batch([{ type: 'put', key: numbered(n), value: 'w' }], done)),
  };
  for (const [name, run] of Object.entries(forms)) {
    const { turns, longest } = await clock.turnsDuring(run);
    t.ok(longest <= MOST, `${name}: ${longest} ms, ${turns} turns`);
  }
});
