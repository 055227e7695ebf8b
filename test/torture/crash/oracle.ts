// What the parent of the crash experiment knows about one world, and checks after each death.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine, Database } from '../../../lib/index.js';
import { readState } from '../../../lib/manager/state.js';
import { openStorage } from '../../../lib/storage/storage.js';
import { COUNT_KEY, Model } from '../../soak/model.js';
import type { Torture } from '../experiment.js';
import { RoundChecks } from '../round-checks.js';
import type { Life } from './killed-child.js';
import { countOf, familyOptions, isRestore, type Kind, paths, target, type World } from './plan.js';

/** The number of batches in a backup is between these two. */
interface Known {
  from: number;
  to: number;
}

const KEPT = 4;

export class Oracle {
  readonly world: World;
  readonly #checks: RoundChecks;
  readonly #engine: BackupEngine;
  #backups = new Map<number, Known>();
  /** For each restore target that exists: what may be in it. */
  #targets = new Map<string, Known[]>();
  #model = new Model(5);
  #stateCount = [0, 0];
  /** The largest number of files that interrupted backups have left, counted after the next backup. */
  mostLeft = 0;
  compared = 0;

  private constructor(torture: Torture, world: World, engine: BackupEngine) {
    this.#checks = new RoundChecks(torture, world.name);
    this.world = world;
    this.#engine = engine;
  }

