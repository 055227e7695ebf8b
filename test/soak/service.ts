// The service of the soak: it writes without pause, and its manager backs up, prunes, verifies and drills. Its parent stops and kills it.
// It reports what it does in lines of JSON.

import { appendFileSync, closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { BackupManager, Database } from '../../lib/index.js';
import { Random } from '../fixtures/random.js';
import { COUNT_KEY, FAMILIES, fillBatch } from './model.js';

export interface ServiceOptions {
  directory: string;
  seed: number;
  round: number;
  /** Makes a final backup when it is told to stop. */
  finalBackup: boolean;
  minInterval: number;
  schedule: number;
  drill: number;
  /** Makes a mistake on purpose: leaves out what every tenth batch must write. */
  tamper?: 'lost write' | undefined;
}

/** A line that the service prints. */
export interface ServiceEvent {
  event: 'ready' | 'start' | 'backup' | 'pruned' | 'verified' | 'drilled' | 'failure' | 'stopped' | 'lost';
  [detail: string]: unknown;
}

const tell = (line: ServiceEvent) => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** The number of the last batch that was acknowledged. It is in a file, which survives when the process is killed. */
class Acknowledged {
  readonly #file: number;
  n: number;

  constructor(path: string) {
    this.n = existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0;
    this.#file = openSync(path, existsSync(path) ? 'r+' : 'w+');
  }

  set(n: number): void {
    this.n = n;
    writeSync(this.#file, String(n).padStart(12, '0'), 0);
  }

  close(): void {
    closeSync(this.#file);
  }
}

async function main(options: ServiceOptions): Promise<void> {
  const { directory, seed, round } = options;
  const random = new Random(seed + round * 7919);
  const acknowledged = new Acknowledged(join(directory, 'acknowledged'));
  const db = await Database.open(join(directory, 'db'), {
    columnFamilies: Object.fromEntries(FAMILIES.filter((name) => name !== 'default').map((name) => [name, {}])),
    writeBufferSize: 1 << 20,
  });
  let n = Number((await db.get(COUNT_KEY, { encoding: 'utf8' })) ?? 0);
  if (n < acknowledged.n) {
    tell({ event: 'lost', message: `the database is at batch ${n}, but ${acknowledged.n} was acknowledged` });
    process.exit(3);
  }

  const manager = new BackupManager({
    db,
    location: join(directory, 'backups'),
    schedule: options.schedule,
    minInterval: options.minInterval,
    fullEvery: 4,
    retention: { last: 4, within: '20s' },
    verify: 'checksum',
    drill: { schedule: options.drill, directory: join(directory, 'drills') },
    metadata: () => ({ acknowledged: acknowledged.n }),
    auditLog: join(directory, 'audit.jsonl'),
  });
  const pinLog = (line: string) => appendFileSync(join(directory, 'pins.log'), `${line}\n`, { flush: true } as object);
  let pinning: Promise<unknown> = Promise.resolve();
  manager.on('start', ({ kind }) => tell({ event: 'start', kind }));
  manager.on('backup', ({ info, kind, trigger }) => {
    if (random.below(5) === 0) {
      const name = `${info.backupId} ${info.timestamp.toISOString()}`;
      pinning = pinning
        .then(() => manager.pin(info.backupId, 'soak'))
        .then(() => pinLog(name))
        .catch(() => undefined);
    }
    tell({ event: 'backup', backupId: info.backupId, kind, trigger });
  });
  manager.on('verified', ({ backupId }) => tell({ event: 'verified', backupId }));
  manager.on('pruned', (_plan, deleted) => deleted.length > 0 && tell({ event: 'pruned', deleted }));
  manager.on('drilled', ({ keys }) => tell({ event: 'drilled', keys }));
  manager.on('failure', ({ operation, error }) => tell({ event: 'failure', operation, message: error.message }));
  manager.start();

  let stopping = false;
  process.once('SIGTERM', () => {
    stopping = true;
  });
  tell({ event: 'ready', n });
  while (!stopping) {
    n++;
    const batch = fillBatch(db, seed, n);
    if (options.tamper === 'lost write' && n % 10 === 0) batch.clear().put(COUNT_KEY, String(n));
    await batch.write();
    acknowledged.set(n);
    manager.notifyChange();
    // Lets the rest of the service run.
    if (n % 8 === 0) await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await pinning;
  await manager.stop({ finalBackup: options.finalBackup });
  await db.close();
  acknowledged.close();
  tell({ event: 'stopped', n });
}

main(JSON.parse(process.argv[2]!)).catch((error: Error) => {
  tell({ event: 'failure', operation: 'service', message: String(error.stack) });
  process.exitCode = 1;
});
