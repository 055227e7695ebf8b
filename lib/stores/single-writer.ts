import { describe, invalidOption } from '../base/errors.js';

/** An option of every store. */
export interface SingleWriterOption {
  /**
   * For a store without conditional writes. You promise that only one process at a time makes or deletes backups in this repository, or
   * changes pins; others may read. A second writer is noticed then, except if it begins within the same moment. Where the store has
   * conditions, they are used all the same. @default false: a store without conditional writes is refused
   */
  singleWriter?: boolean | undefined;
}

export function checkSingleWriter({ singleWriter }: SingleWriterOption): void {
  if (singleWriter !== undefined && typeof singleWriter !== 'boolean') {
    throw invalidOption(TypeError, 'singleWriter', 'true or false', describe(singleWriter));
  }
}
