import { stat } from 'node:fs/promises';

/** Whether there is no directory at a path. False if the path cannot be examined, because there may be one. */
export async function isNotThere(path: string): Promise<boolean> {
  try {
    return !(await stat(path)).isDirectory();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' || code === 'ENOTDIR';
  }
}
