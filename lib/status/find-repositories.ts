import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ListedObject, ObjectStore } from '../stores/object-store.js';

/** A repository in a store, with its objects. */
export interface FoundInStore {
  /** '' or ends with a slash. */
  prefix: string;
  objects: ListedObject[];
}

/** The list of a backup's files, or the mark of a repository without backups. */
const SIGN = /^((?:.*\/)?)(?:meta\/[1-9]\d*|rocksdb-backup\.repository)$/s;

/** Finds all repositories in a store with one list of it. */
export async function findInStore(store: ObjectStore, signal: AbortSignal): Promise<FoundInStore[]> {
  const objects: ListedObject[] = [];
  for (let after: string | undefined; ; ) {
    const page = await store.list('', { after, signal });
    objects.push(...page.objects);
    if (page.next === undefined) break;
    after = page.next;
  }
  const found = new Map<string, ListedObject[]>();
  for (const { key } of objects) {
    const prefix = SIGN.exec(key)?.[1];
    if (prefix !== undefined) found.set(prefix, []);
  }
  for (const object of objects) {
    // Of a repository that lies in another one, the objects are its own.
    for (let end = object.key.lastIndexOf('/'); ; end = end <= 0 ? -1 : object.key.lastIndexOf('/', end - 1)) {
      const own = found.get(object.key.slice(0, end + 1));
      own?.push(object);
      if (own !== undefined || end < 0) break;
    }
  }
  return [...found].map(([prefix, objects]) => ({ prefix, objects })).sort((a, b) => (a.prefix < b.prefix ? -1 : 1));
}

/** A directory that is a repository, or one that could not be looked at. */
export interface FoundDirectory {
  path: string;
  error?: unknown;
}

/** Finds all repositories in a directory and below it. Does not look into repositories and databases, nor through links. */
export async function findInDirectory(directory: string, signal: AbortSignal): Promise<FoundDirectory[]> {
  const found: FoundDirectory[] = [];
  const waiting = [directory];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    signal.throwIfAborted();
    let entries: Dirent[];
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      if (path === directory) throw error;
      found.push({ path, error });
      continue;
    }
    const directories = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    if (directories.includes('meta') && (directories.includes('private') || (await isMeta(join(path, 'meta'))))) {
      found.push({ path });
    } else if (!entries.some(({ name }) => name === 'CURRENT')) {
      waiting.push(...directories.filter((name) => !name.startsWith('.')).map((name) => join(path, name)));
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Whether a directory holds nothing but lists of backups' files. */
async function isMeta(path: string): Promise<boolean> {
  const names = await readdir(path).catch(() => undefined);
  return names === undefined || names.every((name) => /^\.?\d+(?:\.tmp)?$/.test(name));
}
