import type { Job } from './backup-runner.js';

interface Waiting<R> {
  job: Job;
  promise: Promise<R>;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** Backups one after the other. Those that wait and could be one, are one. */
export class BackupQueue<R> {
  readonly #run: (job: Job) => Promise<R>;
  readonly #waiting: Waiting<R>[] = [];
  #running: Promise<void> | undefined;

  constructor(run: (job: Job) => Promise<R>) {
    this.#run = run;
  }

  /** Whether a backup runs or waits. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** How many wait for the one that runs. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** A backup that begins after this call: of its own, or one that waits already. */
  add(job: Job): Promise<R> {
    const joined = this.#waiting.find(
      ({ job: { kind } }) => job.kind === 'auto' || kind === job.kind || (kind === 'auto' && job.kind === 'full'),
    );
    if (joined !== undefined) {
      if (job.kind === 'full') {
        joined.job.kind = 'full';
      }
      joined.job.mayBeLeftOut &&= job.mayBeLeftOut;
      return joined.promise;
    }
    let resolve!: Waiting<R>['resolve'];
    let reject!: Waiting<R>['reject'];
    const promise = new Promise<R>((...settle) => {
      [resolve, reject] = settle;
    });
    this.#waiting.push({ job: { ...job }, promise, resolve, reject });
    this.#running ??= this.#work();
    return promise;
  }

  /** Rejects those that wait. */
  clear(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) {
      reject(error);
    }
  }

  /** Resolves when nothing runs and nothing waits. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) {
      await this.#running;
    }
  }

  async #work(): Promise<void> {
    // Whoever asks in the same turn as the first gets the same backup.
    await Promise.resolve();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#run(next.job).then(next.resolve, next.reject);
    }
    this.#running = undefined;
  }
}