  /** Makes a world with a database and one backup. */
  static async make(torture: Torture, world: World): Promise<Oracle> {
    const { db, backups, restored, acknowledged } = paths(world);
    mkdirSync(restored, { recursive: true });
    mkdirSync(join(world.directory, 'live'));
    writeFileSync(acknowledged, '0'.padStart(12, '0'));
    const engine = await BackupEngine.open(backups, world.engine);
    const live = await Database.open(db, world.database);
    const { backupId } = await engine.createBackup(live);
    await live.close();
    const oracle = new Oracle(torture, world, engine);
    oracle.#backups.set(backupId, { from: 0, to: 0 });
    // A user's own folder in a target: there, a restore moves files one by one.
    const { dbDir: inside } = target(world, 'restore inside');
    await engine.restoreBackup(backupId, inside);
    oracle.#targets.set(inside, [{ from: 0, to: 0 }]);
    mkdirSync(join(inside, 'folder'));
    writeFileSync(join(inside, 'folder', 'note'), 'note');
    return oracle;
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  /** Checks everything that must hold after a death. */
  async inspect(round: string, life: Life): Promise<void> {
    this.#checks.round = round;
    const failure = life.lines.find((line) => line.event === 'failure');
    this.#checks.check(life.signal === 'SIGKILL' && failure === undefined, 'the child lives until it is killed', {
      failure,
      ...(life.signal !== 'SIGKILL' && { code: life.code, signal: life.signal, stderr: life.stderr }),
    });
    const acknowledged = Number(readFileSync(paths(this.world).acknowledged, 'utf8'));
    const { going, coming, restoring } = this.#hear(life, acknowledged);
    await this.#list(going, coming);
    await this.#database(acknowledged);
    if (restoring !== undefined) await this.#target(restoring);
    await this.#state();
  }

  /** Processes what the child reported. Returns what it had only begun. */
  #hear(life: Life, acknowledged: number) {
    const going = new Set<number>();
    let coming: Known | undefined;
    let restoring: Kind | undefined;
    let begun: Extract<Life['lines'][number], { event: 'begin' }> | undefined;
    for (const line of life.lines) {
      if (line.event === 'begin') {
        begun = line;
        if (line.stateCount !== undefined) this.#stateCount[1] = line.stateCount;
        for (const id of line.ids ?? []) going.add(id);
        if (isRestore(line.kind)) {
          restoring = line.kind;
          const at = target(this.world, line.kind).dbDir;
          const before = line.kind === 'restore' ? [] : (this.#targets.get(at) ?? []);
          this.#targets.set(at, [...before, this.#backups.get(line.id as number) as Known]);
        }
      }
      if (line.event !== 'end' || begun === undefined) continue;
      if (line.kind === 'create') this.#backups.set(line.id as number, { from: begun.n, to: line.n + 1 });
      if (line.stateCount !== undefined) this.#stateCount[0] = line.stateCount;
      for (const id of begun.ids ?? []) {
        going.delete(id);
        this.#backups.delete(id);
      }
      if (isRestore(line.kind)) {
        const at = target(this.world, line.kind).dbDir;
        this.#targets.set(at, (this.#targets.get(at) as Known[]).slice(-1));
      }
      begun = undefined;
    }
    if (begun?.kind === 'create') coming = { from: begun.n, to: acknowledged + 1 };
    return { going, coming, restoring };
  }

  async #list(going: Set<number>, coming: Known | undefined): Promise<void> {
    const corrupt = await this.#checks.try('corrupt backups are listed', () => this.#engine.getCorruptedBackups());
    this.#checks.check(corrupt?.length === 0, 'no backup is corrupt', corrupt);
    const infos = (await this.#checks.try('backups are listed', () => this.#engine.getBackupInfo())) ?? [];
    const ids = infos.map(({ backupId }) => backupId);
    for (const id of this.#backups.keys()) {
      if (ids.includes(id)) continue;
      this.#checks.check(going.has(id), `backup ${id}, which was acknowledged, is there`, ids);
      this.#backups.delete(id);
    }
    for (const id of ids) {
      if (!this.#backups.has(id)) {
        this.#checks.check(coming !== undefined, `backup ${id}, which nobody made, is not listed`, ids);
        this.#backups.set(id, coming ?? { from: 0, to: Number.POSITIVE_INFINITY });
        coming = undefined;
      }
      await this.#checks.try(`backup ${id} verifies`, () => this.#engine.verifyBackup(id, { checksum: true }));
    }
    const latest = ids.at(-1);
    if (latest !== undefined) {
      await this.#checks.try(`backup ${latest} has what was written before it`, async () => {
        const db = await this.#engine.openBackup(latest);
        await this.#compare(db, [this.#backups.get(latest) as Known]).finally(() => db.close());
      });
    }
  }

  /** Compares everything in a database. Throws if it equals none of the known states. */
  async #compare(db: Database, known: Known[]): Promise<number> {
    const n = await countOf(db, COUNT_KEY);
    if (!known.some(({ from, to }) => from <= n && n <= to)) {
      throw new Error(`it has ${n} batches, and should have ${known.map(({ from, to }) => `${from} to ${to}`)}`);
    }
    const model = new Model(5);
    model.advanceTo(n);
    this.compared += await model.compare(db);
    return n;
  }

  /** Checks that the live database has everything that was acknowledged, and can be backed up. */
  async #database(acknowledged: number): Promise<void> {
    const db = await this.#checks.try('the live database opens', () =>
      Database.open(paths(this.world).db, { ...this.world.database, createIfMissing: false }),
    );
    if (db === undefined) return;
    await this.#checks.try(
      'the live database has every acknowledged write, and nothing that was not written',
      async () => {
        const n = await countOf(db, COUNT_KEY);
        if (n < acknowledged || n > acknowledged + 1)
          throw new Error(`${n} batches, ${acknowledged} were acknowledged`);
        this.#model.advanceTo(n);
        this.compared += await this.#model.compare(db);
        const made = await this.#checks.try('the next backup works', () => this.#engine.createBackup(db));
        if (made === undefined) return;
        const { backupId } = made;
        await this.#checks.try('the next backup verifies', () =>
          this.#engine.verifyBackup(backupId, { checksum: true }),
        );
        this.#checks.check(!this.#backups.has(backupId), `no backup that is there has the new one's id ${backupId}`);
        this.#backups.set(backupId, { from: n, to: n });
        await this.#leftovers();
      },
    );
    await db.close();
  }

  /** Checks the files that nobody needs: there are few after a backup, and none after a garbage collection. */
  async #leftovers(): Promise<void> {
    const left = await this.#unneeded();
    this.mostLeft = Math.max(this.mostLeft, left.length);
    this.#checks.check(left.length <= 60, 'what interrupted backups leave does not pile up', left);
    if (this.#backups.size > KEPT) {
      await this.#checks.try('old backups are purged', () => this.#engine.purgeOldBackups(KEPT));
      const ids = [...this.#backups.keys()].sort((a, b) => a - b);
      for (const id of ids.slice(0, -KEPT)) this.#backups.delete(id);
      await this.#checks.try('garbage is collected', () => this.#engine.garbageCollect());
      const still = await this.#unneeded();
      this.#checks.check(still.length === 0, 'after a garbage collection nothing is there that no backup has', still);
    }
  }

  async #unneeded(): Promise<string[]> {
    const infos = await this.#engine.getBackupInfo({ fileDetails: true });
    const needed = new Set(infos.flatMap(({ fileDetails = [] }) => fileDetails.map(({ name }) => name)));
    for (const { backupId } of infos) {
      const own = `private/${backupId}`;
      needed.add(`meta/${backupId}`).add(own).add(`${own}/rocksdb-backup.files`); // a verify without checksums needs these
    }
    const { backups } = paths(this.world);
    return ['meta', 'private', 'shared', 'shared_checksum'].flatMap((part) =>
      existsSync(join(backups, part))
        ? readdirSync(join(backups, part), { recursive: true, encoding: 'utf8' })
            .map((name) => `${part}/${name}`)
            .filter((name) => !needed.has(name))
        : [],
    );
  }

  /**
   * Checks that a restore target does not exist, or is complete, or cannot be opened; and that the next restore to it works and cleans up.
   */
  async #target(kind: Kind): Promise<void> {
    const { restored } = paths(this.world);
    const { dbDir, ...options } = target(this.world, kind);
    const open = () => {
      const walDir = 'walDir' in options ? { walDir: options.walDir } : {};
      return Database.open(dbDir, { ...familyOptions, ...walDir, createIfMissing: false });
    };
    if (existsSync(join(dbDir, 'CURRENT'))) {
      let why: unknown;
      const db = await open().catch((error: unknown) => {
        why = error;
        return undefined;
      });
      if (db !== undefined) {
        await this.#checks.try(`the target of '${kind}' is what it was, or complete`, () =>
          this.#compare(db, this.#targets.get(dbDir) ?? []),
        );
        await db.close();
      } else {
        this.#checks.check(
          kind === 'restore with logs apart',
          `the target of '${kind}' opens where it has a CURRENT`,
          why,
        );
      }
    }
    // A restore to a fresh name replaces nothing. So what is there is complete.
    const id = Math.max(...this.#backups.keys());
    await this.#checks.try(`the next '${kind}' works`, async () => {
      await this.#engine.restoreBackup(id, dbDir, { ...options, overwrite: true });
      const db = await open();
      await this.#compare(db, [this.#backups.get(id) as Known]).finally(() => db.close());
    });
    this.#targets.set(dbDir, [this.#backups.get(id) as Known]);
    const staged = readdirSync(restored, { recursive: true, encoding: 'utf8' }).filter((name) =>
      /\.restoring-[^/]*$/.test(name),
    );
    const ownStaged = staged.filter((name) => name.includes(dbDir.slice(restored.length + 1)));
    this.#checks.check(
      ownStaged.length === 0,
      `after the next '${kind}' nothing of the interrupted one is left`,
      ownStaged,
    );
    if (kind === 'restore inside') {
      this.#checks.check(
        existsSync(join(dbDir, 'folder', 'note')) && readFileSync(join(dbDir, 'folder', 'note'), 'utf8') === 'note',
        "somebody's own folder in the target is there",
      );
    }
  }

  async #state(): Promise<void> {
    const state = await this.#checks.try('the state can be read', () =>
      readState(openStorage(paths(this.world).backups)),
    );
    const count = state?.counters.torture ?? 0;
    this.#checks.check(
      state?.pinsLost === undefined && this.#stateCount.includes(count),
      'the state is the one before or the one after',
      { count, known: this.#stateCount, lost: state?.pinsLost },
    );
    this.#stateCount = [count, count];
  }
}
