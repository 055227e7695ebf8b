// Answers of a server, and what each must come to.

import type { Test } from 'tap';
import { type ObjectStore, StoreError, type StoreErrorKind } from '../../lib/stores/object-store.js';
import type { Answer, ScriptedServer } from './servers/scripted.js';

export const html = (status: number): Answer => ({
  status,
  body: '<html><body><h1>nginx</h1></body></html>',
  headers: { 'content-type': 'text/html' },
});

export type Expected = readonly [answer: Answer, kind: StoreErrorKind, storeCode?: string];

const { signal } = new AbortController();

/** Tries each answer with a get, a put and a list. None of them is sent twice. */
export async function testAnswers(t: Test, server: ScriptedServer, store: ObjectStore, answers: readonly Expected[]) {
  const calls = {
    get: () => store.get('meta/1', { signal }),
    put: () => store.put('meta/1', Buffer.from('x'), { signal, ifAbsent: true }),
    list: () => store.list('meta/', { signal }),
  };
  for (const [answer, kind, storeCode] of answers) {
    const what =
      typeof answer === 'function' ? answer.name : `${answer.status} ${String(answer.body ?? '').slice(0, 200)}`;
    for (const [name, call] of Object.entries(calls)) {
      server.answers(answer);
      const error = await call().catch((error: unknown) => error);
      t.ok(error instanceof StoreError, `${name}: ${what}`);
      t.match(error, { kind, ...(storeCode !== undefined && { facts: { storeCode } }) }, `${name}: ${what}`);
      t.equal(server.seen.length, 1, 'is sent once');
    }
  }
}
