import { open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { writeDurably } from '../../base/durable-file.js';
import { UsageError } from '../errors.js';
import { unreadable } from '../unreadable.js';

const BEGINNING = '<!doctype html>';

/** Refuses to replace a file that is not a report, so that a mistyped name does not destroy another file. */
export async function checkReplaceable(file: string): Promise<void> {
  const existing = await open(file, 'r').catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      return checkDirectoryOf(file);
    }
    throw unreadable(file, error);
  });
  if (existing === undefined) {
    return;
  }
  try {
    if ((await existing.stat()).isDirectory()) {
      throw new UsageError(`${file} is a directory: give the page a name in it.`);
    }
    const { buffer, bytesRead } = await existing.read(Buffer.alloc(BEGINNING.length), 0, BEGINNING.length, 0);
    if (bytesRead > 0 && buffer.toString('latin1', 0, bytesRead) !== BEGINNING) {
      throw new UsageError(`${file} exists and is not an HTML page, so it is not replaced. Choose another name.`);
    }
  } finally {
    await existing.close();
  }
}

async function checkDirectoryOf(file: string): Promise<undefined> {
  const directory = dirname(file);
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) {
    const what = found === undefined ? 'is missing' : 'is no directory';
    throw new UsageError(
      `${file} cannot be written: its directory ${directory} ${what}. Make it first, or choose another place.`,
    );
  }
}

/** writeDurably writes a temporary file first. The user does not know that name, so error messages must not contain it. */
export async function writePage(file: string, page: string): Promise<void> {
  await writeDurably(file, page).catch((cause: NodeJS.ErrnoException) => {
    const [, reason] = getSystemErrorMap().get(cause.errno ?? 0) ?? [cause.code, cause.message];
    throw Object.assign(new Error(`${file} cannot be written: ${reason}`, { cause }), { code: cause.code });
  });
}
