import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The file has its new contents, and could not be kept from having the old ones again after a power cut. */
export class NotDurable extends Error {}

/**
 * Replaces a file's contents so that whoever reads it, also after a power cut, finds the old ones or the new ones, whole:
 * written beside it, brought to the disk, renamed over it, and the renaming brought to the disk.
 * `beforeRename` may move the old one away.
 */
export async function writeDurably(path: string, contents: string, beforeRename?: () => Promise<void>): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    // Not through what lies there: it may be a link that leads elsewhere, or a FIFO.
    await rm(temporary, { force: true });
    await withFile(temporary, 'wx', async (file) => {
      await file.writeFile(contents);
      await file.sync();
      const [{ size }, length] = [await file.stat(), Buffer.byteLength(contents)];
      if (size !== length) {
        throw new Error(`${temporary} has ${size} bytes, and ${length} were written`);
      }
    });
    await beforeRename?.();
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncDirectory(dirname(path)).catch((cause: Error) => {
    throw new NotDurable(cause.message, { cause });
  });
}

/** Brings the names in a directory to the disk, where the system can. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') {
    return;
  }
  await withFile(path, 'r', (directory) =>
    directory.sync().catch((error: NodeJS.ErrnoException) => {
      // Some file systems have no fsync for directories; they order what is renamed by themselves.
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
