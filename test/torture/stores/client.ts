// The client of the stores experiment that is killed: does one thing after another with a repository in a bucket.

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine, BackupManager, copyBackups, Database } from '../../../lib/index.js';
import { readState, updateState } from '../../../lib/manager/state.js';
import { Random } from '../../fixtures/random.js';
import { type Content, contentOf, writeStep } from './content.js';
import { type About, databaseOf, type Kind, type Line, type Plan } from './plan.js';

// One write call for each line. So what was reported before the death is in the pipe.
const tell = (line: Line) => void writeSync(1, `${JSON.stringify(line)}\n`);

/** How many backups there must be before one is deleted. */
const FEW = 3;

interface Work {
  about: Omit<About, 'content'>;
  /** @returns the id of the backup that was made */
  run: () => Promise<number | undefined>;
}

class Client {
  readonly #plan: Plan;
  readonly #random: Random;
  readonly #engine: BackupEngine;
  readonly #db: Database;
  readonly #manager: BackupManager;
  #content: Content;
  #count: number;
  #restores = 0;

  static async open(plan: Plan): Promise<Client> {
    const db = await Database.open(databaseOf(plan.world));
    const engine = await BackupEngine.open(plan.url, plan.world.engine);
    const { counters } = await readState(engine.storage);
    return new Client(plan, engine, db, await contentOf(db), counters.torture ?? 0);
  }

  private constructor(plan: Plan, engine: BackupEngine, db: Database, content: Content, count: number) {
    this.#plan = plan;
    this.#random = new Random(plan.seed);
    this.#engine = engine;
    this.#db = db;
    this.#manager = new BackupManager({ db, location: plan.url });
    this.#content = content;
    this.#count = count;
  }

  async run(): Promise<never> {
    for (const kind of this.#plan.before) await this.#do(kind, false);
    for (;;) await this.#do(this.#plan.kind, true);
  }

  async #do(kind: Kind, armed: boolean): Promise<number | undefined> {
    try {
      const { about, run } = await this.#prepare(kind);
      tell({ event: 'begin', kind, armed, content: this.#content, ...about });
      const begun = performance.now();
      const id = await run();
      tell({ event: 'end', kind, ms: performance.now() - begun, ...(id !== undefined && { id }) });
      return id;
    } catch (error) {
      const { code, stack } = error as { code?: string; stack: string };
      tell({ event: 'failure', kind, code: String(code), message: stack });
      throw error;
    }
  }

  async #ids(atLeast: number): Promise<number[]> {
    const ids = (await this.#engine.getBackupInfo()).map(({ backupId }) => backupId);
    while (ids.length < atLeast) ids.push((await this.#do('create', false)) as number);
    return ids;
  }

  async #prepare(kind: Kind): Promise<Work> {
    const engine = this.#engine;
    const random = this.#random;
    switch (kind) {
      case 'create':
      case 'create large':
      case 'manager': {
        const large = kind === 'create large';
        this.#content = await writeStep(this.#db, this.#plan.world.seed, this.#content, large);
        const flush = large || random.below(3) === 0;
        const options = { ...(flush && { flushBeforeBackup: true }), full: random.below(8) === 0 };
        const create = () => (kind === 'manager' ? this.#manager.backupNow() : engine.createBackup(this.#db, options));
        return { about: {}, run: async () => (await create()).backupId };
      }
      case 'delete': {
        const id = random.pick(await this.#ids(FEW));
        return { about: { ids: [id] }, run: async () => void (await engine.deleteBackup(id)) };
      }
      case 'purge': {
        const ids = await this.#ids(FEW);
        const keep = 1 + random.below(ids.length - 1);
        return {
          about: { ids: ids.slice(0, ids.length - keep) },
          run: async () => void (await engine.purgeOldBackups(keep)),
        };
      }
      case 'collect':
        return { about: {}, run: async () => void (await engine.garbageCollect()) };
      case 'verify': {
        const id = random.pick(await this.#ids(1));
        return { about: { id }, run: async () => void (await engine.verifyBackup(id, { checksum: true })) };
      }
      case 'restore': {
        const id = random.pick(await this.#ids(1));
        const target = join(this.#plan.world.directory, 'restored', `${process.pid}-${++this.#restores}`);
        return { about: { id, target }, run: async () => void (await engine.restoreBackup(id, target)) };
      }
      case 'copy': {
        const ids = await this.#ids(1);
        return {
          about: { ids },
          run: async () => {
            const { backups } = await copyBackups(this.#plan.url, this.#plan.copyUrl, { backupIds: ids });
            const failed = backups.find(({ error }) => error !== undefined);
            if (failed !== undefined) throw failed.error;
            return undefined;
          },
        };
      }
      case 'state': {
        const count = ++this.#count;
        const change = () =>
          updateState(engine.storage, (state) => {
            state.counters.torture = count;
          });
        return { about: { count }, run: async () => void (await change()) };
      }
      case 'pin': {
        const id = random.pick(await this.#ids(1));
        const pinned = random.below(2) === 0;
        const change = () => (pinned ? this.#manager.pin(id, 'of the experiment') : this.#manager.unpin(id));
        return { about: { id, pinned }, run: async () => void (await change()) };
      }
    }
  }
}

async function main(): Promise<void> {
  // Loads what a store needs, before the life begins that is killed.
  await (await BackupEngine.open(process.argv[2] as string, { readOnly: true })).close();
  tell({ event: 'ready' });
}

process.once('disconnect', () => process.exit(1)); // the parent has ended
process.once('message', (plan: Plan) => {
  Client.open(plan)
    .then((client) => client.run())
    .catch((error: Error) => {
      console.error(error);
      process.exit(1);
    });
});
main().catch((error: Error) => {
  console.error(error);
  process.exit(1);
});
