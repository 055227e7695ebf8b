import { describe, invalidOption } from '../base/errors.js';
import { native } from '../native/binding.js';

/** A directory that a restore left whose process was killed. */
export interface RestoreLeftover {
  /** Its absolute path: `.NAME.restoring-...`, where NAME is that of the restore's target. */
  path: string;
  /** Bytes of the files in it. */
  bytes: number;
  /**
   * Whether the restore had changed nothing yet, so that it is only a copy. If not, it died while files took their places, and what
   * lies there may be all that there is of a database: then nothing but a restore to the same target removes it.
   */
  unfinished: boolean;
  /** Whether it is gone now. */
  removed: boolean;
}

/**
 * Removes what restores to targets in this directory left whose processes were killed. A restore does the same before it begins,
 * for the directory that its target is in; this is for directories where no restore follows. What running restores use stays.
 *
 * @example
 * // After a restore to /data/users was killed:
 * for (const { path, bytes } of await removeRestoreLeftovers('/data')) console.log(path, bytes);
 */
export async function removeRestoreLeftovers(
  directory: string,
  {
    dryRun = false,
  }: {
    /** Removes nothing, and returns what there is. @default false */
    dryRun?: boolean | undefined;
  } = {},
): Promise<RestoreLeftover[]> {
  if (typeof dryRun !== 'boolean') {
    throw invalidOption(TypeError, 'dryRun', 'a boolean', describe(dryRun));
  }
  return native.findRestoreLeftovers(directory, { remove: !dryRun });
}
