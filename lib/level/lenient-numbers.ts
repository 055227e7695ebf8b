/**
 * The numeric options that classic-level and rocksdb have in common, with the smallest values that LevelDB and RocksDB accept. Both
 * packages accept any value here: there are services that pass a `cacheSize` from an environment variable, which is a string.
 */
const LEAST = {
  blockRestartInterval: 1,
  blockSize: 1 << 10,
  cacheSize: 0,
  maxOpenFiles: 20,
  writeBufferSize: 64 << 10,
};

/** The names of these options. */
type LenientNumber = keyof typeof LEAST;

/** Whether an option is one of them. */
export function isLenientNumber(name: string): name is LenientNumber {
  return Object.hasOwn(LEAST, name);
}

/**
 * Converts these options as both packages do. A value that is not a number is ignored. A value that is too small becomes the smallest
 * possible one. -1 for open files means all of them, as in RocksDB.
 */
export function lenientNumbersOf(given: { [name in LenientNumber]?: unknown }): { [name in LenientNumber]?: number } {
  const numbers: { [name in LenientNumber]?: number } = {};
  for (const name of Object.keys(LEAST) as LenientNumber[]) {
    const value = given[name];
    if (typeof value === 'number') {
      const isAll = name === 'maxOpenFiles' && value === -1;
      numbers[name] = isAll ? value : Math.max(LEAST[name], Math.floor(value) || 0);
    }
  }
  return numbers;
}
