// Starts the clients of the stores experiment ahead of time, and kills each at its moment.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { onLines } from '../../fixtures/lines.js';
import type { Begin, Line, Moment, Phase, Plan } from './plan.js';
import { isCommit, phaseOf, type Seen, type Watch } from './watch.js';

/** What a client reported until it died. */
export interface Life {
  lines: Line[];
  /** What it had begun and not reported. */
  begun: Begin | undefined;
  phase: Phase;
  signal: NodeJS.Signals | null;
  stderr: string;
  /** How many requests each operation needed that came to its end. */
  requests: { kind: Begin['kind']; requests: number }[];
}

/** How long a client may say nothing. An operation takes far less than a second. */
const STUCK_AFTER = 60_000;

/** How often a client does what it is to be killed in. */
const MOST_TIMES = 3;

export class KilledClient {
  readonly #child: ChildProcess;
  readonly #life: Life = { lines: [], begun: undefined, phase: 'between', signal: null, stderr: '', requests: [] };
  readonly #ended: Promise<void>;
  readonly #ready: Promise<void>;
  #onLine: (line: Line) => void = () => {};

  /** @param url the repository, not through the watch: the client loads its libraries with it */
  constructor(url: string) {
    this.#child = fork(join(__dirname, 'client.js'), [url], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    let ready = () => {};
    this.#ready = new Promise((resolve) => {
      ready = resolve;
    });
    onLines(this.#child.stdout, (text) => {
      const line = JSON.parse(text) as Line;
      if (line.event === 'ready') ready();
      else this.#hear(line);
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#life.stderr += text;
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (_code, signal) => {
        this.#life.signal = signal;
        ready();
        resolve();
      });
    });
  }

  #hear(line: Line): void {
    this.#life.lines.push(line);
    if (line.event === 'begin') this.#life.begun = line;
    if (line.event === 'end') this.#life.begun = undefined;
    this.#onLine(line);
  }

  /** Lets the client live until its moment. The moment counts from the first begin of the operation of the plan. */
  async live(plan: Plan, moment: Moment, watch: Watch): Promise<Life> {
    await this.#ready;
    const life = this.#life;
    let timer: NodeJS.Timeout | undefined;
    let dead = false;
    const die = () => {
      if (dead) return;
      dead = true;
      this.#child.kill('SIGKILL');
      life.phase = life.begun === undefined ? 'between' : phaseOf(life.begun.kind, watch.seen);
    };
    const stuck = setTimeout(() => {
      life.lines.push({ event: 'failure', kind: plan.kind, code: 'STUCK', message: 'it did not die in time' });
      die();
    }, STUCK_AFTER);
    watch.seen = [];
    let armed = false;
    let done = 0;
    this.#onLine = (line) => {
      if (line.event === 'begin') {
        watch.seen = [];
        armed = line.armed;
        if (armed && moment.at === 'time') timer ??= setTimeout(die, moment.ms);
      } else if (line.event === 'end') {
        life.requests.push({ kind: line.kind, requests: watch.seen.length });
        if (armed && ++done === MOST_TIMES) die(); // it needs fewer requests than that
      }
    };
    watch.onPass = (seen, where) => {
      // What a process has sent arrives, also when it is dead.
      if (dead || !armed || !isMoment(moment, plan, seen, watch.seen)) return true;
      if (moment.where === 'within' && where === 'before') timer ??= setTimeout(die, moment.ms);
      else if (moment.where === where) die();
      return !dead;
    };
    this.#child.send(plan, () => {}); // it may have failed before: its end says so
    await this.#ended;
    clearTimeout(timer);
    clearTimeout(stuck);
    watch.onPass = () => true;
    return life;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}

function isMoment(
  moment: Moment,
  { kind }: Plan,
  seen: Seen,
  all: readonly Seen[],
): moment is Exclude<Moment, { at: 'time' }> {
  switch (moment.at) {
    case 'time':
      return false;
    case 'request':
      return all.indexOf(seen) === moment.nth - 1;
    case 'commit':
      return isCommit(kind, seen);
  }
}
