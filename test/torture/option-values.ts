// Values that no option expects, and the names of all options, read from the declarations that users read.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Random } from '../fixtures/random.js';

/** The error that our getters, proxies and conversions throw. It may come out unchanged. */
export class Thrown extends Error {}

const LIB = join(__dirname, '..', '..', 'lib');

function thrower(): never {
  throw new Thrown('thrown by a value');
}

function detached(): Uint8Array {
  const bytes = new Uint8Array(8);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
}

/** Made again each time, because some values can be used only once. */
export const values: readonly (readonly [string, () => unknown])[] = [
  ['undefined', () => undefined],
  ['null', () => null],
  ['true', () => true],
  ['false', () => false],
  ['0', () => 0],
  ['-0', () => -0],
  ['-1', () => -1],
  ['0.5', () => 0.5],
  ['NaN', () => NaN],
  ['Infinity', () => Infinity],
  ['-Infinity', () => -Infinity],
  ['2 ** 31', () => 2 ** 31],
  ['2 ** 32', () => 2 ** 32],
  ['2 ** 53', () => 2 ** 53],
  ['1e300', () => 1e300],
  ['5e-324', () => 5e-324],
  ['1n', () => 1n],
  ['2n ** 64n', () => 2n ** 64n],
  ["''", () => ''],
  ["'x'", () => 'x'],
  ["'1'", () => '1'],
  ['a NUL', () => 'a\0b'],
  ['a lone surrogate', () => '\ud800'],
  ['a long string', () => 'x'.repeat(100_000)],
  ["'__proto__'", () => '__proto__'],
  ['a symbol', () => Symbol('s')],
  ['[]', () => []],
  ['[undefined]', () => [undefined]],
  ['a sparse array', () => new Array(3)],
  ['{}', () => ({})],
  ['a frozen object', () => Object.freeze({ a: 1 })],
  ['without prototype', () => Object.create(null)],
  ['circular', () => Object.assign([], { 0: 1 }).map((_: unknown, __: number, all: unknown[]) => all)],
  ['a function', () => () => undefined],
  ['a function that throws', () => thrower],
  ['a class', () => class {}],
  ['toString', () => ({ toString: () => '1', valueOf: () => 1 })],
  ['toString that throws', () => ({ toString: thrower, valueOf: thrower, [Symbol.toPrimitive]: thrower })],
  ['a getter that throws', () => Object.defineProperty({}, 'length', { get: thrower, enumerable: true })],
  ['a proxy', () => new Proxy({}, {})],
  [
    'a proxy that throws',
    () => new Proxy({}, { get: thrower, has: thrower, ownKeys: thrower, getPrototypeOf: thrower }),
  ],
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
  ],
  ['a Buffer', () => Buffer.from('bytes')],
  ['a detached array', detached],
  ['a Float64Array', () => new Float64Array(3)],
  ['an ArrayBuffer', () => new ArrayBuffer(8)],
  ['a SharedArrayBuffer', () => new SharedArrayBuffer(8)],
  ['a DataView', () => new DataView(new ArrayBuffer(8))],
  ['a Date', () => new Date(NaN)],
  ['a Map', () => new Map()],
  ['a RegExp', () => /x/],
  [
    'a rejected thenable',
    () => Object.fromEntries([['then', (_: unknown, reject: (why: Error) => void) => reject(new Thrown('then'))]]),
  ],
  ['an aborted signal', () => AbortSignal.abort()],
];

const DECLARATION = /export interface (\w+)(?:<[^{]*?>)?(?: extends ([^{]+))? \{([\s\S]*?)\n\}/g;
const MEMBER = /^ {4}(\w+)\??:/gm;

let declared: Map<string, string[]> | undefined;

function declarations(): Map<string, string[]> {
  if (declared !== undefined) return declared;
  const own = new Map<string, { bases: string[]; members: string[] }>();
  const files = readdirSync(LIB, { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => name.endsWith('.d.ts') && !name.startsWith('cli'))) {
    const text = readFileSync(join(LIB, file), 'utf8');
    for (const [, name, bases, body] of text.matchAll(DECLARATION)) {
      if (own.has(name as string)) throw new Error(`two interfaces are called ${name}`);
      own.set(name as string, {
        bases: [...(bases ?? '').matchAll(/\b(\w+)\b/g)].map(([word]) => word),
        members: [...(body as string).matchAll(MEMBER)].map(([, member]) => member as string),
      });
    }
  }
  const all = (name: string): string[] => {
    const { bases, members } = own.get(name) ?? { bases: [], members: [] };
    return [...new Set([...members, ...bases.flatMap(all)])];
  };
  declared = new Map([...own.keys()].map((name) => [name, all(name)]));
  return declared;
}

/** The names in an options interface, including those of the interfaces that it extends. */
export function namesOf(options: string): string[] {
  const names = declarations().get(options) ?? [];
  if (names.length === 0) throw new Error(`no options are declared as ${options}`);
  return names;
}

/** Makes an options object in which one name has a value, in one of the ways in which an object can have it. */
export function holding(random: Random, name: string, make: () => unknown): { how: string; options: object } {
  const value = make();
  switch (random.below(5)) {
    case 0:
      return { how: 'frozen', options: Object.freeze({ [name]: value }) };
    case 1:
      return { how: 'inherited', options: Object.create({ [name]: value }) };
    case 2:
      return { how: 'by a getter', options: Object.defineProperty({}, name, { get: () => value, enumerable: true }) };
    default:
      return { how: 'plain', options: { [name]: value } };
  }
}

export function throwing(name: string): object {
  return Object.defineProperty({}, name, { get: thrower, enumerable: true });
}
