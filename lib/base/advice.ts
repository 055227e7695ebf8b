// What can be done about an error, in the words of the library. Native code and lib name an advice; the command line has words of its
// own for each (lib/cli/advice.ts).

export const LIBRARY_ADVICE = {
  bringBackOrForce: 'If their files are only missing for now, bring them back; to give them up, pass force: true.',
  bringBackOrGiveUp: 'Bring the missing files back, or give the backup up with deleteBackup(id, { force: true }).',
  checkPath: 'Check the path; an engine opened without readOnly: true makes a new one.',
  closeThereOrReadOnly: 'Close it there first, or open it here with mode "readOnly" or as a secondary.',
  createIfMissing: 'Check the path, or let createIfMissing be true.',
  drillElsewhere: 'Free some space, or drill in another directory.',
  freeSpaceForBackup: 'Free some space, delete old backups, or pass checkDiskSpace: false to try all the same.',
  freeSpaceForRestore: 'Free some space, or pass checkDiskSpace: false to try all the same.',
  includeDamaged: 'If that was repaired, verify it with checksums; pass includeDamaged: true to try it as it is.',
  listUnreadable: 'getCorruptedBackups() tells which backups cannot be used.',
  nameMergeOperator: 'Name the merge operator in mergeOperator, or remove the file if nothing was ever merged.',
  nameSimilarMergeOperator: 'Name one that does the same in mergeOperator; any will do if nothing was merged.',
  openInPlace: 'Open it with openBackup(), or move it.',
  openToWrite: 'Open it without readOnly: true to create or delete backups.',
  orOpenReadOnly: "Or open it with mode 'readOnly'.",
  otherWalDirectory: 'Choose a new directory as walDir, or move these files away first.',
  overwrite:
    'Restore to a new one, or pass overwrite: true, which replaces the database there once the restored one is complete and leaves ' +
    'other files where they are.',
  replaceOtherDatabase: 'Restore to a new directory, or pass allowOtherDatabase: true, which replaces what is there.',
  shareRepository:
    'Back it up to a directory of its own; or, if both are to be in one, pass allowOtherDatabase: true once.',
} as const satisfies Record<string, string>;

/** The name of an advice. */
export type Advice = keyof typeof LIBRARY_ADVICE;

/** What happened, and what can be done about it. */
export function withAdvice(whatHappened: string, advice: string | undefined): string {
  return advice === undefined || advice === '' ? whatHappened : `${withoutFullStop(whatHappened)}. ${advice}`;
}

/** The text for use inside a sentence, or before another one. */
export function withoutFullStop(text: string): string {
  return text.replace(/\.$/, '');
}
