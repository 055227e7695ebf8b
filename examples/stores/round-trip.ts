// What all examples of stores do: a database, two backups in the store, a verify, a restore, and a delete.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackupEngine, Database, type ObjectStore } from '../../lib/index.js';

export async function roundTrip(location: string | ObjectStore): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'rocksdb-backup-example-'));
  try {
    await using db = await Database.open(join(directory, 'users'));
    await using engine = await BackupEngine.open(location);
    console.log(`repository ${engine.location}`);

    await db.put('user:1', 'Ada');
    await db.flush(); // into a table, which both backups then share
    const first = await engine.createBackup(db);
    await db.put('user:2', 'Grace');
    const second = await engine.createBackup(db);
    console.log(`backups ${first.backupId} (${first.kind}) and ${second.backupId} (${second.kind})`);

    await engine.verifyBackup(second.backupId, { checksum: true });
    await engine.restoreBackup(second.backupId, join(directory, 'restored'));
    await using restored = await Database.open(join(directory, 'restored'), { createIfMissing: false });
    console.log(`restored: ${await restored.get('user:1')} and ${await restored.get('user:2')}`);

    await engine.deleteBackup(first.backupId);
    console.log(`left: ${(await engine.getBackupInfo()).map(({ backupId }) => backupId).join(', ')}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The n-th argument of the program. */
export function argument(n: number, usage: string): string {
  const value = process.argv[1 + n];
  if (value === undefined) {
    console.error(`usage: node ${usage}`);
    process.exit(2);
  }
  return value;
}
