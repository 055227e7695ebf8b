import { formatSize } from '../../base/units.js';
import type { Inventory } from '../../manager/inventory.js';
import { type Html, html } from './html.js';
import { round, showCount } from './words.js';

/** How much one backup added to the repository. */
interface Growth {
  backupId: number;
  /** How many bytes a restore writes. */
  size: number;
  /** Bytes of the files that no earlier backup has. */
  added: number;
  /** Sums of all backups up to this one. */
  logical: number;
  onDisk: number;
}

/** How the repository grew from backup to backup. */
export function growthOf({ backups, users }: Inventory): Growth[] {
  let logical = 0;
  let onDisk = 0;
  return backups.map(({ backupId, size, metaSize, files }) => {
    let added = 0;
    for (const file of files) {
      added += users.get(file.name)?.[0] === backupId ? file.size : 0;
    }
    logical += size;
    onDisk += added + metaSize;
    return { backupId, size, added, logical, onDisk };
  });
}

const HEIGHT = 120;

/** A chart with a bar for each backup: how much a restore writes, and how much of that was new. */
export function sizesOfBackups(growth: readonly Growth[]): Html {
  const most = Math.max(1, ...growth.map(({ size }) => size));
  const step = 100 / growth.length;
  const width = round(Math.min(step * (growth.length > 120 ? 1 : 0.7), 4));
  const bar = (bytes: number, n: number, kind: string) => {
    const height = round((bytes / most) * HEIGHT);
    return html`<rect class="${kind}" x="${round(step * n + (step - width) / 2)}%" width="${width}%" y="${round(HEIGHT - height)}" height="${height}"/>`;
  };
  return html`<svg width="100%" height="${HEIGHT + 2}" role="img" aria-label="Size of each backup, and what of it was new: ${showCount(growth.length, 'backup')}, ${formatSize(most)} at most">
<line class="rule" x1="0" x2="100%" y1="0.5" y2="0.5"/>
${growth.map(
  ({ backupId, size, added }, n) =>
    html`<g><title>backup ${backupId}: ${formatSize(size)}, of that ${formatSize(added)} new</title>${bar(size, n, 'logical')}${bar(added, n, 'disk')}</g>`,
)}
<line class="rule" x1="0" x2="100%" y1="${HEIGHT + 0.5}" y2="${HEIGHT + 0.5}"/>
</svg>`;
}

/** A chart of all backups so far: how much restores of all of them would write, and how much they take on the disk together. */
export function sizesTogether(growth: readonly Growth[]): Html {
  const last = growth.at(-1);
  const most = Math.max(1, last?.logical ?? 0);
  const x = (n: number) => round(growth.length === 1 ? 1000 * n : (1000 * n) / (growth.length - 1));
  const y = (bytes: number) => round(HEIGHT - (bytes / most) * (HEIGHT - 4));
  const points = (bytes: (at: Growth) => number) => {
    // Duplicate a single backup, so that it also gives a line.
    const at = growth.length === 1 ? [...growth, ...growth] : growth;
    return at.map((sum, n) => `${x(n)},${y(bytes(sum))}`).join(' ');
  };
  const area = (line: string) => `0,${HEIGHT} ${line} 1000,${HEIGHT}`;
  const logical = points((sum) => sum.logical);
  const disk = points((sum) => sum.onDisk);
  return html`<svg width="100%" height="${HEIGHT + 2}" viewBox="0 0 1000 ${HEIGHT + 2}" preserveAspectRatio="none" role="img" aria-label="All backups together: ${formatSize(last?.logical ?? 0)} of databases in ${formatSize(last?.onDisk ?? 0)} on disk">
<polygon class="logical" points="${area(logical)}"/>
<polygon class="disk" points="${area(disk)}"/>
<line class="rule" x1="0" x2="1000" y1="${HEIGHT + 0.5}" y2="${HEIGHT + 0.5}"/>
</svg>`;
}
