import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Replaces the contents of a file. A reader finds either the old contents or the new ones, never a mixture, also after a power cut. The
 * steps: write a temporary file beside it, sync that file to the disk, rename it over the old file, and sync the directory.
 */
export async function writeDurably(path: string, contents: string): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    // Do not open what lies there: it may be a link that leads elsewhere, or a FIFO.
    await rm(temporary, { force: true });
    await withFile(temporary, 'wx', async (file) => {
      await file.writeFile(contents);
      await file.sync();
      const [{ size }, length] = [await file.stat(), Buffer.byteLength(contents)];
      if (size !== length) {
        throw new Error(`${temporary} has ${size} bytes, and ${length} were written`);
      }
    });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Syncs the names in a directory to the disk, where the operating system can do that. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') {
    return;
  }
  await withFile(path, 'r', (directory) =>
    directory.sync().catch((error: NodeJS.ErrnoException) => {
      // Some file systems have no fsync for directories. They keep renames in order by themselves.
      if (error.code !== 'EINVAL' && error.code !== 'ENOTSUP') {
        throw error;
      }
    }),
  );
}

async function withFile(path: string, flags: string, use: (file: FileHandle) => Promise<void>): Promise<void> {
  const file = await open(path, flags);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}
