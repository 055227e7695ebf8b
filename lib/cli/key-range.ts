import type { KeyRange } from '../native/options.js';

/**
 * The range of keys that satisfy all these conditions. `order` is 1 if the family is sorted by bytes, and -1 if it is sorted in reverse.
 */
export function keyRange(
  prefix: Buffer | undefined,
  from: Buffer | undefined,
  to: Buffer | undefined,
  order: 1 | -1,
): KeyRange {
  const after = prefix === undefined ? undefined : afterPrefix(prefix);
  // In the order of bytes, the keys with a prefix are [prefix, after). In reverse order, they are (after, prefix].
  const lower: Bound[] = [
    { key: order === 1 ? prefix : after, open: order === -1 },
    { key: from, open: false },
  ];
  const upper: Bound[] = [
    { key: order === 1 ? after : prefix, open: order === 1 },
    { key: to, open: true },
  ];
  const tightest = (bounds: Bound[], direction: 1 | -1) =>
    bounds
      .filter((bound): bound is { key: Buffer; open: boolean } => bound.key !== undefined)
      .sort((a, b) => direction * order * Buffer.compare(b.key, a.key) || Number(b.open) - Number(a.open))[0];
  const low = tightest(lower, 1);
  const high = tightest(upper, -1);
  return {
    ...(low === undefined ? {} : { [low.open ? 'gt' : 'gte']: low.key }),
    ...(high === undefined ? {} : { [high.open ? 'lt' : 'lte']: high.key }),
  };
}

interface Bound {
  key: Buffer | undefined;
  /** Whether the key itself is excluded. */
  open: boolean;
}

/** The first key after all keys with a prefix. Undefined if there can be none. */
function afterPrefix(prefix: Buffer): Buffer | undefined {
  for (let end = prefix.length; end > 0; end--) {
    if (prefix[end - 1]! < 0xff) {
      const after = Buffer.from(prefix.subarray(0, end));
      after[end - 1]!++;
      return after;
    }
  }
  return undefined;
}
