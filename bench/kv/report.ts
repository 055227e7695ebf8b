import { median } from '../measurements.js';
import type { Conditions } from '../report.js';
import { ROWS } from './rows.js';

export interface KvResults {
  conditions: Conditions;
  entries: number;
  cacheBytes: number;
  milliseconds: number;
  engines: string[];
  /** By size of values, row and package: nanoseconds for one operation, for each round. */
  timings: Record<string, Record<string, Record<string, number[]>>>;
  /** The same for the rows about the event loop: the longest time between two of its turns, in milliseconds. */
  gaps: Record<string, Record<string, Record<string, number[]>>>;
}

const OWN = /^rocksdb-backup/;
const TARGETS: Record<string, number> = { 'get-hot': 5, 'getmany-hot': 1.5, 'getmany-cold': 1.5, scan: 1.5 };
const targetOf = (row: string) => TARGETS[row] ?? (row.startsWith('batch') ? 1.5 : 1);
const titleOf = (row: string) => ROWS.find((each) => each.name === row)?.title ?? row;

function table(head: string[], rows: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

/** The time of an operation relative to ours. Above 1, we are faster. */
function ratioTo(own: string, peer: string, timings: Record<string, number[]>): number | undefined {
  return timings[own] && timings[peer] ? median(timings[peer]) / median(timings[own]) : undefined;
}

function perSecond(nanoseconds: number): string {
  const rate = 1e9 / nanoseconds;
  return rate >= 1e6 ? `${(rate / 1e6).toFixed(2)} M` : rate >= 1e4 ? `${(rate / 1e3).toFixed(0)} k` : rate.toFixed(0);
}

export function kvMarkdown(results: KvResults): string {
  const { conditions: c } = results;
  const own = results.engines.filter((engine) => OWN.test(engine));
  const peers = results.engines.filter((engine) => !OWN.test(engine));
  const parts = [
    '# Reads and writes, beside other packages',
    `${c.date}: node ${c.node}, RocksDB ${c.rocksdb}; ${c.cpu}, ${c.cores} cores, ${c.memoryGiB} GiB; ${c.kernel}, ` +
      `${c.fileSystem}; load ${c.load.before.toFixed(1)} before, ${c.load.after.toFixed(1)} after.`,
    `\`npm run bench:kv\`: ${results.entries} entries, keys of 16 bytes; block cache of ${results.cacheBytes / 2 ** 20} MiB for ` +
      `those that can be told; write-ahead log on, no sync. Each row at most ${results.milliseconds / 1000} s (scans whole), ` +
      `${c.runs} times for each package, in turns, in a process of its own; the files are in the page cache. A ratio is the ` +
      "package's time divided by ours, of the medians: above 1 we are faster. In bold: short of the target, which is 1.0, 1.5 " +
      'for getMany, full scans and batches, and 5 for gets of hot keys against the best peer.',
  ];
  for (const [bytes, rows] of Object.entries(results.timings)) {
    for (const engine of own) {
      parts.push(
        `## Values of ${bytes} bytes, \`${engine}\``,
        table(
          ['', 'operations a second', ...peers],
          Object.entries(rows)
            .filter(([, timings]) => timings[engine])
            .map(([row, timings]) => [
              titleOf(row),
              perSecond(median(timings[engine]!)),
              ...peers.map((peer) => {
                const ratio = ratioTo(engine, peer, timings);
                if (ratio === undefined) return '';
                return ratio < targetOf(row) ? `**${ratio.toFixed(2)}**` : ratio.toFixed(2);
              }),
            ]),
        ),
      );
    }
  }
  for (const [bytes, rows] of Object.entries(results.gaps)) {
    parts.push(
      `## The event loop, values of ${bytes} bytes`,
      'The longest time between two turns of the event loop while something is under way, in milliseconds, the median of ' +
        `${c.runs}. "Beside busy processes": one for each processor does nothing but compute.`,
      table(
        ['', ...results.engines],
        Object.entries(rows).map(([row, gaps]) => [
          titleOf(row),
          ...results.engines.map((engine) => (gaps[engine] ? median(gaps[engine]).toFixed(1) : '')),
        ]),
      ),
    );
  }
  return `${parts.join('\n\n')}\n`;
}

const COLOURS = ['#3b6fb6', '#c2573a', '#5b9a4b', '#8a62a8', '#b3912f', '#3f9aa3'];

/** A bar chart of the ratios on a logarithmic scale. To the right of 1, we are faster. */
export function kvChart(results: KvResults): string {
  const own = results.engines.find((engine) => OWN.test(engine))!;
  const peers = results.engines.filter((engine) => !OWN.test(engine));
  const [left, width, bar, gap] = [330, 560, 9, 12];
  const x = (ratio: number) => left + (width * (Math.log10(Math.min(Math.max(ratio, 0.1), 100)) + 1)) / 3;
  const text = (at: number, y: number, content: string, anchor = 'start', extra = '') =>
    `<text x="${at.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}" ${extra}>${content}</text>`;
  const parts: string[] = [];
  let y = 60;
  for (const [bytes, rows] of Object.entries(results.timings)) {
    parts.push(text(10, y, `values of ${bytes} bytes`, 'start', 'font-weight="bold"'));
    y += 18;
    for (const [row, timings] of Object.entries(rows)) {
      const top = y;
      peers.forEach((peer, i) => {
        const ratio = ratioTo(own, peer, timings);
        if (ratio === undefined) return;
        const [from, to] = [Math.min(x(1), x(ratio)), Math.max(x(1), x(ratio))];
        parts.push(
          `<rect x="${from.toFixed(1)}" y="${y}" width="${Math.max(1, to - from).toFixed(1)}" height="${bar - 1}" fill="${COLOURS[i]}"/>`,
          text(left + width + 10, y + bar - 1, ratio.toFixed(2), 'start', 'font-size="9"'),
        );
        y += bar;
      });
      parts.push(text(left - 10, (top + y) / 2 + 4, titleOf(row), 'end'));
      y += gap;
    }
  }
  const scale = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100].map(
    (ratio) =>
      `<line x1="${x(ratio).toFixed(1)}" y1="45" x2="${x(ratio).toFixed(1)}" y2="${y}" stroke="${ratio === 1 ? '#444' : '#ccc'}"/>` +
      text(x(ratio), 42, `${ratio}`, 'middle', 'font-size="10"'),
  );
  const legend = peers.map(
    (peer, i) =>
      `<rect x="${10 + i * 210}" y="8" width="10" height="10" fill="${COLOURS[i]}"/>${text(25 + i * 210, 17, peer)}`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${left + width + 60}" height="${y + 20}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    ...legend,
    text(10, 42, `time of a package divided by that of ${own}`),
    ...scale,
    ...parts,
    '</svg>\n',
  ].join('\n');
}
