import { stat } from 'node:fs/promises';
import { errorCode } from '../base/errors.js';

/** Whether there is no directory at a path. False if the path cannot be examined, because there may be one. */
export async function isNotThere(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch (error) {
    const code = errorCode(error);
    return code === 'ENOENT' || code === 'ENOTDIR';
  }
}
