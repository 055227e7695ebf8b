// What the parent of the stores experiment knows about one repository, and checks after each death.

import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { S3Client } from '@aws-sdk/client-s3';
import { BackupEngine, Database } from '../../../lib/index.js';
import { isPinned } from '../../../lib/manager/pins.js';
import { readState } from '../../../lib/manager/state.js';
import { openStorage } from '../../../lib/storage/storage.js';
import { Random } from '../../fixtures/random.js';
import type { Torture } from '../experiment.js';
import { RoundChecks } from '../round-checks.js';
import { type Content, contentOf, writeStep } from './content.js';
import type { Life } from './killed-client.js';
import { type Begin, databaseOf, isCreate, type World } from './plan.js';
import { abortUploads, compareDatabase, deleteBelow, keysBelow, restoreAndCompare, unneeded } from './repository.js';

const KEPT = 4;

/** Whoever has a lock of this repository is alive, or was killed on this machine. So nobody waits until a lease is stale: that takes 20 s. */
const NO_WAIT = 20_000;

/** What an operation had begun that changes which backups there are. */
interface Doubtful {
  /** What a backup holds that may have been made. */
  coming?: Content;
  /** The backups that may have been deleted. */
  going?: number[] | undefined;
}

export class Oracle {
  readonly world: World;
  /** Of this world alone: the worlds are busy at the same time. */
  readonly random: Random;
  readonly #checks: RoundChecks;
  readonly #client: S3Client;
  readonly #engine: BackupEngine;
  readonly #url: (name: string) => string;
  readonly #backups = new Map<number, Content>();
  #copies = 1;
  readonly #copied = new Map<number, Content>();
  /** What the state may count, and whether a backup may be pinned. */
  #count = [0];
  readonly #pinned = new Map<number, boolean[]>();
  restored = 0;
  verified = 0;
  keys = 0;
  mostLeft = 0;
  mostLeases = 0;
  slowest = 0;
  uploads = 0;

  /** Makes a repository with one backup. @param url the URL of the repository with a name */
  static async make(torture: Torture, world: World, client: S3Client, url: (name: string) => string): Promise<Oracle> {
    mkdirSync(world.directory, { recursive: true });
    const oracle = new Oracle(torture, world, client, url, await BackupEngine.open(url(world.name), world.engine));
    await oracle.#create();
    return oracle;
  }

