import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import t from 'tap';
import { bodyOf } from '../../lib/stores/response-body.js';

const { signal } = new AbortController();

t.test('a body is read to its end', async (t) => {
  const body = () => Readable.from([Buffer.from('ab'), Buffer.from('c')]);
  t.equal(Buffer.from(await bodyOf(body(), 3, { signal })).toString(), 'abc');
  t.equal(Buffer.from(await bodyOf(body(), undefined, { signal })).toString(), 'abc');
  t.equal((await bodyOf(undefined, undefined, { signal })).length, 0);
  t.same(getEventListeners(signal, 'abort'), []);
});

t.test('a body is read into memory that was given', async (t) => {
  const body = () => Readable.from([Buffer.from('ab'), Buffer.from('c')]);
  const into = new Uint8Array(4);
  const bytes = await bodyOf(body(), 3, { signal, into });
  t.equal(bytes.buffer, into.buffer);
  t.equal(Buffer.from(bytes).toString(), 'abc');
  t.equal((await bodyOf(body(), 3, { signal, into: new Uint8Array(2) })).length, 3, 'elsewhere, if it finds no room');
  await t.rejects(bodyOf(body(), 2, { signal, into }), { message: 'the answer is longer than the store said' });
  t.equal(Buffer.from(into).toString('latin1', 0, 3), 'abc');
});

t.test('after the signal, the memory belongs to others', async (t) => {
  const controller = new AbortController();
  const into = new Uint8Array(3);
  async function* pieces() {
    yield Buffer.from('a');
    controller.abort();
    yield Buffer.from('b');
  }
  const body = Object.assign(pieces(), { destroy() {} });
  await t.rejects(bodyOf(body, 3, { signal: controller.signal, into }), { name: 'AbortError' });
  t.same([...into], [97, 0, 0]);
});

t.test('a body of another length is a lost connection', async (t) => {
  const error = { code: 'ECONNRESET', message: 'the answer ended after 2 of 3 bytes' };
  await t.rejects(bodyOf(Readable.from([Buffer.from('ab')]), 3, { signal }), error);
});

t.test('the signal ends a body that stops coming', async (t) => {
  const controller = new AbortController();
  const body = new Readable({ read() {} });
  body.push('half');
  const read = bodyOf(body, 1000, controller);
  const why = new Error('stop');
  setImmediate(() => controller.abort(why));
  t.equal(await read.catch((error) => error), why);
  t.ok(body.destroyed);
  await t.rejects(bodyOf(new Readable({ read() {} }), 3, controller), { message: 'stop' });
});
