import { dirname, join } from 'node:path';
import { BackupEngine } from '../backup/backup-engine.js';
import { checkOptions } from '../base/check-object.js';
import { describe, errorCode, invalidOption, RocksDBError, showKey } from '../base/errors.js';
import { formatSize } from '../base/units.js';
import { type DatabaseChange, diffDatabases } from '../compare/diff.js';
import { type DatabaseDigest, type DigestOptions, digestDatabase, type Sample } from '../compare/digest.js';
import { checkSample, planSample } from '../compare/sample.js';
import { Database } from '../database/database.js';
import type { Storage } from '../storage/storage.js';
import { inDrillDirectory, removeAbandonedDrills } from './drill-directory.js';

/** How far a drill has come. */
export interface DrillProgress {
  /**
   * `restore`: bytes are being restored. `backup`: the keys of the backup are being read. `restored`: the keys of the restored database are
   * being read.
   */
  phase: 'restore' | 'backup' | 'restored';
  /** Bytes or keys that are done. */
  done: number;
  /** Bytes or keys in total. For the keys of the backup, this is an estimate. */
  total: number;
}

/** Options of {@link drillBackup}. */
export interface DrillOptions {
  /**
   * Where to make the temporary directory. It is created if it does not exist, with missing parent directories, and stays. There must be
   * enough free space for the whole database. Required if the repository is in an object store. @default the parent directory of the
   * repository, because there is usually room for data; the operating system's directory for temporary files is often in memory
   */
  directory?: string | undefined;
  /** How much to read: a share up to 1, or a number of keys. Each drill reads different places. @default 1, everything */
  sample?: number | undefined;
  /** Engines on repositories that have the files which `excludeFiles` left out. @default none */
  alternates?: BackupEngine[] | undefined;
  /** Stops the drill when it is aborted, and removes what it made. The drill then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Called from time to time. */
  onProgress?: ((progress: DrillProgress) => void) | undefined;
}

/** The result of a drill that found no difference. */
export interface DrillResult {
  backupId: number;
  timestamp: Date;
  ok: true;
  /** How many keys were read and compared. */
  keys: number;
  /** Total size of these keys and their values, in bytes. */
  bytes: number;
  /** Whether only a part of the database was read. */
  sampled: boolean;
  /** The digest of everything that was read. It is the same for the backup and for the restored database. */
  digest: DatabaseDigest;
  durationMs: number;
  /** The part of `durationMs` that the restore took. */
  restoreMs: number;
}

/** The error of a drill that found a difference. */
export class DrillError extends RocksDBError {
  /** The first differences, at most ten. Empty if the only difference is in families without keys. */
  readonly differences: Omit<DatabaseChange, 'before' | 'after'>[];

  constructor(message: string, backupId: number, differences: Omit<DatabaseChange, 'before' | 'after'>[]) {
    super(message, 'DRILL_FAILED', { backupId });
    this.differences = differences;
  }
}

const OPTIONS = ['directory', 'sample', 'alternates', 'signal', 'onProgress'];
const MOST_DIFFERENCES = 10;

/**
 * Proves that a backup can be restored: restores it to a temporary directory, opens the result as a database, reads it, and compares it
 * with the backup opened in place. Afterwards it removes the directory, also after an error. It also removes directories of earlier drills
 * that were killed.
 *
 * Rejects with DRILL_FAILED if the two differ; the error names the first key that differs. Also rejects with all errors of a restore.
 *
 * @example
 * const { keys, durationMs } = await drillBackup(engine, 7, { sample: 0.1 });
 */
export async function drillBackup(
  engine: BackupEngine,
  backupId: number,
  options: DrillOptions = {},
): Promise<DrillResult> {
  return drillWith(engine, backupId, options, async () => {});
}