  private constructor(
    torture: Torture,
    world: World,
    client: S3Client,
    url: (name: string) => string,
    engine: BackupEngine,
  ) {
    this.#checks = new RoundChecks(torture, world.name);
    this.world = world;
    this.random = new Random(world.seed);
    this.#client = client;
    this.#url = url;
    this.#engine = engine;
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  /** The repository to which clients copy now. */
  get copyName(): string {
    return `${this.world.name}-copy-${this.#copies}`;
  }

  /** Checks everything that must hold after a death. */
  async inspect(round: string, life: Life): Promise<void> {
    this.#checks.round = round;
    const failure = life.lines.find((line) => line.event === 'failure');
    this.#checks.check(life.signal === 'SIGKILL' && failure === undefined, 'the client lives until it is killed', {
      failure,
      stderr: life.stderr,
    });
    const doubtful = await this.#hear(life);
    await this.#list(doubtful);
    await this.#state();
    if (life.lines.some((line) => line.event === 'begin' && line.kind === 'copy')) await this.#copy();
    await this.#next();
  }

  /** Processes what the client reported. Returns what it had only begun, if that changes which backups there are. */
  async #hear({ lines, begun: unfinished }: Life): Promise<Doubtful> {
    let begun: Begin | undefined;
    for (const line of lines) {
      if (line.event === 'begin') begun = line;
      if (line.event === 'end' && begun !== undefined) await this.#confirm(begun, line.id);
    }
    if (unfinished === undefined) return {};
    const { kind, id, ids, count, pinned, content, target } = unfinished;
    if (count !== undefined) this.#count.push(count);
    if (pinned !== undefined) this.#pinned.set(id as number, [...this.#mayBePinned(id as number), pinned]);
    if (target !== undefined && existsSync(target)) await this.#compareTarget(id as number, target);
    if (kind === 'delete' || kind === 'purge') return { going: ids };
    return isCreate(kind) ? { coming: content } : {};
  }

  async #confirm({ kind, id, ids = [], count, pinned, content, target }: Begin, made?: number): Promise<void> {
    if (made !== undefined) {
      this.#checks.check(!this.#backups.has(made), `the new id ${made} is none that is there`);
      this.#backups.set(made, content);
    }
    if (count !== undefined) this.#count = [count];
    if (pinned !== undefined) this.#pinned.set(id as number, [pinned]);
    if (kind === 'delete' || kind === 'purge') this.#forget(ids);
    if (kind === 'copy') for (const id of ids) this.#copied.set(id, this.#backups.get(id) as Content);
    if (target !== undefined) await this.#compareTarget(id as number, target);
  }

  #forget(ids: readonly number[]): void {
    for (const id of ids) {
      this.#backups.delete(id);
      this.#pinned.delete(id);
    }
  }

  #mayBePinned(id: number): boolean[] {
    return this.#pinned.get(id) ?? [false];
  }

  /** A restore puts its target in place when it is complete. */
  async #compareTarget(id: number, target: string): Promise<void> {
    await this.#checks.try(`the restore of backup ${id} is complete`, async () => {
      this.keys += await compareDatabase(target, this.world.seed, this.#backups.get(id) as Content);
    });
    this.restored++;
    rmSync(target, { recursive: true, force: true });
  }

  async #list({ coming, going = [] }: Doubtful): Promise<void> {
    const engine = this.#engine;
    const corrupt = await this.#checks.try('corrupt backups are listed', () => engine.getCorruptedBackups());
    this.#checks.check(corrupt?.length === 0, 'no backup is corrupt', corrupt);
    const ids = (await this.#checks.try('backups are listed', () => engine.getBackupInfo()))?.map(
      ({ backupId }) => backupId,
    );
    if (ids === undefined) return;
    const gone = [...this.#backups.keys()].filter((id) => !ids.includes(id));
    for (const id of gone) this.#checks.check(going.includes(id), `backup ${id}, which was confirmed, is there`, ids);
    this.#forget(gone);
    const unknown = ids.filter((id) => !this.#backups.has(id));
    this.#checks.check(
      unknown.length <= (coming ? 1 : 0),
      'no backup is there that nobody made, or that was deleted',
      ids,
    );
    for (const id of unknown) if (coming) this.#backups.set(id, coming);
    // All by their sizes; the newest, a new one and one of the others by every byte.
    const others = ids.filter((id) => !unknown.includes(id));
    const read = new Set([...unknown, ...ids.slice(-1), ...(others.length > 0 ? [this.random.pick(others)] : [])]);
    for (const id of ids) await this.#verify(engine, id, read.has(id));
    for (const id of read) await this.#restore(engine, id, this.#backups.get(id));
  }

  async #verify(engine: BackupEngine, id: number, checksum: boolean): Promise<void> {
    await this.#checks.try(`backup ${id} verifies`, () => engine.verifyBackup(id, { checksum }));
    if (checksum) this.verified++;
  }

  /** In the end, every byte of every backup is read. */
  async finish(): Promise<void> {
    this.#checks.round = 'in the end';
    for (const id of this.#backups.keys()) {
      await this.#verify(this.#engine, id, true);
      await this.#restore(this.#engine, id, this.#backups.get(id));
    }
  }

  async #restore(engine: BackupEngine, id: number, content: Content | undefined): Promise<void> {
    if (content === undefined) return;
    const directory = join(this.world.directory, 'checked');
    await this.#checks.try(`backup ${id} restores to what was written before it`, async () => {
      this.keys += await restoreAndCompare(engine, id, directory, { seed: this.world.seed, content });
    });
    this.restored++;
  }

  async #state(): Promise<void> {
    const state = await this.#checks.try('the state can be read', () =>
      readState(openStorage(this.#url(this.world.name))),
    );
    if (state === undefined) return;
    const count = state.counters.torture ?? 0;
    this.#checks.check(
      state.pinsLost === undefined && this.#count.includes(count),
      'the state is the one before or after',
      {
        count,
        known: this.#count,
        lost: state.pinsLost,
      },
    );
    this.#count = [count];
    for (const info of await this.#engine.getBackupInfo()) {
      const pinned = isPinned(state, info);
      const may = this.#mayBePinned(info.backupId);
      this.#checks.check(may.includes(pinned), `backup ${info.backupId} is pinned, or not, as it was said`, {
        pinned,
        may,
      });
      this.#pinned.set(info.backupId, [pinned]);
    }
  }

  /** What was copied is there. What was being copied is there, or will be when it is copied again. */
  async #copy(): Promise<void> {
    const engine = await this.#checks.try('the copy opens', () => BackupEngine.open(this.#url(this.copyName)));
    if (engine === undefined) return;
    const corrupt = await this.#checks.try('corrupt copies are listed', () => engine.getCorruptedBackups());
    this.#checks.check(corrupt?.length === 0, 'no copy is corrupt', corrupt);
    const ids = (await engine.getBackupInfo()).map(({ backupId }) => backupId);
    for (const id of this.#copied.keys())
      this.#checks.check(ids.includes(id), `the copy of backup ${id} is there`, ids);
    for (const id of ids) {
      await this.#verify(engine, id, true);
      const content = this.#copied.get(id) ?? this.#backups.get(id);
      this.#checks.check(content !== undefined, `backup ${id} was there to be copied`);
      if (content !== undefined) this.#copied.set(id, content);
    }
    const last = ids.at(-1);
    if (last !== undefined) await this.#restore(engine, last, this.#copied.get(last));
    await this.#collect(this.copyName, engine);
    await engine.close();
  }

  /** The next operations work at once, and leave nothing of what was interrupted. */
  async #next(): Promise<void> {
    const { world } = this;
    const prefix = `${world.name}/`;
    // The product ends them after a day. Ceph's disk is in memory.
    this.uploads += await abortUploads(this.#client, prefix);
    if (this.random.below(3) === 0) {
      // A create removes what is in its way, and not what a killed delete has left.
      const before = await unneeded(this.#client, prefix, this.#engine);
      await this.#atOnce('the next create', () => this.#create());
      const more = (await unneeded(this.#client, prefix, this.#engine)).filter((key) => !before.includes(key));
      this.#checks.check(more.length === 0, 'the next create leaves no object that no backup names', more);
    }
    await this.#collect(world.name, this.#engine);
    if (this.#backups.size > KEPT + 2) {
      await this.#atOnce('the next purge', () => this.#engine.purgeOldBackups(KEPT));
      this.#forget([...this.#backups.keys()].sort((a, b) => a - b).slice(0, -KEPT));
    }
    // An id may be given again, and a copy of its first backup would then be in the way.
    if ([...this.#copied.keys()].some((id) => !this.#backups.has(id))) {
      await deleteBelow(this.#client, `${this.copyName}/`);
      this.#copied.clear();
      this.#copies++;
    }
  }

  async #atOnce(what: string, work: () => Promise<unknown>): Promise<void> {
    const begun = performance.now();
    await this.#checks.try(`${what} works`, work);
    const took = performance.now() - begun;
    this.slowest = Math.max(this.slowest, took);
    this.#checks.check(took < NO_WAIT, `${what} does not wait for somebody who is dead`, took);
  }

  async #collect(name: string, engine: BackupEngine): Promise<void> {
    const before = await unneeded(this.#client, `${name}/`, engine);
    this.mostLeft = Math.max(this.mostLeft, before.length);
    await this.#atOnce('the next garbage collection', () => engine.garbageCollect());
    const left = await unneeded(this.#client, `${name}/`, engine);
    this.#checks.check(left.length === 0, 'afterwards no object is there that no backup names', { before, left });
    const leases = await keysBelow(this.#client, `${name}/rocksdb-backup.leases/`);
    this.mostLeases = Math.max(this.mostLeases, leases.length);
  }

  async #create(): Promise<void> {
    const { world } = this;
    const db = await Database.open(databaseOf(world));
    try {
      const content = await writeStep(db, world.seed, await contentOf(db), false);
      const { backupId } = await this.#engine.createBackup(db);
      this.#backups.set(backupId, content);
    } finally {
      await db.close();
    }
  }
}
