// What the parent tells a client that it will kill, and what the client reports.

import { join } from 'node:path';
import type { BackupEngineOptions } from '../../../lib/index.js';
import type { Content } from './content.js';

/** The operations in which a client can be killed. */
export const KINDS = [
  'create',
  'create large',
  'delete',
  'purge',
  'collect',
  'restore',
  'copy',
  'verify',
  'state',
  'pin',
  'manager',
] as const;
export type Kind = (typeof KINDS)[number];

export const isCreate = (kind: Kind) => kind.startsWith('create') || kind === 'manager';

/** A repository in a bucket, and the directory of its database. */
export interface World {
  name: string;
  seed: number;
  directory: string;
  engine: BackupEngineOptions;
}

export const databaseOf = ({ directory }: World) => join(directory, 'db');

export interface Plan {
  world: World;
  /** The repositories, as the client reaches them. */
  url: string;
  copyUrl: string;
  seed: number;
  /** Operations that are done completely before that. */
  before: Kind[];
  /** This one again and again, until the client is killed. */
  kind: Kind;
}

/** What an operation is about. */
export interface About {
  /** What a backup that is made now holds. */
  content: Content;
  /** The backups that are deleted, or copied. */
  ids?: number[];
  /** The directory to which a backup is restored. */
  target?: string;
  /** The backup that is restored, or pinned. */
  id?: number;
  pinned?: boolean;
  /** What the state counts. */
  count?: number;
}

/** A line that the client prints. What `end` reports has happened. What `begin` names may have happened, or in part. */
export type Line =
  | { event: 'ready' }
  | ({ event: 'begin'; kind: Kind; armed: boolean } & About)
  | { event: 'end'; kind: Kind; ms: number; id?: number }
  | { event: 'failure'; kind: Kind; code: string; message: string };
export type Begin = Extract<Line, { event: 'begin' }>;

/**
 * When to kill, counted from the begin of the operation: after a time; at one of its requests; or at the request that decides. `before` the
 * server has the request; `within` it, some milliseconds after it was passed on; or `after` the server has answered, and before the client
 * hears it.
 */
export type Moment =
  | { at: 'time'; ms: number }
  | { at: 'request'; nth: number; where: Where; ms: number }
  | { at: 'commit'; where: Where; ms: number };
export type Where = 'before' | 'within' | 'after';

/** How far an operation was when its client died. */
export type Phase = 'between' | 'before' | 'within' | 'after' | 'under way';
