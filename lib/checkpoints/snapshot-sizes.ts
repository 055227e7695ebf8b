import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** How much space the files of a checkpoint take. */
interface SnapshotSizes {
  /** Total size of its files, in bytes. */
  size: number;
  /** Bytes of the files that only this checkpoint has. */
  ownBytes: number;
  /** The files that only checkpoints have, and the database does not. Equal names mean the same file. */
  files: { name: string; size: number }[];
}

interface Entry {
  file: string;
  size: number;
  links: number;
}

/**
 * Computes the sizes of directories that share files by hard links. If a file has more links than these directories have entries for it,
 * the database still uses it. Such a file takes no space of the checkpoints.
 */
export async function sizesOf(paths: readonly string[]): Promise<SnapshotSizes[]> {
  const all: Entry[][] = [];
  const seen = new Map<string, number>();
  for (const path of paths) {
    const entries = await entriesOf(path);
    all.push(entries);
    for (const { file } of entries) {
      seen.set(file, (seen.get(file) ?? 0) + 1);
    }
  }
  const sum = (entries: Entry[]) => entries.reduce((bytes, { size }) => bytes + size, 0);
  return all.map((entries) => ({
    size: sum(entries),
    ownBytes: sum(entries.filter(({ links }) => links === 1)),
    files: entries
      .filter(({ file, links }) => links <= (seen.get(file) ?? 0))
      .map(({ file, size }) => ({ name: file, size })),
  }));
}

async function entriesOf(path: string): Promise<Entry[]> {
  const names = await readdir(path).catch(() => []);
  const entries = await Promise.all(
    names.map(async (name): Promise<Entry | undefined> => {
      // The file may disappear while we look.
      const found = await stat(join(path, name)).catch(() => undefined);
      return found?.isFile() ? { file: `${found.dev}:${found.ino}`, size: found.size, links: found.nlink } : undefined;
    }),
  );
  return entries.filter((entry) => entry !== undefined);
}
