// What the databases of the stores experiment hold: it follows from a seed and the steps that were written. So the parent knows the content
// of each backup without reading any.

import { createCipheriv, createHash, type Hash } from 'node:crypto';
import type { Database } from '../../../lib/index.js';
import { Random } from '../../fixtures/random.js';

/** Each step writes under this key what the database holds now. */
const CONTENT_KEY = 'content';
/** A value of this key is larger than a part of an upload. */
const LARGE_KEY = 'large';
const KEYS = 300;
const PUTS_IN_A_STEP = 12;
const LARGE_BYTES = 9 * 2 ** 20;

interface Put {
  key: string;
  size: number;
}

function putsOf(seed: number, step: number): Put[] {
  const random = new Random(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(step, 0xc2b2ae35));
  return Array.from({ length: PUTS_IN_A_STEP }, () => ({
    key: `key:${String(random.below(KEYS)).padStart(4, '0')}`,
    size: random.below(2000),
  }));
}

/** Bytes that nothing compresses. */
function bytesOf(seed: number, step: number, { key, size }: Put): Buffer {
  const secret = createHash('sha256').update(`${seed} ${step} ${key}`).digest();
  return createCipheriv('aes-128-ctr', secret.subarray(0, 16), secret.subarray(16)).update(Buffer.alloc(size));
}

/** What a database holds. */
export interface Content {
  steps: number;
  /** The last step that wrote the large value. 0: none did. */
  large: number;
}

/** Writes the next step in one batch. */
export async function writeStep(db: Database, seed: number, before: Content, large: boolean): Promise<Content> {
  const step = before.steps + 1;
  const content = { steps: step, large: large ? step : before.large };
  const batch = db.batch();
  for (const put of putsOf(seed, step)) batch.put(put.key, bytesOf(seed, step, put));
  if (large) batch.put(LARGE_KEY, bytesOf(seed, step, { key: LARGE_KEY, size: LARGE_BYTES }));
  await batch.put(CONTENT_KEY, JSON.stringify(content)).write();
  return content;
}

/** What a database says that it holds. */
export async function contentOf(db: Database): Promise<Content> {
  const text = await db.get(CONTENT_KEY, { encoding: 'utf8' });
  return text === undefined ? { steps: 0, large: 0 } : JSON.parse(text);
}

/** The digest that a database with this content has. */
export function digestOf(seed: number, { steps, large }: Content): string {
  const last = new Map<string, { step: number; put: Put }>();
  for (let step = 1; step <= steps; step++) {
    for (const put of putsOf(seed, step)) last.set(put.key, { step, put });
  }
  if (large > 0) last.set(LARGE_KEY, { step: large, put: { key: LARGE_KEY, size: LARGE_BYTES } });
  const hash = createHash('sha256');
  for (const [key, { step, put }] of [...last].sort(([a], [b]) => (a < b ? -1 : 1))) {
    add(hash, key, bytesOf(seed, step, put));
  }
  return hash.digest('hex');
}

/** The digest of what a database holds, and the number of its keys. */
export async function readDigest(db: Database): Promise<{ digest: string; keys: number }> {
  const hash = createHash('sha256');
  let keys = 0;
  for await (const [key, value] of db.iterator()) {
    if (key.toString() === CONTENT_KEY) continue;
    add(hash, key.toString(), value);
    keys++;
  }
  return { digest: hash.digest('hex'), keys };
}

function add(hash: Hash, key: string, value: Uint8Array): void {
  hash.update(`${key} ${value.length}\n`).update(value);
}
