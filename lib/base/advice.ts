// What can be done about an error, in the words of the library. Native code and lib name an advice; the command line has words of its
// own for each (lib/cli/advice.ts).

export const LIBRARY_ADVICE = {
  allowAccess: 'Give the user who runs this the right to it (owner, mode).',
  bringBackOrForce: 'If their files are only missing for now, bring them back. To give them up, pass force: true.',
  bringBackOrGiveUp: 'Bring the missing files back, or give up the backup with deleteBackup(id, { force: true }).',
  checkDisk: 'See to the disk.',
  chooseEra: 'Name the era, or the timeline, or recover by a sequence number.',
  checkPath:
    'Check the path or the URL. Without readOnly: true and createIfMissing: false, an engine creates the repository.',
  closeThereOrReadOnly: 'Close it there first, or open it here with mode "readOnly" or as a secondary.',
  copyAgain:
    'If it was repaired, verify it there with checksum: true. Otherwise delete there all backups that have the damage, and copy them again.',
  copyElsewhere: 'Copy to another repository, or copy only other backups with backupIds.',
  createIfMissing: 'Check the path, or set createIfMissing to true.',
  drillElsewhere: 'Free some space, or drill in another directory.',
  freeSpaceForBackup: 'Free some space, delete old backups, or pass checkDiskSpace: false to try anyway.',
  freeSpaceForRestore: 'Free some space, or pass checkDiskSpace: false to try anyway.',
  includeDamaged: 'If the damage was repaired, verify it with checksums. Pass includeDamaged: true to try it anyway.',
  keepsDamaged:
    'If the damage was repaired, verify with checksum: true. Otherwise delete the damaged backups first, or pass force: true.',
  listUnreadable: 'getCorruptedBackups() lists the backups that cannot be used.',
  makeReadable: 'Make it readable for the user who runs this (owner, mode; in a store: its rights), then verify it.',
  mendLink: 'Bring back what the link leads to, or remove the link.',
  moveAwayNoLock: 'Move it away. The lock file is made anew.',
  moveAwayNoState: 'Move it away. The pins are then read from the copy in rocksdb-backup.state.previous.json.',
  moveHere: 'Put the file that it leads to in the place of the link.',
  nameMergeOperator:
    'Name the merge operator in mergeOperator, or remove the file if the database has no merged values.',
  nameSimilarMergeOperator:
    'Name an operator that does the same in mergeOperator. Any operator works if the database has no merged values.',
  openInPlace: 'Open it with openBackup(), or move it.',
  openToWrite: 'Open it without readOnly: true to create or delete backups.',
  orOpenReadOnly: "Or open it with mode 'readOnly'.",
  otherWalDirectory: 'Choose a new directory as walDir, or move these files away first.',
  overwrite:
    'Restore to a new directory, or pass overwrite: true, which replaces the database when the restored one is complete, and ' +
    'keeps all other files.',
  recoverLatest: 'recoverToLatest() brings back everything that is in the archive.',
  replaceOtherDatabase:
    'Restore to a new directory, or pass allowOtherDatabase: true, which replaces the database there.',
  seeToDisk: 'See to the disk or the store, which does not give it, then verify it.',
  shareRepository:
    'Back it up to its own repository. To keep both databases in one repository, pass allowOtherDatabase: true once.',
  replaceRecord:
    'All its other files are as they were written, so it can be restored. Make another backup; or delete the damaged record: then only the sizes ' +
    'of its files are not known any more.',
  setDrillDirectory: 'Set directory (of a BackupManager: drill.directory) to a place with room for the whole database.',
  singleWriter:
    'If the store has no conditional writes, and only one process at a time writes to this repository, pass singleWriter: true to the store, ' +
    'or ?singleWriter=true in its URL. docs/stores.md says what is promised then.',
  storeDenied:
    'Check the credentials, where the package of the vendor looks for them, and what they may do: list, read, write and delete below this prefix.',
  storeNoBucket: 'Check the name of the bucket, its region and the endpoint. A bucket is never created.',
  storeRefused: 'The store will not do it, also if it is asked again. Its own words say why.',
  storeUnreachable: 'Check the endpoint, the network and the state of the store, and try again.',
  useAnotherBackup: 'Restore another backup. Make a full one, then delete the damaged one.',
  verifyWithChecksums: 'Verify it with checksum: true, which reads every byte.',
} as const satisfies Record<string, string>;

/** The name of an advice. */
export type Advice = keyof typeof LIBRARY_ADVICE;

/** The advice on a backup that cannot be read for this reason. If it is damaged, the advice depends on what was to be done with it. */
export function adviceOn(why: 'denied' | 'io' | 'damaged', ifDamaged: Advice): Advice {
  return why === 'denied' ? 'makeReadable' : why === 'io' ? 'seeToDisk' : ifDamaged;
}

/** What happened, and what can be done about it. */
export function withAdvice(whatHappened: string, advice: string | undefined): string {
  return advice === undefined || advice === '' ? whatHappened : `${withoutFullStop(whatHappened)}. ${advice}`;
}

/** The text for use inside a sentence, or before another one. */
export function withoutFullStop(text: string): string {
  return text.replace(/\.$/, '');
}
