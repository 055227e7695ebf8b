import type { BackupKind } from '../native/backup-info.js';
import type { Trigger } from './manager-events.js';

/** A request for a backup. */
export interface Job {
  trigger: Trigger;
  kind: BackupKind | 'auto';
  /** Whether the backup may be skipped if nothing new was written. */
  mayBeLeftOut?: boolean | undefined;
}

interface Waiting<R> {
  job: Job;
  promise: Promise<R>;
  resolve(result: R): void;
  reject(error: unknown): void;
}

/** Runs backups one after the other. Waiting requests that one backup can serve are merged into one. */
export class BackupQueue<R> {
  readonly #run: (job: Job) => Promise<R>;
  readonly #waiting: Waiting<R>[] = [];
  #running: Promise<void> | undefined;

  constructor(run: (job: Job) => Promise<R>) {
    this.#run = run;
  }

  /** Whether a backup is running or waiting. */
  get busy(): boolean {
    return this.#running !== undefined;
  }

  /** How many backups wait for the running one. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Returns a backup that begins after this call: a new one, or one that is already waiting. */
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

  /** Rejects all waiting backups. */
  clear(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) {
      reject(error);
    }
  }

  /** Resolves when nothing is running and nothing is waiting. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) {
      await this.#running;
    }
  }

  async #work(): Promise<void> {
    // Requests that are made in the same turn as the first one get the same backup.
    await Promise.resolve();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      await this.#run(next.job).then(next.resolve, next.reject);
    }
    this.#running = undefined;
  }
}
