import { constants, type FileHandle, open } from 'node:fs/promises';

/** Far more than any file that is kept beside backups has. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Reads the text of a file in a directory where others may put things. The path may lead to something that is not a plain file: a FIFO
 * would block one of the few threads for ever, and some devices have no end. A part of a file never passes for the whole: it is an error if
 * the disk or the network gives fewer bytes than the file has.
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

/** Reads until the buffer is full or the file ends. @returns how many bytes were read */
async function readFully(file: FileHandle, into: Buffer): Promise<number> {
  for (let length = 0; ; ) {
    const { bytesRead } = await file.read(into, length, into.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === into.length) {
      return length;
    }
  }
}
