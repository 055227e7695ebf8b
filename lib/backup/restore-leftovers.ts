import { describe, invalidOption } from '../base/errors.js';
import type { RestoreLeftover } from '../native/backup-info.js';
import { native } from '../native/binding.js';

/**
 * Removes what restores left behind because their processes were killed, for all targets in this directory. Each restore does the same
 * before it begins, for the directory that contains its target. So this function is for directories where no other restore follows. Files
 * of running restores are not touched.
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
    /** Removes nothing and only returns what is there. @default false */
    dryRun?: boolean | undefined;
  } = {},
): Promise<RestoreLeftover[]> {
  if (typeof dryRun !== 'boolean') {
    throw invalidOption(TypeError, 'dryRun', 'a boolean', describe(dryRun));
  }
  return native.findRestoreLeftovers(directory, { remove: !dryRun });
}
