import { createInterface } from 'node:readline';
import type { BackupEngine } from '../backup/backup-engine.js';
import type { Entry, Recorder, Recording, Running } from '../manager/recorder.js';
import type { Progress } from '../native/backup-info.js';
import type { Storage } from '../storage/storage.js';
import { reasonOf, StoppedError, UsageError } from './errors.js';
import { exitOf } from './exit-codes.js';
import type { Interrupts } from './interrupts.js';
import type { Output } from './output/output.js';
import { reporterFor, type Told, told } from './output/progress.js';
import { safeLines, unstyled } from './output/text.js';

/** What a long operation gets. */
interface LongTask<P> {
  signal: AbortSignal;
  onProgress: (progress: P) => void;
}

/** What a command works with: the output, the signal to stop, the time, and the user who may answer questions. */
export class Context {
  readonly out: Output;
  readonly interrupts: Interrupts;
  readonly #stdin: NodeJS.ReadStream;
  /** By the identities of their storages. */
  readonly #recorders = new Map<string, Recorder>();
  readonly #told = new Set<string>();
  #auditLog: string | undefined;
  /** How many operations were recorded, or are being recorded. */
  #recordings = 0;
  #endProgress: (() => void) | undefined;

  constructor(out: Output, interrupts: Interrupts, stdin: NodeJS.ReadStream) {
    this.out = out;
    this.interrupts = interrupts;
    this.#stdin = stdin;
  }

  get signal(): AbortSignal {
    return this.interrupts.signal;
  }

  now(): Date {
    return new Date();
  }

  /** Runs a long operation with its options, and shows its progress on stderr. */
  long<T>(label: string, start: (operation: LongTask<Progress>) => Promise<T>): Promise<T> {
    return this.reporting(label, (report) =>
      start({ signal: this.signal, onProgress: (progress) => report(told(progress)) }),
    );
  }

  /** Like {@link long}, for work that describes its progress in its own words. */
  async reporting<T>(label: string, start: (report: (told: Told) => void) => Promise<T>): Promise<T> {
    this.signal.throwIfAborted();
    const { out } = this;
    const reporter = reporterFor(out.stderr, label, { silent: out.quiet || out.json });
    this.#endProgress = () => reporter.end();
    try {
      return await start((told) => {
        if (!this.signal.aborted) {
          reporter.update(told);
        }
      });
    } finally {
      this.endProgress();
    }
  }

  /** Removes the progress bar, so that something else can be printed. */
  endProgress(): void {
    this.#endProgress?.();
    this.#endProgress = undefined;
  }

  /**
   * Says what is going to be done and asks for confirmation. The lines of the plan must be safe to print. Throws if the answer is no. If
   * there is nobody to ask, throws a usage error.
   */
  async confirm(plan: readonly string[], question: string, { yes }: { yes: boolean }): Promise<void> {
    if (yes) {
      return;
    }
    const { stderr, json } = this.out;
    if (json || this.#stdin.isTTY !== true || stderr.isTTY !== true) {
      throw new UsageError(
        `${plan.map(unstyled).filter(Boolean).join(' ')} The command cannot ask ${json ? 'with --json' : 'without a terminal'}, and nothing was done: ` +
          'pass --yes to do it without a question.',
      );
    }
    for (const line of plan) {
      stderr.write(`${line}\n`);
    }
    stderr.write(`${safeLines(question)} [y/N] `);
    if (!/^\s*y(es)?\s*$/i.test(await this.#readLine())) {
      throw new StoppedError('nothing was done');
    }
  }

  /** Reads the next line of input. Empty at the end of the input, and when the command is asked to stop. */
  #readLine(): Promise<string> {
    return new Promise((resolve) => {
      // terminal: false, because the terminal itself edits the line and turns Ctrl-C into a signal.
      const lines = createInterface({ input: this.#stdin, terminal: false });
      const end = (line: string) => {
        this.signal.removeEventListener('abort', stop);
        resolve(line);
        lines.close();
      };
      const stop = () => end('');
      this.signal.addEventListener('abort', stop, { once: true });
      lines.once('line', end);
      lines.once('close', stop);
    });
  }

  /** Warns, unless the first text of `told` was reported before. All texts of `told` then count as reported. */
  warnOnce(told: readonly [string, ...string[]], text: string): void {
    if (this.#told.has(told[0])) {
      return;
    }
    for (const each of told) {
      this.#told.add(each);
    }
    this.endProgress();
    this.out.warn(text);
  }

  /** Records in this file, too, what is done from now on: the value of --audit-log. */
  setAuditLog(file: string | undefined): void {
    this.#auditLog = file;
  }

  /** What is needed to record an operation on a repository. */
  recording(storage: Storage): Recording {
    this.#recordings++;
    const clock = { now: () => this.now().getTime(), monotonic: () => performance.now() };
    return { clock, recorder: this.recorder(storage) };
  }

  /** The recorder for a repository. The whole command uses the same one, because it keeps entries that could not be written. */
  recorder(storage: Storage): Recorder {
    const { name, identity } = storage;
    let recorder = this.#recorders.get(identity);
    if (recorder === undefined) {
      // Loaded only when it is needed, because it loads the engine too.
      const { Recorder } = require('../manager/recorder.js') as typeof import('../manager/recorder.js');
      recorder = new Recorder(storage, {
        auditLog: this.#auditLog,
        onProblem: ({ to, cause }) =>
          this.warnOnce([reasonOf(cause)], `${to} of ${name} could not be written: ${reasonOf(cause)}`),
      });
      this.#recorders.set(identity, recorder);
    }
    return recorder;
  }

  /**
   * Does some work on a repository and records that it was done, or that it failed. If recording fails, a warning says so and nothing else
   * changes.
   */
  recorded<T>(
    { storage }: BackupEngine,
    { operation, ...details }: Entry,
    work: (running: Running) => Promise<T>,
  ): Promise<T> {
    const { recorded } = require('../manager/recorder.js') as typeof import('../manager/recorder.js');
    return recorded(this.recording(storage), { operation, trigger: 'cli', ...details }, work);
  }

  /**
   * Does some work that records its operations, and records that it failed if it ends before the first of them: there is no such backup, it is
   * pinned, damage forbids it. A wrong command line and a stop are no failures. Without an entry, nothing is recorded.
   */
  async recordingFailure<T>(engine: BackupEngine, entry: Entry | undefined, work: () => Promise<T>): Promise<T> {
    const before = this.#recordings;
    try {
      return await work();
    } catch (error) {
      if (entry !== undefined && this.#recordings === before) await this.recordFailure(engine, entry, error);
      throw error;
    }
  }

  /** Records that an operation failed, and with what. */
  async recordFailure(engine: BackupEngine, entry: Entry, error: unknown): Promise<void> {
    const exit = exitOf(error);
    if (exit === 'usage' || exit === 'stopped') return;
    await this.recorded(engine, entry, () => Promise.reject(error)).catch(() => undefined);
  }
}
