import { describe, invalidOption } from '../base/errors.js';
import type { RestoreLeftover } from '../native/backup-info.js';
import { native } from '../native/binding.js';

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
