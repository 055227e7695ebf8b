import { createHash } from 'node:crypto';

/** The file of a backup directory with its pins, its history and what was found damaged. RocksDB's engine ignores it. */
export const STATE_FILE = 'rocksdb-backup.state.json';
/** What it was before its last change: read where the file itself cannot be. */
export const PREVIOUS_STATE_FILE = 'rocksdb-backup.state.previous.json';

/** With its own checksum as the last member: a bit that flips on the disk could make one pin of another. */
export function writtenText(state: object): string {
  const text = JSON.stringify(state);
  return `${text.slice(0, -1)},"checksum":"${digestOf(text)}"}\n`;
}

/** What a file says; undefined where it is not as it was written. One without a checksum may be somebody's own. */
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
