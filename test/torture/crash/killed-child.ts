// Starts children of the crash experiment ahead of time. A library is loaded into them that kills them at a system call.

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onLines } from '../../fixtures/lines.js';
import type { Line, Plan } from './plan.js';

const SOURCE = join(__dirname, '..', '..', '..', '..', 'test', 'torture', 'crash', 'kill_at_call.cc');

/** Compiles the library. @returns its path */
export function buildKiller(directory: string): string {
  const library = join(directory, 'kill_at_call.so');
  execFileSync(process.env.CXX ?? 'c++', ['-std=c++20', '-O1', '-Wall', '-shared', '-fPIC', '-o', library, SOURCE]);
  return library;
}

/** What a child reported until it died. */
export interface Life {
  lines: Line[];
  signal: NodeJS.Signals | null;
  code: number | null;
  stderr: string;
}

export class KilledChild {
  readonly #child: ChildProcess;
  readonly #life: Life = { lines: [], signal: null, code: null, stderr: '' };
  readonly #ended: Promise<Life>;
  readonly #ready: Promise<void>;
  #onBegin: () => void = () => {};

  constructor(killer: string, control: string) {
    writeFileSync(control, Buffer.alloc(4096));
    this.#child = fork(join(__dirname, 'child.js'), [], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, LD_PRELOAD: killer, TORTURE_KILL_CONTROL: control },
    });
    let ready = () => {};
    this.#ready = new Promise((resolve) => {
      ready = resolve;
    });
    onLines(this.#child.stdout, (text) => {
      const line = JSON.parse(text) as Line;
      if (line.event === 'ready') ready();
      else this.#life.lines.push(line);
      if (line.event === 'begin' && line.armed) this.#onBegin();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#life.stderr += text;
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        ready();
        resolve({ ...this.#life, code, signal });
      });
    });
  }

  /** Lets the child live by a plan until it is dead. */
  async live(plan: Plan): Promise<Life> {
    await this.#ready;
    const { moment } = plan;
    let timer: NodeJS.Timeout | undefined;
    const stuck = setTimeout(() => {
      this.#life.lines.push({ event: 'failure', kind: plan.kind, code: 'STUCK', message: 'nothing for a minute' });
      this.#child.kill('SIGKILL');
    }, 60_000);
    if (moment.at === 'time') {
      this.#onBegin = () => {
        timer ??= setTimeout(() => this.#child.kill('SIGKILL'), moment.ms);
      };
    }
    this.#child.send(plan);
    const life = await this.#ended;
    clearTimeout(timer);
    clearTimeout(stuck);
    return life;
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
