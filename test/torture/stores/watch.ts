// Looks at the requests of a client, as they pass through a proxy.

import type { Teardown } from '../../fixtures/files.js';
import { TcpProxy } from '../../stores/servers/tcp-proxy.js';
import type { Kind, Phase } from './plan.js';

export interface Seen {
  /** The line of the request, and the beginning of the body of a POST. */
  text: string;
  answered: boolean;
}

/** The request with which an operation is done: before it nothing has happened, and after it everything. */
const COMMITS: Partial<Record<Kind, RegExp>> = {
  create: /^PUT \S*\/meta\/\d/,
  'create large': /^PUT \S*\/meta\/\d/,
  manager: /^PUT \S*\/meta\/\d/,
  copy: /^PUT \S*\/meta\/\d/,
  delete: /^POST \S*\?delete[\s\S]*\/meta\/\d/,
  purge: /^POST \S*\?delete[\s\S]*\/meta\/\d/,
  state: /^PUT \S*\/rocksdb-backup\.state\.json/,
  pin: /^PUT \S*\/rocksdb-backup\.state\.json/,
};

export const isCommit = (kind: Kind, { text }: Seen) => COMMITS[kind]?.test(text) ?? false;

/** How far an operation has come, by its requests. */
export function phaseOf(kind: Kind, seen: readonly Seen[]): Phase {
  if (COMMITS[kind] === undefined) return 'under way';
  const last = seen.filter((request) => isCommit(kind, request)).at(-1);
  return last === undefined ? 'before' : last.answered ? 'after' : 'within';
}

const REQUEST = /^(?:GET|PUT|POST|DELETE|HEAD) \S+ HTTP\/1\.1\r\n/;
const ANSWER = /^HTTP\/1\.1 (?!100)\d/;
/** As much of a POST as names what it deletes. */
const KEPT_TEXT = 4000;

export class Watch {
  /** The requests in the order in which they came. */
  seen: Seen[] = [];
  /** Called before the bytes are passed on, at the beginning of the request or of its answer. If it returns false, they are lost. */
  onPass: (seen: Seen, where: 'before' | 'after') => boolean = () => true;
  #url = '';

  static async start(t: Teardown, target: string): Promise<Watch> {
    const watch = new Watch();
    watch.#url = (await TcpProxy.start(t, target, ({ cut }) => watch.#wire(cut))).url;
    return watch;
  }

  get url(): string {
    return this.#url;
  }

  #wire(cut: () => void) {
    const open: Seen[] = [];
    const pass = (seen: Seen, where: 'before' | 'after', bytes: Buffer) => {
      if (this.onPass(seen, where)) return bytes;
      cut();
      return Buffer.alloc(0);
    };
    return {
      up: (bytes: Buffer) => {
        const text = bytes.toString('latin1', 0, KEPT_TEXT);
        if (REQUEST.test(text)) {
          const isPost = text.startsWith('POST');
          const seen = { text: isPost ? text : text.slice(0, text.indexOf('\r\n')), answered: false };
          open.push(seen);
          this.seen.push(seen);
          return pass(seen, 'before', bytes);
        }
        const last = open.at(-1);
        if (last?.text.startsWith('POST') && last.text.length < KEPT_TEXT) {
          last.text += text;
          return pass(last, 'before', bytes);
        }
        return bytes;
      },
      down: (bytes: Buffer) => {
        if (!ANSWER.test(bytes.toString('latin1', 0, 20))) return bytes;
        const seen = open.shift();
        if (seen === undefined) return bytes;
        seen.answered = true;
        return pass(seen, 'after', bytes);
      },
    };
  }
}
