/** The work of a manager for which `stop()` waits. */
export class RunningWork {
  readonly #running = new Set<Promise<unknown>>();

  /** Adds a piece of work, and returns it. */
  track<T>(work: Promise<T>): Promise<T> {
    const ended = succeeded(work);
    this.#running.add(ended);
    void ended.then(() => this.#running.delete(ended));
    return work;
  }

  /** Resolves when the work that is running now has ended. */
  async idle(): Promise<void> {
    await Promise.all(this.#running);
  }
}

/** Whether some work succeeds. Never rejects. */
export function succeeded(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    () => false,
  );
}