/** Where a drill restores to unless it is told: beside the repository, because there is usually room on that disk. */
function besideRepository(storage: Pick<Storage, 'name' | 'localDirectory'>): string {
  if (storage.localDirectory === undefined) {
    throw new RocksDBError(
      `${storage.name} is not on this machine, so a drill cannot restore beside it, and was given no directory`,
      'INVALID_OPTION',
      { path: storage.name, advice: 'setDrillDirectory' },
    );
  }
  return dirname(storage.localDirectory);
}

/** Throws the error of a drill that does not know where to restore to. */
export function checkDrillPlace(
  { directory }: Pick<DrillOptions, 'directory'>,
  storage: Pick<Storage, 'name' | 'localDirectory'>,
): void {
  if (directory === undefined) {
    besideRepository(storage);
  }
}

/** @internal For tests: `afterRestore` gets the path of the restored database before it is opened. */
export async function drillWith(
  engine: BackupEngine,
  backupId: number,
  options: DrillOptions,
  afterRestore: (path: string) => Promise<void>,
): Promise<DrillResult> {
  checkDrillOptions(options);
  const { directory = besideRepository(engine.storage), signal, onProgress, alternates, sample = 1 } = options;
  signal?.throwIfAborted();
  const begin = performance.now();
  const { timestamp } = await engine.getBackupInfo(backupId);
  await removeAbandonedDrills(directory);
  // While the backup is open, nobody can delete it.
  const backup = await engine.openBackup(backupId);
  try {
    return await inDrillDirectory(directory, async (temporary) => {
      const path = join(temporary, 'db');
      const beginRestore = performance.now();
      const { timestamp: restoredTimestamp } = await engine
        .restoreBackup(backupId, path, {
          signal,
          alternates,
          onProgress:
            onProgress &&
            (({ bytesDone, bytesTotal }) => onProgress({ phase: 'restore', done: bytesDone, total: bytesTotal })),
        })
        .catch((error) => throwForDrill(error, engine, backupId, { path, directory, alternates }));
      const restoreMs = performance.now() - beginRestore;
      if (restoredTimestamp.getTime() !== timestamp.getTime()) {
        throw new RocksDBError(
          `backup ${backupId} was replaced by another one while it was drilled`,
          'BACKUP_NOT_FOUND',
          { path: engine.location, backupId },
        );
      }
      await afterRestore(path);
      const { digest, sampled } = await compare(
        backup,
        path,
        { backupId, timestamp },
        {
          sample,
          signal,
          onProgress,
        },
      );
      return {
        backupId,
        timestamp,
        ok: true,
        keys: digest.keys,
        bytes: digest.bytes,
        sampled,
        digest,
        durationMs: performance.now() - begin,
        restoreMs,
      };
    });
  } finally {
    await backup.close();
  }
}

/** The NO_SPACE error of a restore gives advice that fits only a restore. This one says that a drill can run in another directory. */
async function throwForDrill(
  error: unknown,
  engine: BackupEngine,
  backupId: number,
  { path, directory, alternates }: { path: string; directory: string } & Pick<DrillOptions, 'alternates'>,
): Promise<never> {
  if (errorCode(error) !== 'NO_SPACE') {
    throw error;
  }
  const { bytesToCopy, bytesFree = 0 } = await engine
    .planRestore(backupId, path, { alternates, checkDiskSpace: false })
    .catch(() => {
      throw error;
    });
  throw Object.assign(
    new RocksDBError(
      `the drill of backup ${backupId} restores ${formatSize(bytesToCopy)} to ${directory}, where ${formatSize(bytesFree)} are free. ` +
        'Nothing was restored.',
      'NO_SPACE',
      { path: directory, bytesNeeded: bytesToCopy, bytesFree, advice: 'drillElsewhere' },
    ),
    { cause: error },
  );
}

