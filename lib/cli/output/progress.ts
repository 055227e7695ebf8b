import { formatDuration, formatRate, formatSize } from '../../base/units.js';
import type { Progress } from '../../native/backup-info.js';
import { safe, width } from './text.js';

/** Where progress is printed, usually stderr. */
interface ProgressStream {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

/** How far an operation is, in words for people. */
export interface Told {
  words: string;
  /** From 0 to 1. */
  share: number;
  /** Whether the main work has begun. Before that, no line is printed. */
  begun: boolean;
}

/** Shows how far an operation is. */
interface ProgressReporter {
  update(told: Told): void;
  /** Removes the bar and shows the cursor again. A second call does nothing. */
  end(): void;
}

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_LINE = '\r\x1b[K';
/** How often a line is printed if there is no terminal. */
const LINE_EVERY_MS = 5000;

const doing: Record<Progress['phase'], string> = {
  flush: 'writing out memory',
  copy: 'copying',
  commit: 'bringing it to the disk',
  verify: 'reading',
  restore: 'restoring',
};

/** Makes a reporter: a bar on a terminal, a line every few seconds elsewhere, or nothing at all. */
export function reporterFor(
  stream: ProgressStream,
  label: string,
  { silent, now = () => performance.now() }: { silent: boolean; now?: () => number },
): ProgressReporter {
  if (silent) {
    return { update() {}, end() {} };
  }
  return stream.isTTY ? bar(stream, label) : lines(stream, label, now);
}

/** Describes progress in words: `copying 1.2 GB of 5 GB, 50 MB/s, 1 min 20 s left`. */
export function inWords(progress: Progress): string {
  const { phase, bytesDone, bytesTotal, bytesPerSecond, secondsLeft } = progress;
  if (phase === 'flush' || phase === 'commit') {
    return doing[phase];
  }
  const parts = [`${doing[phase]} ${formatSize(bytesDone)} of ${formatSize(bytesTotal)}`];
  if (bytesPerSecond > 0) {
    parts.push(formatRate(bytesPerSecond));
  }
  if (Number.isFinite(secondsLeft) && bytesDone < bytesTotal) {
    parts.push(`${formatDuration(Math.ceil(secondsLeft) * 1000)} left`);
  }
  return parts.join(', ');
}

function share({ phase, bytesDone, bytesTotal }: Progress): number {
  return phase === 'commit' ? 1 : bytesTotal === 0 ? 0 : Math.min(1, bytesDone / bytesTotal);
}

/** Converts a progress event of the library. */
export function told(progress: Progress): Told {
  return { words: inWords(progress), share: share(progress), begun: progress.phase !== 'flush' };
}

/** The line with the bar, not wider than the terminal. */
export function barLine(label: string, { words, share }: Told, columns: number): string {
  const percent = `${String(Math.floor(share * 100)).padStart(3)}%`;
  const room = columns - 1;
  const cells = Math.min(30, room - width(label) - width(words) - percent.length - 6);
  if (cells >= 8) {
    const full = Math.round(share * cells);
    return `${label} [${'#'.repeat(full)}${'.'.repeat(cells - full)}] ${percent} ${words}`;
  }
  return `${percent.trim()} ${words}`.slice(0, Math.max(0, room));
}

function bar(stream: ProgressStream, label: string): ProgressReporter {
  let shown = false;
  const show = () => stream.write(CLEAR_LINE + SHOW_CURSOR);
  return {
    update(told) {
      if (!shown) {
        shown = true;
        process.once('exit', show); // also if something exits the process at once
        stream.write(HIDE_CURSOR);
      }
      stream.write(CLEAR_LINE + barLine(safe(label), told, stream.columns || 80));
    },
    end() {
      if (shown) {
        shown = false;
        process.off('exit', show);
        show();
      }
    },
  };
}

function lines(stream: ProgressStream, label: string, now: () => number): ProgressReporter {
  let next = 0;
  return {
    update({ words, share, begun }) {
      const time = now();
      if (next === 0) {
        // The first line says that the work has begun, and how much there is to do.
        if (!begun) return;
        next = time + LINE_EVERY_MS;
      } else if (time < next) {
        return;
      }
      next = time + LINE_EVERY_MS;
      stream.write(`${safe(label)}: ${Math.floor(share * 100)}%, ${words}\n`);
    },
    end() {},
  };
}
