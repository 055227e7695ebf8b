// What the parent of the crash experiment tells its child to do, and what the child reports.

import { join } from 'node:path';
import type { BackupEngineOptions, Database, OpenOptions, WriteOptions } from '../../../lib/index.js';
import type { Random } from '../../fixtures/random.js';
import { FAMILIES } from '../../soak/model.js';

/** The operations in which a child can be killed. */
export const KINDS = [
  'create',
  'delete',
  'purge',
  'collect',
  'restore',
  'restore over',
  'restore inside',
  'restore with logs apart',
  'state',
  'write',
] as const;
export type Kind = (typeof KINDS)[number];

/**
 * When to kill: at the nth system call that changes a file, and where in it; or after a time, from outside; or at the nth event that
 * reaches JS.
 */
export type Moment =
  | { at: 'call'; nth: number; where: 'before' | 'after' | 'torn' }
  | { at: 'time'; ms: number }
  | { at: 'event'; nth: number };

export interface World {
  name: string;
  directory: string;
  engine: BackupEngineOptions;
  /** Asks for progress and for RocksDB's log, so that callbacks are running. */
  callbacks: boolean;
  database: OpenOptions;
  writes: WriteOptions;
}

export interface Plan {
  world: World;
  seed: number;
  /** Operations that are done completely before that. */
  before: Kind[];
  kind: Kind;
  moment: Moment;
}

/** A line that the child prints. What it reports has happened. What `begin` names may have happened partly. */
export type Line =
  | { event: 'ready' }
  | { event: 'begin'; kind: Kind; armed: boolean; ids?: number[]; id?: number; n: number; stateCount?: number }
  | { event: 'end'; kind: Kind; id?: number; calls?: number; stateCount?: number; n: number }
  | { event: 'failure'; kind: string; code: string; message: string }
  | { event: 'survived' };

export const paths = (world: World) => ({
  db: join(world.directory, 'live', 'db'),
  wal: join(world.directory, 'live', 'wal'),
  backups: join(world.directory, 'safe', 'backups'),
  restored: join(world.directory, 'safe', 'restored'),
  acknowledged: join(world.directory, 'acknowledged'),
});

/** The target of each kind of restore. The parent decides what is already there. */
export const target = (world: World, kind: Kind) => {
  const { restored } = paths(world);
  switch (kind) {
    case 'restore over':
      return { dbDir: join(restored, 'over'), overwrite: true };
    case 'restore inside':
      return { dbDir: join(restored, 'inside'), overwrite: true };
    case 'restore with logs apart':
      return { dbDir: join(restored, 'apart'), walDir: join(restored, 'logs'), overwrite: true };
    default:
      return { dbDir: join(restored, 'new') };
  }
};

export const familyOptions: OpenOptions = {
  columnFamilies: Object.fromEntries(FAMILIES.filter((name) => name !== 'default').map((name) => [name, {}])),
};

export const isRestore = (kind: Kind) => kind.startsWith('restore');

/** How many batches a database contains. */
export async function countOf(db: Database, key: string): Promise<number> {
  return Number((await db.get(key, { encoding: 'utf8' })) ?? 0);
}

/**
 * At which of `calls` calls to die: half of the time at any call, half of the time at one of the last ones, where files are moved into
 * place.
 */
export function callOf(random: Random, calls: number): number {
  return random.below(2) === 0 ? 1 + random.below(calls) : calls - random.below(Math.min(calls, 20));
}
