// The adapter of Azure against its emulator.

import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import t from 'tap';
import { type AzureContainerClient, azureStore } from '../../lib/stores/azure.js';
import { testLostAnswers } from './lost-answers.js';
import { all, testContract, testMultipart } from './object-store-contract.js';
import { startAzurite, withoutAzurite } from './servers/azurite.js';
import { startSilentServer } from './servers/silent.js';

t.test('Azure, by Azurite', { skip: withoutAzurite() }, async (t) => {
  const { endpoint, account, accountKey } = await startAzurite(t);
  const service = new BlobServiceClient(endpoint, new StorageSharedKeyCredential(account, accountKey));
  await service.createContainer('backups');
  const options = { account, endpoint, container: 'backups', credential: { accountKey } };

  await t.test('below a prefix', async (t) => {
    const store = azureStore({ ...options, prefix: 'one/repository' });
    t.equal(store.name, `az://${account}/backups/one/repository`);
    const subject = {
      store,
      stranger: azureStore({ ...options, credential: { accountKey: Buffer.from('wrong').toString('base64') } }),
      nowhere: azureStore({ ...options, container: 'no-such-container' }),
      hanging: azureStore({ ...options, endpoint: `${await startSilentServer(t)}/${account}` }),
      limits: { uploads: false },
    } as const;
    testContract(t, subject);
    testMultipart(t, subject);
  });

  await t.test('in small pages, with a client of the caller', async (t) => {
    const container = service.getContainerClient('backups');
    const client: AzureContainerClient = {
      accountName: container.accountName,
      containerName: container.containerName,
      getBlockBlobClient: (name) => container.getBlockBlobClient(name),
      listBlobsFlat: (options) => {
        const blobs = container.listBlobsFlat(options);
        return { byPage: (settings) => blobs.byPage({ ...settings, maxPageSize: 3 }) };
      },
    };
    const store = azureStore({ container: 'backups', prefix: 'paged', client });
    const { signal } = new AbortController();
    const keys = Array.from({ length: 10 }, (_, n) => `k/${n}`);
    for (const key of keys) await store.put(key, Buffer.from('x'), { signal });
    t.equal((await store.list('k/', { signal })).objects.length, 3);
    t.same(
      (await all(store, '')).map(({ key }) => key),
      keys,
    );
  });

  await t.test('while answers are lost', async (t) =>
    testLostAnswers(t, endpoint, (endpoint) => azureStore({ ...options, endpoint, prefix: 'lossy' })),
  );
});
