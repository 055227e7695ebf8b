// What can be done about an error, in the words of the command line.

import type { Advice } from '../base/advice.js';

/** An empty text: on the command line there is nothing to do about it. */
export const COMMAND_ADVICE: Readonly<Record<Advice, string>> = {
  allowAccess: 'Give the user who runs this the right to it (owner, mode).',
  bringBackOrForce: 'If their files are only missing for now, bring them back. To give them up, pass --force.',
  bringBackOrGiveUp: 'Bring the missing files back, or give up the backup with rocksdb-backup delete --force.',
  checkDisk: 'See to the disk.',
  chooseEra: 'Name the era with --era, or the timeline with --timeline, or recover by --sequence.',
  checkPath: 'Check the path or the URL.',
  closeThereOrReadOnly: 'Back it up from inside that process with BackupManager, or stop the service first.',
  copyAgain:
    'If it was repaired, run verify --checksum there. Otherwise delete there all backups that have the damage, and copy them again.',
  copyElsewhere: 'Copy to another repository, or copy only other backups with --id.',
  createIfMissing: 'Check the path.',
  drillElsewhere: 'Free some space, or choose another place with --directory.',
  freeSpaceForBackup: 'Free some space, delete old backups, or pass --no-space-check to try anyway.',
  freeSpaceForRestore: 'Free some space, or pass --no-space-check to try anyway.',
  includeDamaged: 'If the damage was repaired, verify it with checksums. Pass --include-damaged to try it anyway.',
  keepsDamaged:
    'If the damage was repaired, run verify --checksum. Otherwise delete the damaged backups first, or pass --force.',
  listUnreadable: 'rocksdb-backup list shows which backups cannot be used.',
  makeReadable: 'Make it readable for the user who runs this (owner, mode; in a store: its rights), then verify it.',
  mendLink: 'Bring back what the link leads to, or remove the link.',
  moveAwayNoLock: 'Move it away. The lock file is made anew.',
  moveAwayNoState: 'Move it away. The pins are then read from the copy in rocksdb-backup.state.previous.json.',
  moveHere: 'Put the file that it leads to in the place of the link.',
  nameMergeOperator:
    'Name the merge operator with --merge-operator, or remove the file if the database has no merged values.',
  nameSimilarMergeOperator:
    'Name an operator that does the same with --merge-operator. Any operator works if the database has no merged values.',
  openInPlace: 'Read it with get, scan and diff, or move it.',
  openToWrite: '',
  orOpenReadOnly: '',
  otherWalDirectory: 'Choose a new directory with --wal-dir, or move these files away first.',
  overwrite:
    'Restore to a new directory, or pass --overwrite, which replaces the database when the restored one is complete, and ' +
    'keeps all other files.',
  recoverLatest: 'recover --latest brings back everything that is in the archive.',
  replaceOtherDatabase:
    'Restore to a new directory, or pass --allow-other-database, which replaces the database there.',
  seeToDisk: 'See to the disk or the store, which does not give it, then verify it.',
  shareRepository:
    'Back it up to its own repository. To keep both databases in one repository, pass --allow-other-database once.',
  replaceRecord:
    'All its other files are as they were written, so it can be restored. Make another backup; or delete the damaged record: then only the sizes ' +
    'of its files are not known any more.',
  setDrillDirectory:
    'Name a place with room for the whole database with --directory (in the file of watch: drill.directory).',
  singleWriter:
    'If the store has no conditional writes, and only one process at a time writes to this repository, add ?singleWriter=true to the URL. ' +
    'docs/stores.md says what is promised then.',
  storeDenied:
    'Check the credentials in the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, ...), and what they may do: list, read, write and delete below this prefix.',
  storeNoBucket:
    'Check the name of the bucket, its region and the endpoint (?region=...&endpoint=...). A bucket is never created.',
  storeRefused: 'The store will not do it, also if it is asked again. Its own words say why.',
  storeUnreachable: 'Check the endpoint, the network and the state of the store, and try again.',
  useAnotherBackup: 'Restore another backup. Make a full one with create --full, then delete the damaged one.',
  verifyWithChecksums: 'Verify it with --checksum, which reads every byte.',
};
