// What can be done about an error, in the words of the command line.

import type { Advice } from '../base/advice.js';

/** An empty text: on the command line there is nothing to do about it. */
export const COMMAND_ADVICE: Readonly<Record<Advice, string>> = {
  bringBackOrForce: 'If their files are only missing for now, bring them back; to give them up, pass --force.',
  bringBackOrGiveUp: 'Bring the missing files back, or give the backup up with rocksdb-backup delete --force.',
  checkPath: 'Check the path.',
  closeThereOrReadOnly: 'Back it up from inside that process with BackupManager, or stop the service first.',
  createIfMissing: 'Check the path.',
  drillElsewhere: 'Free some space, or name another place with --directory.',
  freeSpaceForBackup: 'Free some space, delete old backups, or pass --no-space-check to try all the same.',
  freeSpaceForRestore: 'Free some space, or pass --no-space-check to try all the same.',
  includeDamaged: 'If that was repaired, verify it with checksums; pass --include-damaged to try it as it is.',
  listUnreadable: 'rocksdb-backup list tells which backups cannot be used.',
  nameMergeOperator: 'Name the merge operator with --merge-operator, or remove the file if nothing was ever merged.',
  nameSimilarMergeOperator: 'Name one that does the same with --merge-operator; any will do if nothing was merged.',
  openInPlace: 'Read it with get, scan and diff, or move it.',
  openToWrite: '',
  orOpenReadOnly: '',
  otherWalDirectory: 'Choose a new directory with --wal-dir, or move these files away first.',
  overwrite:
    'Restore to a new one, or pass --overwrite, which replaces the database there once the restored one is complete and leaves ' +
    'other files where they are.',
  replaceOtherDatabase: 'Restore to a new directory, or pass --allow-other-database, which replaces what is there.',
  shareRepository:
    'Back it up to a directory of its own; or, if both are to be in one, pass --allow-other-database once.',
};