async function compare(
  backup: Database,
  path: string,
  info: Pick<DrillResult, 'backupId' | 'timestamp'>,
  options: Pick<DrillOptions, 'signal' | 'onProgress'> & { sample: number },
): Promise<{ digest: DatabaseDigest; sampled: boolean }> {
  // Open it as a user would, which replays its log. Compactions are off, because they would only cost time.
  const restored = await Database.open(path, { createIfMissing: false, rocksdb: { disable_auto_compactions: true } });
  try {
    // In a store, a backup that is opened in place has not looked into its tables, and cannot say how many keys it has.
    const sample = await planSample(backup, options.sample, Math.random, restored);
    const digest = await digestDatabase(backup, reading(options, 'backup', sample, estimatedKeys(restored)));
    const again = await digestDatabase(restored, reading(options, 'restored', sample, digest.keys));
    if (digest.checksum !== again.checksum) {
      throw await failure(info, backup, restored, digest, again, options.signal);
    }
    return { digest, sampled: sample !== undefined };
  } finally {
    await restored.close();
  }
}

function reading(
  { signal, onProgress }: Pick<DrillOptions, 'signal' | 'onProgress'>,
  phase: 'backup' | 'restored',
  sample: Sample | undefined,
  expected: number,
): DigestOptions {
  const total = (keys: number) => Math.max(keys, expected);
  return {
    signal,
    sample,
    onProgress: onProgress && (({ keys }) => onProgress({ phase, done: keys, total: total(keys) })),
  };
}

function estimatedKeys(db: Database): number {
  return db.columnFamilies
    .map((name) => Number(db.columnFamily(name).property('rocksdb.estimate-num-keys') ?? 0))
    .reduce((sum, keys) => sum + keys, 0);
}

async function failure(
  { backupId, timestamp }: Pick<DrillResult, 'backupId' | 'timestamp'>,
  backup: Database,
  restored: Database,
  digest: DatabaseDigest,
  again: DatabaseDigest,
  signal: AbortSignal | undefined,
): Promise<DrillError> {
  const checksums = (of: DatabaseDigest) => new Map(of.columnFamilies.map((family) => [family.name, family.checksum]));
  const [here, there] = [checksums(digest), checksums(again)];
  const columnFamilies = [...new Set([...here.keys(), ...there.keys()])].filter(
    (key) => here.get(key) !== there.get(key),
  );
  const differences: Omit<DatabaseChange, 'before' | 'after'>[] = [];
  for await (const { columnFamily, change, key } of diffDatabases(backup, restored, { columnFamilies, signal })) {
    differences.push({ columnFamily, change, key: Buffer.from(key) });
    if (differences.length === MOST_DIFFERENCES) {
      break;
    }
  }
  const [first] = differences;
  const family = `column family "${first?.columnFamily ?? columnFamilies[0]}"`;
  const where = first === undefined ? family : `${family}, key ${showKey(first.key)}`;
  const what = {
    added: 'only the restored database has it',
    removed: 'it is missing in the restored database',
    changed: 'its value differs',
  };
  const counts = `${digest.keys} keys were read in the backup, ${again.keys} in the restored database`;
  return new DrillError(
    `the drill of backup ${backupId} of ${timestamp.toISOString()} failed: the restored database differs from the backup. First difference: ${where}: ` +
      `${first === undefined ? 'only one has it' : what[first.change]}. ${counts}. Do not rely on this backup; verify it with ` +
      'checksums, verify the others, and make a new one',
    backupId,
    differences,
  );
}

/** Throws the errors about these options that a drill would throw. */
export function checkDrillOptions(options: DrillOptions): void {
  const { directory, onProgress, sample, alternates } = checkOptions('options', options, OPTIONS);
  if (directory !== undefined && (typeof directory !== 'string' || directory === '')) {
    throw invalidOption(TypeError, 'directory', 'the path of a directory', describe(directory));
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidOption(TypeError, 'onProgress', 'a function', describe(onProgress));
  }
  if (
    alternates !== undefined &&
    !(Array.isArray(alternates) && alternates.every((each) => each instanceof BackupEngine))
  ) {
    throw invalidOption(TypeError, 'alternates', 'an array of BackupEngines', describe(alternates));
  }
  checkSample(sample);
}
