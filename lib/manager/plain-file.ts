import { constants, open } from 'node:fs/promises';

/** Far more than anything that is kept beside backups. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The text of a file among files of others. What lies there may be no file: a FIFO would hold up one of the few threads for ever,
 * and some devices have no end.
 */
export async function readPlainFile(path: string): Promise<string> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)); // Windows has no such flag
  try {
    const found = await file.stat();
    if (!found.isFile()) {
      throw new Error('it is no plain file');
    }
    if (found.size > MOST_BYTES) {
      throw new Error(`it has ${found.size} bytes, which is too much`);
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}
