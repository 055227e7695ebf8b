/**
 * The options that classic-level and rocksdb have in common and that are numbers, with the least that LevelDB and RocksDB make
 * of each. Both packages take whatever they are given: so services run with a `cacheSize` out of an environment variable.
 */
const LEAST = {
  blockRestartInterval: 1,
  blockSize: 1 << 10,
  cacheSize: 0,
  maxOpenFiles: 20,
  writeBufferSize: 64 << 10,
};

/** The names of those options. */
export type DoorNumber = keyof typeof LEAST;

/** Whether an option is one of them. */
export function isDoorNumber(name: string): name is DoorNumber {
  return Object.hasOwn(LEAST, name);
}

/**
 * These options as both packages take them: what is no number counts as not given, what is too small as the least that is
 * possible. -1 open files are all of them, as in RocksDB.
 */
export function doorNumbersOf(given: { [name in DoorNumber]?: unknown }): { [name in DoorNumber]?: number } {
  const numbers: { [name in DoorNumber]?: number } = {};
  for (const name of Object.keys(LEAST) as DoorNumber[]) {
    const value = given[name];
    if (typeof value === 'number') {
      const isAll = name === 'maxOpenFiles' && value === -1;
      numbers[name] = isAll ? value : Math.max(LEAST[name], Math.floor(value) || 0);
    }
  }
  return numbers;
}
