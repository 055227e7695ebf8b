import { inGroups } from './in-groups.js';
import { StoreError } from './object-store.js';
import { stillThere } from './store-failure.js';

/** Deletes objects one by one, so many at the same time. Goes on after an object that the store refuses to delete. */
export async function deleteEach(
  keys: readonly string[],
  atOnce: number,
  deleteOne: (key: string) => Promise<unknown>,
): Promise<void> {
  let first: StoreError | undefined;
  const refused: string[] = [];
  await inGroups(keys, atOnce, (key) =>
    deleteOne(key).catch((error) => {
      if (!(error instanceof StoreError) || error.kind !== 'REFUSED') throw error;
      first ??= error;
      refused.push(key);
    }),
  );
  if (first !== undefined) throw stillThere(first, refused);
}
