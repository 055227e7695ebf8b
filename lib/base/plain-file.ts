import { constants, type FileHandle, open } from 'node:fs/promises';

/** Far more than anything that is kept beside backups. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * The text of a file among files of others. What lies there may be no file: a FIFO would hold up one of the few threads for ever,
 * and some devices have no end. Half of a file is never taken for the whole: a disk or a network that gives less than there is,
 * is an error.
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
    const bytes = Buffer.alloc(found.size);
    const length = await readFully(file, bytes);
    if (length < bytes.length) {
      throw new Error(`only ${length} of its ${bytes.length} bytes could be read`);
    }
    return bytes.toString('utf8');
  } finally {
    await file.close();
  }
}

/** Reads until the bytes are filled or the file ends. @returns how many were read */
async function readFully(file: FileHandle, into: Buffer): Promise<number> {
  for (let length = 0; ; ) {
    const { bytesRead } = await file.read(into, length, into.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === into.length) {
      return length;
    }
  }
}
