import { createHash } from 'node:crypto';

/** The state file of a repository: its pins, its history and the damage that was found. RocksDB's engine ignores it. */
export const STATE_FILE = 'rocksdb-backup.state.json';
/** The state file's version before its last change. It is read if the state file itself cannot be used. */
export const PREVIOUS_STATE_FILE = 'rocksdb-backup.state.previous.json';

/**
 * The text of the file. Its last member is a checksum of the rest: a bit that flips on the disk could otherwise turn one pin into another.
 */
export function writtenText(state: object): string {
  const text = JSON.stringify(state);
  return `${text.slice(0, -1)},"checksum":"${digestOf(text)}"}\n`;
}

/**
 * Parses the text of a state file. Undefined if it differs from what was written. A text without a checksum is accepted: somebody may have
 * written it by hand.
 */
export function parseWritten(text: string): Record<string, unknown> | undefined {
  const [tail, checksum] = /,"checksum":"([^"]*)"\}\s*$/.exec(text) ?? [];
  if (tail !== undefined && digestOf(`${text.slice(0, text.lastIndexOf(tail))}}`) !== checksum) {
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
