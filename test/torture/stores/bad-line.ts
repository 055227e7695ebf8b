// A bad line to a server: connections are cut, wait, are slow, are few, or fall silent.

import { setTimeout as after } from 'node:timers/promises';
import type { Teardown } from '../../fixtures/files.js';
import type { Random } from '../../fixtures/random.js';
import { type Connection, TcpProxy, type Wire } from '../../stores/servers/tcp-proxy.js';

/** What is bad about a line. All chances are between 0 and 1. */
export interface Trouble {
  /** How many connections are cut, in one of the two directions, after a random number of bytes up to `within`. */
  cuts?: number;
  /** How many connections fall silent: nothing passes any more, and nobody is told. */
  silent?: number;
  within?: number;
  /** How many pieces wait, and how long at most, in milliseconds. */
  waits?: number;
  longestWait?: number;
  /** How many bytes pass in a second, on each connection. */
  rate?: number;
  /** How many connections there may be at the same time. The others are refused. */
  most?: number;
}

export class BadLine {
  trouble: Trouble = {};
  cut = 0;
  silenced = 0;
  refused = 0;
  readonly #random: Random;
  #open = 0;
  #proxy!: TcpProxy;

  static async start(t: Teardown, target: string, random: Random): Promise<BadLine> {
    const line = new BadLine(random);
    line.#proxy = await TcpProxy.start(t, target, (connection) => line.#wire(connection));
    return line;
  }

  private constructor(random: Random) {
    this.#random = random;
  }

  get url(): string {
    return this.#proxy.url;
  }

  /** Ends all connections, so that those of the next trouble are new. */
  renew(trouble: Trouble): void {
    this.trouble = trouble;
    this.#proxy.cutAll();
  }

  #wire(connection: Connection): Wire {
    const { most = Number.POSITIVE_INFINITY } = this.trouble;
    if (this.#open >= most) {
      this.refused++;
      connection.cut();
      return {};
    }
    this.#open++;
    return {
      ...this.#fate(connection),
      ended: () => {
        this.#open--;
      },
    };
  }

  #fate({ cut, signal }: Connection): Wire {
    const random = this.#random;
    const { cuts = 0, silent = 0, within = 100_000, waits = 0, longestWait = 0, rate } = this.trouble;
    const chance = random.next();
    const fate = chance < cuts ? 'cut' : chance < cuts + silent ? 'silent' : 'good';
    // Small numbers, too: in the middle of a head.
    const left = { bytes: fate === 'good' ? Number.POSITIVE_INFINITY : Math.floor(within * random.next() ** 3) };
    const isUp = random.below(2) === 0;
    let over = false;
    const piece = async (bytes: Buffer, isFated: boolean): Promise<Buffer> => {
      if (over) return NOTHING;
      if (rate !== undefined) await pause((1000 * bytes.length) / rate, signal);
      if (random.next() < waits) await pause(random.below(longestWait), signal);
      if (!isFated || bytes.length <= left.bytes) {
        if (isFated) left.bytes -= bytes.length;
        return bytes;
      }
      over = true;
      if (fate === 'cut') {
        this.cut++;
        setTimeout(cut, 2); // what was passed on arrives before
      } else {
        this.silenced++;
      }
      return bytes.subarray(0, left.bytes);
    };
    return { up: (bytes) => piece(bytes, isUp), down: (bytes) => piece(bytes, !isUp) };
  }
}

const NOTHING = Buffer.alloc(0);

/** A pause that ends with the connection. */
const pause = (ms: number, signal: AbortSignal) => after(ms, undefined, { signal }).catch(() => {});
