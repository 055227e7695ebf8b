import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** What the files of a snapshot take. */
export interface SnapshotSizes {
  /** Bytes of its files. */
  size: number;
  /** Bytes that only this snapshot has. */
  ownBytes: number;
  /** Those that only snapshots have, by what tells which are the same. */
  files: { name: string; size: number }[];
}

interface Entry {
  file: string;
  size: number;
  links: number;
}

/**
 * Sizes of directories that share files by hard links. A file that has more links than these directories have of it is still the
 * database's: it takes no space of theirs.
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
      // It may go while we look.
      const found = await stat(join(path, name)).catch(() => undefined);
      return found?.isFile() ? { file: `${found.dev}:${found.ino}`, size: found.size, links: found.nlink } : undefined;
    }),
  );
  return entries.filter((entry) => entry !== undefined);
}
