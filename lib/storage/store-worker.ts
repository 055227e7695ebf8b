// The thread of the stores that this package knows: their requests do not keep the service's own event loop busy.

import { parentPort } from 'node:worker_threads';
import { collectYoungGarbage } from '../base/young-garbage.js';
import { native } from '../native/binding.js';
import { withRetries } from '../stores/retries.js';
import { openStoreUrl } from '../stores/store-url.js';
import { onStoreTrouble } from '../stores/trouble.js';
import { becomeImpatient, serveStore } from './serve-store.js';

// Node 20 is new enough for this package. The SDK's warning about its own future would be printed by every command.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

collectYoungGarbage();

onStoreTrouble((trouble) => parentPort?.postMessage({ trouble }));

parentPort?.on('message', (message: { id: string; url: string } | 'becomeImpatient') => {
  if (message === 'becomeImpatient') {
    becomeImpatient();
    return;
  }
  const { id, url } = message;
  openStoreUrl(url).then(
    (store) => serveStore(id, withRetries(store)),
    (error: Error) => {
      native.failStore(id, error.message);
      parentPort?.postMessage({ failed: url }); // the next who opens it tries again
    },
  );
});
