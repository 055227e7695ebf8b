import { once } from 'node:events';
import { messageOf } from '../errors.js';
import { type Exit, exitOf } from '../exit-codes.js';
import { errorAsJson } from '../json.js';
import { type ColorChoice, type Style, styleFor } from './style.js';
import { safeLines } from './text.js';

/** A stream for output: stdout, stderr, or a stream of a test. */
interface Sink extends NodeJS.WritableStream {
  isTTY?: boolean;
  columns?: number;
}

interface OutputOptions {
  stdout: Sink;
  stderr: Sink;
  json: boolean;
  quiet: boolean;
  color: ColorChoice;
  env: NodeJS.ProcessEnv;
}

/** The answer of a command: one JSON value for machines, lines for people. */
export interface Result {
  json: unknown;
  /** Lines for people, made only when they are needed. The code that makes a line must make text from elsewhere safe. */
  text?: () => readonly string[];
  /** Lines for --quiet, if the user asked for exactly this answer. */
  quiet?: () => readonly string[];
  exit?: Exit;
}

/** What a command prints: the answer on stdout, everything else on stderr. */
export class Output {
  readonly stdout: Sink;
  readonly stderr: Sink;
  readonly json: boolean;
  readonly quiet: boolean;
  /** The colours for stdout. */
  readonly style: Style;
  readonly #errorStyle: Style;
  #streamed = false;

  constructor({ stdout, stderr, json, quiet, color, env }: OutputOptions) {
    this.stdout = stdout;
    this.stderr = stderr;
    this.json = json;
    this.quiet = quiet;
    this.style = styleFor(stdout, json ? 'never' : color, env);
    this.#errorStyle = styleFor(stderr, color, env);
  }

  /** Whether stdout is a terminal. */
  get isTerminal(): boolean {
    return this.stdout.isTTY === true;
  }

  /** Prints information on stderr. It is not part of the answer. */
  note(text: string): void {
    if (!this.quiet) {
      this.stderr.write(`${safeLines(text)}\n`);
    }
  }

  /** Prints a warning on stderr: something is wrong, but the command continues. Also with --quiet. */
  warn(text: string): void {
    this.stderr.write(`${this.#errorStyle.warn('warning:')} ${safeLines(text)}\n`);
  }

  result({ json, text, quiet }: Result): void {
    if (this.json) {
      this.stdout.write(`${JSON.stringify(json)}\n`);
      return;
    }
    const lines = (this.quiet ? quiet?.() : text?.()) ?? [];
    if (lines.length > 0) {
      this.stdout.write(`${lines.join('\n')}\n`);
    }
  }

  /** Writes a part of a long answer. Waits if the reader is slow. */
  async stream(part: string | Uint8Array): Promise<void> {
    this.#streamed = true;
    if (!this.stdout.write(part)) {
      await once(this.stdout, 'drain');
    }
  }

  /** Reports an error: a sentence for people, and an object for machines, unless they have already got a part of the answer. */
  failure(error: unknown, { onlyForPeople = false } = {}): void {
    const message = messageOf(error);
    const exit = exitOf(error);
    const hint = (error as { hint?: unknown } | null)?.hint;
    const sentence =
      exit === 'stopped' ? safeLines(message) : `${this.#errorStyle.bad('error:')} ${safeLines(message)}`;
    this.stderr.write(`rocksdb-backup: ${sentence}\n`);
    if (typeof hint === 'string') {
      this.stderr.write(`  try: ${safeLines(hint)}\n`);
    }
    if (this.json && !onlyForPeople && !this.#streamed) {
      this.stdout.write(`${JSON.stringify({ error: errorAsJson(error) })}\n`);
    }
  }
}
