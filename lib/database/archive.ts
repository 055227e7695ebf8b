import type { RocksDBError } from '../base/errors.js';
import type { RepositoryLocation } from '../storage/storage.js';

/** Where and how the log of a database is archived: the option `archive` of {@link Database.open}. */
export interface ArchiveOptions {
  /** The repository: the path of a directory, the URL of a place in an object store, a store, or an open {@link BackupEngine}. */
  to: RepositoryLocation | ArchiveRepository;
  /** A write is in the archive at most this many milliseconds after it was made, if the repository can be written. @default 10000 */
  maxDelay?: number | undefined;
  /** A piece of the archive has about this many bytes at most. @default 16777216 */
  segmentBytes?: number | undefined;
  /**
   * While the repository cannot be written, the database keeps its logs, up to this many bytes. Beyond it the oldest are given up. A new
   * timeline, with a backup of its own, then begins as soon as the repository can be written again. @default 10 GiB, or a tenth of the free
   * space if that is less
   */
  maxBacklogBytes?: number | undefined;
  /**
   * How many milliseconds `close()` waits for the last writes to reach the archive. What does not is archived when the database is opened
   * again. @default 30000
   */
  closePatience?: number | undefined;
}

/** An open BackupEngine. */
export interface ArchiveRepository {
  readonly token: string;
  readonly location: string;
}

/** A moment that somebody gave a name. */
export interface RecoveryPoint {
  readonly name: string;
  readonly timeline: number;
  /** The last write before it. */
  readonly sequence: number;
  /** The time of that write. Undefined if no write had a time yet. */
  readonly time: Date | undefined;
}

/** How the archive of an open database does. */
export interface ArchiveStatus {
  /**
   * `starting`: nothing was archived yet. `archiving`: it works. `failing`: the last try failed; it is tried again, and what is not archived is
   * in the log.
   */
  readonly state: 'starting' | 'archiving' | 'failing';
  /** The number of the timeline: one unbroken history of the database. Undefined while starting. */
  readonly timeline: number | undefined;
  /**
   * Why that timeline began: `first`; `restored`: the database was restored, or its directory is new to the archive; `gap`: writes are missing,
   * because logs were removed; `behind`: the database lacks writes that were archived, for instance after a loss of power; `other-program`:
   * another program has opened the database; `families`: column families changed without being seen.
   */
  readonly timelineReason: string | undefined;
  /** Whether the timeline still lacks the backup that a recovery needs. It is made by itself. */
  readonly needsBase: boolean;
  /** The sequence number of the last write that is in the archive, and that of the database. */
  readonly archivedSequence: number | undefined;
  readonly latestSequence: number;
  /** How many writes are not in the archive yet. */
  readonly lagWrites: number;
  /** When the last archived write was made. */
  readonly archivedTime: Date | undefined;
  /** What was written since the database was opened. */
  readonly segments: number;
  readonly bytes: number;
  /** How many log files were given up because of `maxBacklogBytes`: their writes are in no archive. */
  readonly logsGivenUp: number;
  /** Why the last try failed. */
  readonly lastError: RocksDBError | undefined;
}

/** Events of an archive: see {@link Archive.on}. */
export interface ArchiveEvents {
  /** Archiving began to fail, or the backup of a timeline failed. Both are tried again. */
  error: [error: RocksDBError];
  /** Archiving works again. */
  recovered: [];
  /** A timeline began. Unless it is the first, moments between the last one and this one may not be recoverable. */
  timeline: [status: ArchiveStatus];
  /** The backup from which the timeline can be recovered was made. */
  base: [backupId: number];
}

/**
 * The archive of an open database. {@link Database.open} makes it if the option `archive` is given; it ends when the database is closed.
 *
 * @example
 * const db = await Database.open('/data/users', { archive: 's3://backups/users' });
 * db.archive?.on('error', (error) => logger.error({ error }));
 * await db.archive?.createRecoveryPoint('before migration 7');
 */
export interface Archive {
  /** How the archive does. */
  status(): ArchiveStatus;
  /**
   * Waits until everything that was written before the call is in the archive. Rejects with the error of the archive if it fails meanwhile.
   *
   * @example
   * await db.archive?.flush();
   */
  flush(options?: { signal?: AbortSignal | undefined }): Promise<void>;
  /**
   * Gives this moment a name, so that it can be recovered by that name. Resolves when everything before it is in the archive.
   *
   * @example
   * await db.archive?.createRecoveryPoint('before migration 7');
   */
  createRecoveryPoint(name: string, options?: { signal?: AbortSignal | undefined }): Promise<RecoveryPoint>;
  /** Adds a listener. Without listeners for 'error', nothing is thrown: {@link status} tells the error. */
  on<E extends keyof ArchiveEvents>(event: E, listener: (...args: ArchiveEvents[E]) => void): this;
  /** Removes a listener. */
  off<E extends keyof ArchiveEvents>(event: E, listener: (...args: ArchiveEvents[E]) => void): this;
}

/** What a database does with its archive. */
export interface OwnArchive extends Archive {
  beginClose(): Promise<void>;
  endClose(): Promise<void>;
}

interface OpenedArchive {
  start(db: object): OwnArchive;
  giveUp(): Promise<void>;
}

type Opener = (archive: NonNullable<ArchiveSetting>) => Promise<OpenedArchive>;

/** The option: a place, or a place and more. */
export type ArchiveSetting = RepositoryLocation | ArchiveRepository | ArchiveOptions | undefined;

let opener: Opener | undefined;

/** An archive stands on backups, which stand on databases: lib/archive says here how one is opened. */
export function openArchivesWith(open: Opener): void {
  opener = open;
}

export function openArchive(archive: NonNullable<ArchiveSetting>): Promise<OpenedArchive> {
  if (opener === undefined) {
    throw new Error('lib/archive is not loaded');
  }
  return opener(archive);
}
