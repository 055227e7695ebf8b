// A try that failed may go on: a request that was given up is still sent, or its answer still comes in. It must find its own memory, and
// harm nobody else's.

import { randomBytes } from 'node:crypto';
import t from 'tap';
import { BackupEngine, StoreError } from '../../lib/index.js';
import type { GetOptions, MultipartStore } from '../../lib/stores/object-store.js';
import { openDatabase } from '../fixtures/backups.js';
import { tempDir } from '../fixtures/files.js';
import { MemoryStore } from './memory-store.js';

class LateStore extends MemoryStore {
  /** Every other try fails. */
  fails = false;
  /** What tries were given that failed, and what it was. */
  readonly lent: { memory: Uint8Array; copy: Buffer }[] = [];
  /** The buffers of all tries to write a part. */
  readonly parts: WeakRef<ArrayBufferLike>[] = [];
  #tries = 0;

  constructor() {
    super({ minPartBytes: 2 ** 20 });
    const multipart = this.multipart as MultipartStore;
    const { part } = multipart;
    multipart.part = async (key, upload, number, bytes, options) => {
      this.parts.push(new WeakRef(bytes.buffer));
      if (!this.#failsNow()) return part(key, upload, number, bytes, options);
      this.lent.push({ memory: bytes, copy: Buffer.from(bytes) });
      throw new StoreError('BUSY', 'the connection was lost');
    };
  }

  override async get(key: string, options: GetOptions) {
    const { into } = options;
    if (into === undefined || !this.#failsNow()) {
      const object = await super.get(key, options);
      into?.set(object.bytes);
      return { ...object, bytes: into?.subarray(0, object.bytes.length) ?? object.bytes };
    }
    const late = setInterval(() => into.fill(0xee), 1);
    setTimeout(() => clearInterval(late), 500);
    throw new StoreError('BUSY', 'the connection was lost');
  }

  #failsNow(): boolean {
    return this.fails && this.#tries++ % 2 === 0;
  }
}

t.test('what failed tries do with their memory harms nobody', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { compression: 'none', writeBufferSize: 2 ** 27 });
  for (let n = 0; n < 60; n++) await db.put(`${n}`, randomBytes(2 ** 20));
  const store = new LateStore();
  await using engine = await BackupEngine.open(store);
  store.fails = true;
  const { backupId } = await engine.createBackup(db);
  t.ok(store.lent.length >= 4, `${store.lent.length} parts were lost`);
  t.equal(store.lent.filter(({ memory, copy }) => !copy.equals(memory)).length, 0, 'their memory is as it was');
  await engine.verifyBackup(backupId, { checksum: true });
  await engine.restoreBackup(backupId, dir('restored'));
  store.fails = false;
  await engine.verifyBackup(backupId, { checksum: true });
});

t.test('between operations, no memory is kept', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'), { compression: 'none', writeBufferSize: 2 ** 27 });
  for (let n = 0; n < 60; n++) await db.put(`${n}`, randomBytes(2 ** 20));
  const store = new LateStore();
  await using engine = await BackupEngine.open(store);
  await engine.createBackup(db);
  const buffers = new Set(store.parts.map((part) => part.deref()));
  t.ok(store.parts.length > buffers.size, `${store.parts.length} parts went through ${buffers.size} buffers`);
  t.same(
    [...buffers].map((buffer) => buffer?.byteLength ?? 0).filter((size) => size > 0),
    [],
    'and these have no memory',
  );
  await engine.restoreBackup(1, dir('restored'));
});
