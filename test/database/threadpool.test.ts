// Long operations and libuv's pool never take each other's threads, however few threads there are.

import t from 'tap';
import type { BackupInfo } from '../../lib/index.js';
import { Agent, ref } from '../fixtures/agent.js';
import { tempDir } from '../fixtures/files.js';

for (const size of ['1', '2', '4']) {
  t.test(`with UV_THREADPOOL_SIZE=${size}, two backups, a restore and fs work all finish`, async (t) => {
    const path = tempDir(t);
    const agent = Agent.process(t, { env: { ...process.env, UV_THREADPOOL_SIZE: size } });
    await agent.call('agent.limiter', [{ bytesPerSecond: 2 ** 40, mode: 'all' }], 'limiter');
    for (const name of ['one', 'two']) {
      await agent.call('Database.open', [path(name)], name);
      await agent.call('agent.fillFiles', [ref(name), 'key', { files: 5, keys: 100, valueSize: 1500 }]);
      const limits = { backupRateLimit: ref('limiter'), restoreRateLimit: ref('limiter') };
      await agent.call('BackupEngine.open', [path(`backups of ${name}`), limits], `engine ${name}`);
    }
    await agent.call('engine one.createBackup', [ref('one')]);
    await agent.call('agent.fillFiles', [ref('one'), 'more', { files: 5, keys: 100, valueSize: 1500 }]);

    await agent.call('agent.setRate', [ref('limiter'), 20_000]);
    const ended = new Set<string>();
    const begun = {
      'the first backup': agent.begin<BackupInfo>('engine one.createBackup', [ref('one')]),
      'the second backup': agent.begin<BackupInfo>('engine two.createBackup', [ref('two')]),
      'the restore': agent.begin<BackupInfo>('engine one.restoreBackup', [1, path('restored')]),
      'the verify': agent.begin('engine one.verifyBackup', [1], { checksum: true }),
    };
    for (const [name, { done }] of Object.entries(begun)) {
      done.then(
        () => ended.add(name),
        () => undefined,
      );
    }
    await Promise.all(Object.values(begun).map((operation) => operation.begun));
    // All four are working, and will be for half a minute.
    await agent.call('fs.writeFile', [path('file'), 'contents']);
    t.equal(await agent.call('fs.readFile', [path('file'), 'utf8']), 'contents', 'fs calls go on');
    await agent.call('dns.lookup', ['localhost']);
    await agent.call('one.put', ['key', 'value']);
    t.equal(
      Buffer.from(await agent.call<Uint8Array>('one.get', ['key'])).toString(),
      'value',
      'so do reads and writes',
    );
    t.equal((await agent.call<unknown[]>('engine one.getBackupInfo')).length, 1, 'and listings');
    t.same([...ended], [], 'all the while nothing long had ended');

    await agent.call('agent.setRate', [ref('limiter'), 2 ** 40]);
    await Promise.all(Object.values(begun).map((operation) => operation.done));
    await agent.call('engine one.verifyBackup', [2, { checksum: true }]);
    await agent.call('engine two.verifyBackup', [1, { checksum: true }]);
    await agent.call('Database.open', [path('restored'), { createIfMissing: false }], 'restored');
    t.ok(await agent.call('restored.get', ['key:4:99']));
    for (const name of ['restored', 'one', 'two', 'engine one', 'engine two']) {
      await agent.call(`${name}.close`);
    }
  });
}

t.test('more long operations than there are threads for them all finish', async (t) => {
  const path = tempDir(t);
  const agent = Agent.process(t, { env: { ...process.env, UV_THREADPOOL_SIZE: '1' } });
  await agent.call('Database.open', [path('db')], 'db');
  await agent.call('agent.fillFiles', [ref('db'), 'key', { files: 2, keys: 100, valueSize: 1000 }]);
  await agent.call('BackupEngine.open', [path('backups')], 'engine');
  await agent.call('engine.createBackup', [ref('db')]);
  await Promise.all(
    Array.from({ length: 100 }, (_, n) => {
      switch (n % 4) {
        case 0:
          return agent.call('engine.createBackup', [ref('db')]);
        case 1:
          return agent.call('engine.restoreBackup', [1, path(`restored ${n}`)]);
        case 2:
          return agent.call('engine.verifyBackup', [1, { checksum: true }]);
        default:
          return agent.call('fs.readFile', [__filename]);
      }
    }),
  );
  t.equal((await agent.call<unknown[]>('engine.getBackupInfo')).length, 26);
});
