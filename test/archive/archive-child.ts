// A process that writes to an archived database until it is killed. Prints a line for each write: its number, and the times before and after
// it.

import { Database } from '../../lib/index.js';

const [path, to, stopAfter] = process.argv.slice(2) as [string, string, string | undefined];

void (async () => {
  const db = await Database.open(path, {
    archive: { to, maxDelay: 100, segmentBytes: 20_000 },
    writeBufferSize: 64 << 10,
  });
  db.archive?.on('timeline', ({ timeline, timelineReason }) => console.log(`timeline ${timeline} ${timelineReason}`));
  db.archive?.on('error', (error) => console.log(`error ${error.message}`));
  let n = Number((await db.get('last', { encoding: 'utf8' })) ?? 0);
  console.log(`begin ${n}`);
  const end = stopAfter === undefined ? Number.POSITIVE_INFINITY : n + Number(stopAfter);
  while (n < end) {
    n++;
    const before = Date.now();
    await db
      .batch()
      .put(`key${n % 50}`, `${n}`.padEnd(200, '.'))
      .put('last', `${n}`)
      .write();
    console.log(`wrote ${n} ${before} ${Date.now()}`);
    if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await db.close();
  console.log('closed');
})();
