// Does one thing after another with a repository in a bucket, over a line or a server that fails, and knows what must be there afterwards.

import { mkdirSync, rmSync } from 'node:fs';
import { BackupEngine, Database, type LongOperation } from '../../../lib/index.js';
import type { Torture } from '../experiment.js';
import { RoundChecks } from '../round-checks.js';
import { type Content, contentOf, writeStep } from './content.js';
import { compareDatabase, restoreAndCompare, unneeded } from './repository.js';
import type { Servers } from './servers.js';

export const OPERATIONS = ['create', 'verify', 'restore', 'delete'] as const;
export type Operation = (typeof OPERATIONS)[number];

/** The errors with which an operation may end when its store fails. */
const DOCUMENTED = ['STORE_UNREACHABLE', 'LOCK_LOST'];

const KEPT = 3;

export class Ledger {
  readonly #torture: Torture;
  readonly #checks: RoundChecks;
  readonly #servers: Servers;
  readonly #name: string;
  readonly #db: Database;
  /** Over a good line. */
  readonly #engine: BackupEngine;
  readonly #backups = new Map<number, Content>();
  #content: Content;
  /** What a create held whose outcome nobody knows, and a backup that may be deleted. */
  #coming: Content | undefined;
  #going: number | undefined;
  restored = 0;
  readonly outcomes = new Map<string, number>();

  /** Makes a repository with this name, and some backups. */
  static async make(torture: Torture, servers: Servers, name: string): Promise<Ledger> {
    mkdirSync(torture.path(name));
    const db = await Database.open(torture.path(name, 'db'));
    const ledger = new Ledger(torture, servers, name, db, await BackupEngine.open(servers.url(name)));
    ledger.#content = await contentOf(db);
    for (let n = 0; n < KEPT; n++) await ledger.#create(ledger.#engine, {});
    return ledger;
  }

  private constructor(torture: Torture, servers: Servers, name: string, db: Database, engine: BackupEngine) {
    this.#torture = torture;
    this.#checks = new RoundChecks(torture, name);
    this.#servers = servers;
    this.#name = name;
    this.#db = db;
    this.#engine = engine;
    this.#content = { steps: 0, large: 0 };
  }

  async close(): Promise<void> {
    await this.#engine.close();
    await this.#db.close();
  }

  #pick(): number {
    return this.#torture.random.pick([...this.#backups.keys()]);
  }

  async #create(engine: BackupEngine, options: LongOperation): Promise<void> {
    this.#content = await writeStep(this.#db, this.#torture.seed, this.#content, true);
    this.#coming = this.#content;
    const { backupId } = await engine.createBackup(this.#db, { ...options, flushBeforeBackup: true });
    this.#coming = undefined;
    this.#backups.set(backupId, this.#content);
  }

  async #restore(engine: BackupEngine, options: LongOperation): Promise<void> {
    const id = this.#pick();
    const target = this.#torture.path(this.#name, 'restored');
    try {
      await engine.restoreBackup(id, target, options);
      await this.#checks.try(`what was restored of backup ${id} is what it held`, () =>
        compareDatabase(target, this.#torture.seed, this.#backups.get(id) as Content),
      );
      this.restored++;
    } finally {
      rmSync(target, { recursive: true, force: true });
    }
  }

  async #delete(engine: BackupEngine): Promise<void> {
    const id = this.#pick();
    this.#going = id;
    await engine.deleteBackup(id);
    this.#going = undefined;
    this.#backups.delete(id);
  }

  /** Does one thing, over a line that is bad. It succeeds, or ends with an error of the store. @returns the code of the error */
  async do(round: string, operation: Operation, engine: BackupEngine, options: LongOperation = {}): Promise<string> {
    this.#checks.round = round;
    const doing = {
      create: () => this.#create(engine, options),
      verify: () => engine.verifyBackup(this.#pick(), { checksum: true, ...options }),
      restore: () => this.#restore(engine, options),
      delete: () => this.#delete(engine),
    }[operation]();
    const outcome = await doing.then(
      () => 'done',
      (error: unknown) => {
        if (options.signal?.aborted && error === options.signal.reason) return 'aborted';
        const code = String((error as { code?: string }).code);
        this.#checks.check(
          DOCUMENTED.includes(code),
          `a ${operation} succeeds, or ends with an error of the store`,
          error,
        );
        return code;
      },
    );
    const counted = `${operation} ${outcome}`;
    this.outcomes.set(counted, (this.outcomes.get(counted) ?? 0) + 1);
    return outcome;
  }

  /** Looks over a good line whether everything is there and whole, and whether the next operations work. */
  async inspect(): Promise<void> {
    const engine = this.#engine;
    const corrupt = await this.#checks.try('corrupt backups are listed', () => engine.getCorruptedBackups());
    this.#checks.check(corrupt?.length === 0, 'no backup is corrupt', corrupt);
    const ids = (await this.#checks.try('backups are listed', () => engine.getBackupInfo()))?.map(
      ({ backupId }) => backupId,
    );
    if (ids === undefined) return;
    for (const id of [...this.#backups.keys()].filter((id) => !ids.includes(id))) {
      this.#checks.check(id === this.#going, `backup ${id} is there`, ids);
      this.#backups.delete(id);
    }
    for (const id of ids.filter((id) => !this.#backups.has(id))) {
      this.#checks.check(
        this.#coming !== undefined,
        `backup ${id} is not there: nobody made it, or it was deleted`,
        ids,
      );
      if (this.#coming !== undefined) this.#backups.set(id, this.#coming);
      this.#coming = undefined;
    }
    this.#coming = undefined;
    this.#going = undefined;
    for (const id of ids) {
      await this.#checks.try(`backup ${id} verifies`, () => engine.verifyBackup(id, { checksum: true }));
    }
    const last = ids.at(-1);
    const content = last === undefined ? undefined : this.#backups.get(last);
    if (last !== undefined && content !== undefined) {
      const directory = this.#torture.path(this.#name, 'checked');
      const expected = { seed: this.#torture.seed, content };
      await this.#checks.try(`backup ${last} restores to what it held`, () =>
        restoreAndCompare(engine, last, directory, expected),
      );
    }
    for (let missing = KEPT - this.#backups.size; missing > 0; missing--) {
      await this.#checks.try('the next create works', () => this.#create(engine, {}));
    }
    await this.#checks.try('the next purge works', () => engine.purgeOldBackups(KEPT));
    for (const id of [...this.#backups.keys()].sort((a, b) => a - b).slice(0, -KEPT)) this.#backups.delete(id);
    await this.#checks.try('the next garbage collection works', () => engine.garbageCollect());
    const left = await unneeded(this.#servers.client, `${this.#name}/`, engine);
    this.#checks.check(left.length === 0, 'afterwards no object is there that no backup names', left);
  }

  tell(): void {
    const outcomes = [...this.outcomes].sort().map(([outcome, times]) => `${outcome} ${times}`);
    this.#torture.figure(`${this.#name}: outcomes`, outcomes.join(', '));
    this.#torture.figure(`${this.#name}: restores compared`, this.restored);
  }
}
