// A short soak, and checks that the soak finds errors if there are any.

import { join } from 'node:path';
import t from 'tap';
import { BackupEngine, readInventory } from '../../lib/index.js';
import { damages, tempDir } from '../fixtures/files.js';
import { newSeed } from '../fixtures/random.js';
import { soak } from './soak.js';

const quick = { minInterval: 50, schedule: 1000, drill: 1000 };

t.test('a service that is killed and stopped again and again has only backups that are right', async (t) => {
  const seed = newSeed();
  t.comment(`TEST_SEED=${seed}`);
  const summary = await soak({ seed, directory: tempDir(t)(), rounds: 4, service: quick });
  t.comment(JSON.stringify(summary));
  t.equal(summary.rounds, 5);
  t.ok(summary.made >= 1 && summary.kept >= 1 && summary.keysCompared > 0);
});

t.test('the soak finds a write that was lost', async (t) => {
  const directory = tempDir(t)();
  const tampered = soak({ seed: 7, directory, rounds: 1, service: { ...quick, tamper: 'lost write' } });
  await t.rejects(tampered, { message: /^backup \d+: .*(batch|keys)/ });
});

t.test('the soak finds a damaged backup, a missing pin, and a missing backup', async (t) => {
  const spoiled: [string, (directory: string) => Promise<void>, RegExp][] = [
    [
      'a byte that changed',
      async (directory) => {
        // It is chance how much was written, and whether it is in tables or still in the log. But the largest file always contains some of
        // it.
        const engine = await BackupEngine.open(join(directory, 'backups'), { readOnly: true });
        const { files } = (await readInventory(engine)).backups.at(-1)!;
        await engine.close();
        const largest = files.reduce((a, b) => (b.size > a.size ? b : a));
        damages.changed(join(directory, 'backups', largest.name));
      },
      /^backup \d+: .*(checksum|corrupt)/i,
    ],
    [
      'a pinned backup that is gone',
      async (directory) => {
        const { appendFileSync } = await import('node:fs');
        appendFileSync(join(directory, 'pins.log'), '9999 2026-01-01T00:00:00.000Z\n');
      },
      /9999.*was pinned, and is gone/,
    ],
    [
      'a latest backup that is gone',
      async (directory) => {
        const engine = await BackupEngine.open(join(directory, 'backups'));
        const { backups } = await readInventory(engine);
        await engine.deleteBackup(backups.at(-1)!.backupId);
        await engine.close();
      },
      /the final backup has batch \d+, the service had written \d+|was pinned, and is gone|there is no backup/,
    ],
  ];
  for (const [what, beforeCheck, message] of spoiled) {
    await t.rejects(
      soak({ seed: 11, directory: tempDir(t)(), rounds: 0, service: quick, beforeCheck }),
      { message },
      what,
    );
  }
});
