// One of the processes that fight for a repository: it tries all operations and reports the result of each call.

import { writeSync } from 'node:fs';
import { BackupEngine, Database } from '../../lib/index.js';
import { Random } from '../fixtures/random.js';

export interface FightOptions {
  name: string;
  database: string;
  backups: string;
  seed: number;
  ms: number;
  purges: boolean;
}

export type Call = 'create' | 'delete' | 'purge' | 'list' | 'verify' | 'restore' | 'collect';

/** The result of a call. Its times come from the clock that all processes share. */
export interface Told {
  call: Call;
  begin: number;
  end: number;
  id?: number;
  keep?: number;
  metadata?: string;
  code?: string;
  message?: string;
}

const now = () => Number(process.hrtime.bigint() / 1000n);

async function fight({ name, database, backups, seed, ms, purges }: FightOptions): Promise<void> {
  const random = new Random(seed);
  const db = await Database.open(database);
  const engine = await BackupEngine.open(backups);
  const calls: Call[] = ['create', 'create', 'create', 'delete', 'delete', 'list', 'verify', 'restore', 'collect'];
  if (purges) calls.push('purge');
  const until = performance.now() + ms;
  for (let n = 0; performance.now() < until; n++) {
    const told: Told = { call: random.pick(calls), begin: now(), end: 0 };
    const pick = async () => {
      const id = random.pick(await engine.getBackupInfo())?.backupId ?? 1;
      told.begin = now();
      told.id = id;
      return id;
    };
    try {
      switch (told.call) {
        case 'create':
          told.metadata = `${name} ${n}`;
          await db.put(told.metadata, 'x'.repeat(1000));
          told.id = (await engine.createBackup(db, { metadata: told.metadata, allowOtherDatabase: true })).backupId;
          break;
        case 'delete':
          await engine.deleteBackup(await pick());
          break;
        case 'purge':
          told.keep = 2 + random.below(4);
          await engine.purgeOldBackups(told.keep);
          break;
        case 'list': {
          const corrupt = await engine.getCorruptedBackups();
          if (corrupt.length > 0) throw new Error(`backups ${corrupt} are taken for corrupt`);
          const ids = (await engine.getBackupInfo({ fileDetails: true })).map(({ backupId }) => backupId);
          if (new Set(ids).size !== ids.length) throw new Error(`an id is listed twice: ${ids}`);
          break;
        }
        case 'verify':
          await engine.verifyBackup(await pick(), { checksum: true });
          break;
        case 'restore':
          await engine.restoreBackup(await pick(), `${database}-restored`, {
            overwrite: true,
            allowOtherDatabase: true,
          });
          break;
        case 'collect':
          await engine.garbageCollect();
          break;
      }
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      Object.assign(told, { code: code ?? 'NONE', message });
    }
    told.end = now();
    writeSync(1, `${JSON.stringify(told)}\n`);
  }
  await engine.close();
  await db.close();
}

if (require.main === module) void fight(JSON.parse(process.argv[2] as string));
