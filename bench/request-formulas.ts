// How many requests each operation of a repository in a store sends. Tests compare it with what is sent, and so does the benchmark.

export const KINDS = ['list', 'get', 'put', 'delete', 'create', 'part', 'complete'] as const;
export type Counts = Record<(typeof KINDS)[number], number>;

/** What the numbers depend on. */
export interface RequestCase {
  /** Of a list of the repository: 1 for each 1,000 objects. @default 1 */
  pages?: number;
  /** Of the backup that is made or copied: the tables that the repository does not have. */
  newTables?: number;
  /** Of the backup that is read: its tables, and one more for each further piece of 8 MiB. */
  pieces?: number;
  /** Of a list, a delete or a copy. */
  backups?: number;
  /** Backups that this process has not read since they were made. */
  unread?: number;
}

/** Exactly so many, or at most. */
export type Expected = number | { atMost: number };
export type ExpectedCounts = Partial<Record<keyof Counts, Expected>>;

const atMost = (number: number): Expected => ({ atMost: number });

/**
 * Beside its tables, a backup has a MANIFEST, CURRENT, OPTIONS and a log. An empty log is written, but need not be read. Whoever writes or
 * deletes holds a lease: one object that is put and deleted. Whoever reads a backup does, too, and looks whether it is being deleted.
 */
export const EXPECTED = {
  'open a new repository': () => ({ list: 1, put: 4 }),
  'open to read': ({ pages = 1, unread = 0 }) => ({ list: pages, get: 2 * unread }),
  'open to write': ({ pages = 1, unread = 0 }) => ({ list: pages, get: 2 * unread, put: 1 }),
  // The list of files and the record are read back after they were written.
  create: ({ pages = 1, newTables = 0, unread = 0 }) => ({
    list: pages,
    get: atMost(3 + 2 * unread),
    put: newTables + 7,
    delete: 1,
  }),
  list: ({ pages = 1, unread = 0 }) => ({ list: pages, get: atMost(3 * unread) }),
  'verify, names and sizes': ({ pages = 1, unread = 0 }) => ({
    list: pages,
    get: atMost(5 + 2 * unread),
    put: 1,
    delete: 1,
  }),
  'verify with checksums': ({ pages = 1, pieces = 0, unread = 0 }) => ({
    list: pages,
    get: pieces + 7 + 2 * unread,
    put: 1,
    delete: 1,
  }),
  restore: ({ pages = 1, pieces = 0, unread = 0 }) => ({
    list: pages,
    get: pieces + 6 + 2 * unread,
    put: 1,
    delete: 1,
  }),
  'open in place and read a key': ({ pages = 1, unread = 0 }) => ({
    list: pages,
    get: atMost(10 + 2 * unread),
    put: 1,
    delete: 1,
  }),
  'open in place and read all': ({ pages = 1, pieces = 0, unread = 0 }) => ({
    list: pages,
    get: atMost(pieces + 10 + 2 * unread),
    put: 1,
    delete: 1,
  }),
  // Deletes take 1,000 keys at a time, and renew the lease before each.
  // The known damage is in the state, or in its copy. One list is of the readers' leases.
  delete: ({ pages = 1, backups = 1, unread = 0 }) => ({
    list: 2 * pages + 1,
    get: atMost(2 + 2 * unread),
    put: backups + 3,
    delete: backups + 3,
  }),
  garbageCollect: ({ pages = 1, unread = 0 }) => ({ list: pages + 1, get: 2 * unread, put: 1, delete: 1 }),
  'copy, in the source': ({ pages = 1, newTables = 0, backups = 0, unread = 0 }) => ({
    list: 2 * pages,
    get: atMost(newTables + 7 * backups + 2 + 2 * unread),
    put: backups,
    delete: backups,
  }),
  // It has no state yet, which would have the known damage, and no copy of it.
  'copy, in a new repository': ({ newTables = 0, backups = 0 }) => ({
    list: 2,
    get: 2,
    put: newTables + 6 * backups + 5,
    delete: 1,
  }),
  // A create, a verify of names and sizes, and three changes of the state.
  'backupNow of a manager': ({ pages = 1, newTables = 0, unread = 0 }) => ({
    list: 2 * pages,
    get: atMost(13 + 2 * unread),
    put: newTables + 17,
    delete: 5,
  }),
  'backupNow of a manager, nothing new': ({ pages = 1 }) => ({ list: 2 * pages, get: atMost(8), put: 7, delete: 3 }),
} satisfies Record<string, (of: RequestCase) => ExpectedCounts>;

/** What differs between what was sent and what is expected. Empty if nothing does. */
export function unexpected(counts: Counts, expected: ExpectedCounts): string[] {
  return (Object.keys(counts) as (keyof Counts)[]).flatMap((kind) => {
    const wanted = expected[kind] ?? 0;
    const isGood = typeof wanted === 'number' ? counts[kind] === wanted : counts[kind] <= wanted.atMost;
    return isGood
      ? []
      : [
          `${kind}: ${counts[kind]}, expected ${typeof wanted === 'number' ? '' : 'at most '}${
            typeof wanted === 'number' ? wanted : wanted.atMost
          }`,
        ];
  });
}
