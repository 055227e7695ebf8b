// The child of the crash experiment: writes to the live database without pause, and does what it was told until it is killed.

import { openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine, Database } from '../../../lib/index.js';
import { updateState } from '../../../lib/manager/state.js';
import { openStorage } from '../../../lib/storage/storage.js';
import { Random } from '../../fixtures/random.js';
import { COUNT_KEY, fillBatch } from '../../soak/model.js';
import { callOf, countOf, isRestore, type Kind, type Line, type Plan, paths, target, type World } from './plan.js';

// One write call for each line. So everything that was reported before the death is in the pipe.
const tell = (line: Line) => void writeSync(1, `${JSON.stringify(line)}\n`);
const dieNow = () => process.kill(process.pid, 'SIGKILL');

/** Passes orders to kill_at_call.cc. */
class Killer {
  readonly #file: number | undefined;

  constructor() {
    const path = process.env.TORTURE_KILL_CONTROL;
    this.#file = path === undefined ? undefined : openSync(path, 'r+');
  }

  arm(below: string, calls: number, where: 'before' | 'after' | 'torn'): void {
    if (this.#file === undefined) return;
    const order = Buffer.alloc(16 + Buffer.byteLength(below));
    order.writeInt32LE({ before: 0, after: 1, torn: 2 }[where], 8);
    order.writeInt32LE(Buffer.byteLength(below), 12);
    order.write(below, 16);
    writeSync(this.#file, order, 8, order.length - 8, 8);
    const left = Buffer.alloc(8);
    left.writeBigInt64LE(BigInt(calls));
    writeSync(this.#file, left, 0, 8, 0);
  }

  /** @returns how many calls were left */
  disarm(): number {
    if (this.#file === undefined) return 0;
    const left = Buffer.alloc(8);
    readSync(this.#file, left, 0, 8, 0);
    writeSync(this.#file, Buffer.alloc(8), 0, 8, 0);
    return Number(left.readBigInt64LE());
  }
}

class Child {
  readonly #plan: Plan;
  readonly #world: World;
  readonly #random: Random;
  readonly #killer = new Killer();
  readonly #acknowledged: number;
  #db!: Database;
  #engine!: BackupEngine;
  #n = 0;
  #stateCount = 0;
  #writing = true;
  #events = Number.POSITIVE_INFINITY;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#world = plan.world;
    this.#random = new Random(plan.seed);
    this.#acknowledged = openSync(paths(plan.world).acknowledged, 'r+');
  }

  async run(): Promise<void> {
    const { before, kind, moment } = this.#plan;
    const { db, backups } = paths(this.#world);
    this.#db = await Database.open(db, this.#world.database);
    const infoLog = this.#world.callbacks ? { infoLog: () => this.#event() } : {};
    this.#engine = await BackupEngine.open(backups, { ...this.#world.engine, ...infoLog });
    this.#n = await countOf(this.#db, COUNT_KEY);
    const writer = this.#write();
    for (const each of before) await this.#do(each, false);
    if (moment.at !== 'call') {
      if (moment.at === 'event') this.#events = moment.nth;
      for (let i = 0; i < 3; i++) await this.#do(kind, true);
    } else {
      let nth = moment.nth;
      // If the operation needs fewer calls than that, try again with the number that is known now.
      for (let i = 0; i < 4; i++) nth = callOf(this.#random, Math.max(1, await this.#do(kind, true, nth)));
    }
    tell({ event: 'survived' });
    this.#writing = false;
    await writer;
    dieNow();
  }

  #event(): void {
    if (--this.#events <= 0) dieNow();
  }

  async #write(): Promise<void> {
    while (this.#writing) {
      const n = this.#n + 1;
      await fillBatch(this.#db, 5, n).write(this.#world.writes);
      this.#n = n;
      writeSync(this.#acknowledged, String(n).padStart(12, '0'), 0);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  /** Does one thing. @returns how many calls it took */
  async #do(kind: Kind, armed: boolean, nth?: number): Promise<number> {
    const work = await this.#prepare(kind);
    const begin: Line = { event: 'begin', kind, armed, n: this.#n, ...work.about };
    tell(begin);
    if (nth !== undefined && this.#plan.moment.at === 'call') {
      this.#killer.arm(`${this.#world.directory}/${kind === 'write' ? 'live' : 'safe'}/`, nth, this.#plan.moment.where);
    }
    const done = await work.run();
    const calls = nth === undefined ? 0 : nth - this.#killer.disarm();
    tell({ event: 'end', kind, calls, n: this.#n, ...done });
    return calls;
  }

  /** Makes backups first if the operation needs them. The child is not to be killed in this preparation. */
  async #prepare(kind: Kind): Promise<{
    about: { ids?: number[]; id?: number; stateCount?: number };
    run: () => Promise<{ id?: number; stateCount?: number } | undefined>;
  }> {
    const engine = this.#engine;
    const random = this.#random;
    const operation = this.#world.callbacks ? { onProgress: () => this.#event() } : {};
    const ids = (await engine.getBackupInfo()).map(({ backupId }) => backupId);
    if (kind === 'delete' || kind === 'purge' || isRestore(kind)) {
      while (ids.length < 3) ids.push((await this.#create()).id);
    }
    switch (kind) {
      case 'create':
        return {
          about: {},
          run: async () => ({
            id: (
              await engine.createBackup(this.#db, {
                ...operation,
                ...(random.below(3) === 0 && { flushBeforeBackup: true }),
              })
            ).backupId,
          }),
        };
      case 'delete': {
        const id = random.pick(ids);
        return { about: { ids: [id] }, run: async () => void (await engine.deleteBackup(id)) };
      }
      case 'purge': {
        const keep = random.below(ids.length);
        return {
          about: { ids: ids.slice(0, ids.length - keep) },
          run: async () => void (await engine.purgeOldBackups(keep)),
        };
      }
      case 'collect':
        return { about: {}, run: async () => void (await engine.garbageCollect()) };
      case 'state': {
        const location = engine.location;
        if (this.#stateCount === 0) {
          await updateState(openStorage(location), (state) => {
            this.#stateCount = state.counters.torture ?? 0;
          });
        }
        const stateCount = ++this.#stateCount;
        return {
          about: { stateCount },
          run: async () => {
            await updateState(openStorage(location), (state) => {
              state.counters.torture = stateCount;
            });
            return { stateCount };
          },
        };
      }
      case 'write':
        return {
          about: {},
          run: async () => {
            const until = this.#n + 5;
            while (this.#n < until) await new Promise((resolve) => setTimeout(resolve, 1));
            await this.#db.flush();
            return undefined;
          },
        };
      default: {
        const id = random.pick(ids);
        const { dbDir, ...options } = target(this.#world, kind);
        if (kind === 'restore') {
          rmSync(join(dbDir, 'CURRENT'), { force: true }); // after a death in this removal, no database may be left either
          rmSync(dbDir, { recursive: true, force: true });
        }
        return {
          about: { id },
          run: async () => void (await engine.restoreBackup(id, dbDir, { ...operation, ...options })),
        };
      }
    }
  }

  async #create(): Promise<{ id: number }> {
    tell({ event: 'begin', kind: 'create', armed: false, n: this.#n });
    const { backupId: id } = await this.#engine.createBackup(this.#db);
    tell({ event: 'end', kind: 'create', id, n: this.#n });
    return { id };
  }
}

process.once('message', (plan: Plan) => {
  new Child(plan).run().catch((error: Error & { code?: string }) => {
    tell({ event: 'failure', kind: plan.kind, code: String(error.code), message: String(error.stack) });
    dieNow();
  });
});
tell({ event: 'ready' });
