// What the writer of the soak writes, and so what every consistent state of its database is: batch n follows from a seed and n, and the
// state after n batches follows from all batches up to n.

import type { Database, WriteBatch } from '../../lib/index.js';
import { Random } from '../fixtures/random.js';

export const FAMILIES = ['default', 'users', 'journal'] as const;
type Family = (typeof FAMILIES)[number];

/** Each batch puts its number under this key. */
export const COUNT_KEY = 'soak:batch';

const KEYS = 5000;

interface Operation {
  family: Family;
  kind: 'put' | 'delete' | 'deleteRange';
  key: string;
  /** For a deleteRange: where it ends. */
  end?: string;
  size?: number;
}

const keyOf = (n: number) => `key:${String(n).padStart(6, '0')}`;

/** The operations of batch n. */
export function operationsOf(seed: number, n: number): Operation[] {
  const random = new Random(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n, 0xc2b2ae35));
  return Array.from({ length: 1 + random.below(12) }, () => {
    const family = random.pick(FAMILIES);
    const at = random.below(KEYS);
    const kind = random.below(100);
    if (kind === 0) {
      return { family, kind: 'deleteRange', key: keyOf(at), end: keyOf(at + 1 + random.below(30)) };
    }
    return kind < 20
      ? { family, kind: 'delete', key: keyOf(at) }
      : { family, kind: 'put', key: keyOf(at), size: random.below(100) === 0 ? 20_000 : random.below(600) };
  });
}

/** The value shows which batch wrote it. */
export function valueAfter(n: number, key: string, size: number): string {
  const head = `${n}/${key}/`;
  return head + String.fromCharCode(97 + (n % 26)).repeat(size);
}

/** Puts the operations of batch n, and its number, into a batch of the database. */
export function fillBatch(db: Database, seed: number, n: number): WriteBatch {
  const batch = db.batch();
  for (const { family, kind, key, end, size } of operationsOf(seed, n)) {
    const options = { columnFamily: db.columnFamily(family) };
    if (kind === 'put') batch.put(key, valueAfter(n, key, size!), options);
    else if (kind === 'delete') batch.delete(key, options);
    else batch.deleteRange(key, end!, options);
  }
  return batch.put(COUNT_KEY, String(n));
}

/** The state after a number of batches. The number can only grow. */
export class Model {
  readonly #seed: number;
  readonly #families = new Map<Family, Map<string, { n: number; size: number }>>(
    FAMILIES.map((name) => [name, new Map()]),
  );
  #n = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  advanceTo(n: number): void {
    if (n < this.#n) throw new Error(`the model is at ${this.#n} already`);
    while (this.#n < n) {
      this.#n++;
      for (const { family, kind, key, end, size } of operationsOf(this.#seed, this.#n)) {
        const keys = this.#families.get(family)!;
        if (kind === 'put') keys.set(key, { n: this.#n, size: size! });
        else if (kind === 'delete') keys.delete(key);
        else for (let at = Number(key.slice(4)); keyOf(at) < end!; at++) keys.delete(keyOf(at));
      }
    }
  }

  /** Reads a whole database. @returns how many keys were compared; throws at the first that is wrong */
  async compare(db: Database): Promise<number> {
    let compared = 0;
    const families = [...db.columnFamilies].sort().join(', ');
    if (families !== [...FAMILIES].sort().join(', ')) throw new Error(`its column families are ${families}`);
    for (const family of FAMILIES) {
      const expected = this.#families.get(family)!;
      let found = 0;
      for await (const [key, value] of db.columnFamily(family).iterator({ encoding: 'utf8' })) {
        if (family === 'default' && key === COUNT_KEY) continue;
        const entry = expected.get(key);
        if (entry === undefined)
          throw new Error(`${family}/${key} is there, which after batch ${this.#n} it must not be`);
        if (value !== valueAfter(entry.n, key, entry.size)) {
          throw new Error(
            `${family}/${key} is ${value.slice(0, 40)}..., and should be of batch ${entry.n}, ${entry.size} long`,
          );
        }
        found++;
      }
      if (found !== expected.size)
        throw new Error(`${family} has ${found} of ${expected.size} keys of batch ${this.#n}`);
      compared += found;
    }
    return compared;
  }
}
