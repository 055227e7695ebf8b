const CHUNK = 65_536;

/** Collects many small parts and writes them as a few large ones. */
export class Chunks {
  readonly #out: { stream(part: Uint8Array): Promise<void> };
  #parts: Buffer[] = [];
  #size = 0;

  constructor(out: { stream(part: Uint8Array): Promise<void> }) {
    this.#out = out;
  }

  add(part: string | Buffer): void {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }

  async flushIfLarge(): Promise<void> {
    if (this.#size >= CHUNK) {
      await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.#size > 0) {
      const whole = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#size = 0;
      await this.#out.stream(whole);
    }
  }
}
