/** Whatever is of a database, as far as that is known. */
interface OfDatabase {
  databaseId?: string | undefined;
}

/** Those of one database, and those of which nothing tells the database; all if it is not known which. */
export function ownBackups<B extends OfDatabase>(backups: readonly B[], databaseId: string | undefined): B[] {
  return backups.filter(
    (backup) => databaseId === undefined || backup.databaseId === undefined || backup.databaseId === databaseId,
  );
}

/**
 * Backups by the databases that they are of, in the order of the first of each. One of which nothing tells the database is of the
 * only one that there is; where there are several, such ones stand for themselves, under undefined.
 */
export function byDatabase<B extends OfDatabase>(backups: readonly B[]): [databaseId: string | undefined, own: B[]][] {
  const known = new Set(backups.map(({ databaseId }) => databaseId).filter((id) => id !== undefined));
  if (known.size <= 1) {
    return backups.length === 0 ? [] : [[[...known][0], [...backups]]];
  }
  const databases = new Map<string | undefined, B[]>();
  for (const backup of backups) {
    const own = databases.get(backup.databaseId);
    if (own === undefined) {
      databases.set(backup.databaseId, [backup]);
    } else {
      own.push(backup);
    }
  }
  return [...databases];
}
