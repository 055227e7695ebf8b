// An object store whose objects are the files of a directory. Tests that look at the files of a repository, or damage them, work with it
// as with a repository on the disk. For one process only.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import {
  type CallOptions,
  type GetOptions,
  type ListedObject,
  type ListOptions,
  type ListPage,
  type ObjectStore,
  type PutOptions,
  type StoredObject,
  StoreError,
} from '../../lib/stores/object-store.js';

export class DirectoryStore implements ObjectStore {
  readonly name: string;
  /** The etags that were given, with the metadata, and what the file was then: a test may have changed it since. */
  readonly #etags = new Map<string, { etag: string; file: string; metadata: StoredObject['metadata'] }>();
  #versions = 0;

  constructor(directory: string) {
    this.name = directory;
  }

  async put(
    key: string,
    bytes: Uint8Array,
    { ifAbsent, ifMatch, metadata, signal }: PutOptions,
  ): Promise<{ etag: string }> {
    signal.throwIfAborted();
    const path = join(this.name, key);
    const present = this.#etag(key);
    if ((ifAbsent && present !== undefined) || (ifMatch !== undefined && ifMatch !== present)) {
      throw new StoreError('CONDITION_FAILED', `the condition of ${key} does not hold`, { key });
    }
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.put`, bytes);
      renameSync(`${path}.put`, path);
    } catch (cause) {
      throw new StoreError('REFUSED', `writing ${key}: ${(cause as Error).message}`, { key, cause });
    }
    const etag = `etag-${++this.#versions}`;
    this.#etags.set(key, { etag, file: fileOf(path)!, metadata });
    return { etag };
  }

  async get(key: string, { offset = 0, length, ifMatch, signal }: GetOptions): Promise<StoredObject> {
    signal.throwIfAborted();
    const etag = this.#etag(key);
    if (etag === undefined) throw new StoreError('NOT_FOUND', `there is no ${key}`, { key });
    if (ifMatch !== undefined && ifMatch !== etag) {
      throw new StoreError('CONDITION_FAILED', `${key} has changed`, { key });
    }
    const bytes = readFileSync(join(this.name, key));
    const known = this.#etags.get(key);
    return {
      bytes: bytes.subarray(offset, length === undefined ? undefined : offset + length),
      etag,
      metadata: known?.etag === etag ? known.metadata : undefined,
    };
  }

  async list(prefix: string, { signal }: ListOptions): Promise<ListPage> {
    signal.throwIfAborted();
    let names: string[];
    try {
      const entries = readdirSync(this.name, { recursive: true, withFileTypes: true });
      names = entries
        .filter((entry) => entry.isFile())
        .map((entry) => relative(this.name, join(entry.parentPath ?? entry.path, entry.name)));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return { objects: [] };
      throw new StoreError('REFUSED', `listing: ${(cause as Error).message}`, { cause });
    }
    const objects = names
      .filter((key) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
      .map((key): ListedObject => {
        const { size, mtimeMs } = statSync(join(this.name, key));
        return { key, size, modified: mtimeMs, etag: this.#etag(key)! };
      });
    return { objects };
  }

  async delete(keys: readonly string[], { signal }: CallOptions): Promise<void> {
    signal.throwIfAborted();
    for (const key of keys) rmSync(join(this.name, key), { force: true });
  }

  #etag(key: string): string | undefined {
    const file = fileOf(join(this.name, key));
    const known = this.#etags.get(key);
    return known !== undefined && known.file === file ? known.etag : file;
  }
}

/** What tells this file from another one, and from a changed one. Undefined if there is none. */
function fileOf(path: string): string | undefined {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stat?.isFile() ? `${stat.ino}-${stat.size}-${stat.mtimeNs}-${stat.ctimeNs}` : undefined;
}
