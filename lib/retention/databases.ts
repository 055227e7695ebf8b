/** Anything that belongs to a database, as far as that is known. */
interface OfDatabase {
  databaseId?: string | undefined;
}

/** The backups of one database, and those whose database is not known. All backups if `databaseId` is undefined. */
export function ownBackups<B extends OfDatabase>(backups: readonly B[], databaseId: string | undefined): B[] {
  return backups.filter(
    (backup) => databaseId === undefined || backup.databaseId === undefined || backup.databaseId === databaseId,
  );
}

/**
 * Groups backups by their databases, in the order of the first backup of each. If there is only one database, backups whose database is not
 * known count as its backups. If there are several, such backups form a group of their own, under undefined.
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
