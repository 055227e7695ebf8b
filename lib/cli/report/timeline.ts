import type { BackupRecord } from '../../manager/inventory.js';
import type { OperationRecord } from '../../manager/operation-record.js';
import type { ReportInput } from './gather.js';
import { type Html, html } from './html.js';
import { round, showCount, showTime } from './words.js';

const LANE = 46;
const TOP = 6;

/** Maps times to positions from left to right, in percent. A time that cannot be right for a backup is put at the edge. */
class Scale {
  readonly from: number;
  readonly to: number;

  constructor(times: readonly number[], now: number) {
    const possible = times.filter((time) => isPossible(time, now));
    this.to = now;
    const oldest = Math.min(now - 3_600_000, ...possible);
    this.from = oldest - (now - oldest) * 0.01;
  }

  at(time: number): number {
    const share = (time - this.from) / (this.to - this.from);
    return round(1 + 97.5 * Math.min(1, Math.max(0, Number.isNaN(share) ? 1 : share)));
  }
}

/** Clocks without a battery start in 1970. */
function isPossible(time: number, now: number): boolean {
  return time > Date.UTC(2000, 0) && time <= now;
}

/**
 * A timeline of the backups and of the operations that proved them. Positions are percentages, so it fits every width without distortion.
 */
export function timeline(input: ReportInput): Html {
  const { inventory, records, now, timezone, plan } = input;
  const { backups } = inventory;
  const begun = (record: OperationRecord) => Date.parse(record.at);
  const oldest = Math.min(...backups.map(({ timestamp }) => timestamp.getTime()));
  // Operations on backups that are gone would only squeeze the others together.
  const recent = records.filter((record) => begun(record) >= oldest);
  const scale = new Scale(
    backups.map(({ timestamp }) => timestamp.getTime()),
    now.getTime(),
  );
  const goes = new Set(plan?.delete);
  const radius = backups.length > 200 ? 3 : backups.length > 60 ? 4 : 6;
  const lanes: { title: string; marks: Mark[] }[] = [
    {
      title: 'Backups',
      marks: backups.map((backup) => ({
        at: backup.timestamp.getTime(),
        title: titleOfBackup(backup, goes.has(backup.backupId), timezone),
        shape: shapeOfBackup(backup, radius, goes.has(backup.backupId)),
      })),
    },
    ...(['verify', 'drill'] as const).map((operation) => ({
      title: operation === 'verify' ? 'Verified' : 'Restore drills',
      marks: recent
        .filter((record) => record.operation === operation)
        .map((record) => markOf(record, timezone, recent.length)),
    })),
    {
      title: 'Other failures',
      marks: recent
        .filter(({ operation, ok }) => !ok && operation !== 'verify' && operation !== 'drill')
        .map((record) => markOf(record, timezone, 0)),
    },
  ];
  const height = TOP + lanes.length * LANE + 22;
  const offScale = backups.filter(({ timestamp }) => !isPossible(timestamp.getTime(), now.getTime())).length;
  return html`<svg class="timeline" width="100%" height="${height}" role="img" aria-label="Timeline of ${showCount(backups.length, 'backup')}">
${ticks(scale, TOP + lanes.length * LANE, timezone)}
${lanes.map(({ title, marks }, n) => lane(title, marks, scale, TOP + n * LANE))}
</svg>
<p class="legend">
<span><svg width="14" height="14"><circle class="good" cx="7" cy="7" r="5"/></svg> verified</span>
<span><svg width="14" height="14"><circle class="open" cx="7" cy="7" r="4.5"/></svg> no verify known, or by names and sizes only</span>
<span><svg width="14" height="14"><path class="bad cross" d="M3 3l8 8M11 3l-8 8"/></svg> damaged, or failed</span>
<span><svg width="14" height="14"><rect class="good" x="2.5" y="2.5" width="9" height="9"/></svg> full: shares nothing</span>
<span><svg width="14" height="14"><path class="pin" d="M3 3h8l-4 6z"/></svg> pinned</span>
${plan !== undefined && html`<span><svg width="14" height="14"><circle class="good goes" cx="7" cy="7" r="5"/></svg> to be deleted</span>`}
</p>
${offScale > 0 && html`<p class="note">${showCount(offScale, 'backup')} of an impossible time, drawn at the edge: a clock was wrong.</p>`}`;
}

interface Mark {
  at: number;
  title: string;
  shape: Html;
}

function lane(title: string, marks: readonly Mark[], scale: Scale, top: number): Html {
  const middle = top + 30;
  return html`<text class="lane" x="0" y="${top + 12}">${title}</text>
<line class="rule" x1="0" x2="100%" y1="${middle}" y2="${middle}"/>
${marks.length === 0 && html`<text class="none" x="50%" y="${middle - 5}" text-anchor="middle">none known</text>`}${marks.map(
  ({ at, title: words, shape }) =>
    html`<svg x="${scale.at(at)}%" y="${middle}" overflow="visible"><title>${words}</title>${shape}</svg>
`,
)}`;
}

function titleOfBackup(backup: BackupRecord, goes: boolean, timezone: string): string {
  const { backupId, timestamp, kind, state, pinned } = backup;
  const words = [`backup ${backupId}`, showTime(timestamp, timezone), kind, state];
  return [...words, ...(pinned ? ['pinned'] : []), ...(goes ? ['to be deleted'] : [])].join(', ');
}

function shapeOfBackup({ state, kind, pinned }: BackupRecord, radius: number, goes: boolean): Html {
  const look = `${state === 'good' ? 'good' : 'open'}${goes ? ' goes' : ''}`;
  const shape =
    state === 'corrupt'
      ? cross(radius)
      : kind === 'full'
        ? html`<rect class="${look}" x="${-radius}" y="${-radius}" width="${2 * radius}" height="${2 * radius}"/>`
        : html`<circle class="${look}" r="${radius}"/>`;
  return html`${shape}${pinned && html`<path class="pin" d="M-4 -16h8l-4 6z"/>`}`;
}

function markOf(record: OperationRecord, timezone: string, among: number): Mark {
  const { operation, at, ok, backupId, checksum, error } = record;
  const what = `${operation}${backupId === undefined ? '' : ` of backup ${backupId}`}`;
  const end = ok ? 'ok' : `failed${error?.code === undefined ? '' : `: ${error.code}`}`;
  const look = operation === 'verify' && checksum !== true ? 'open' : 'good';
  return {
    at: Date.parse(at),
    title: `${what}, ${showTime(at, timezone)}, ${end}`,
    shape: ok ? html`<circle class="${look}" r="${among > 200 ? 2.5 : 4}"/>` : cross(4),
  };
}

function cross(radius: number): Html {
  return html`<path class="bad cross" d="M${-radius} ${-radius}L${radius} ${radius}M${radius} ${-radius}L${-radius} ${radius}"/>`;
}

function ticks(scale: Scale, top: number, timezone: string): Html {
  const COUNT = 4;
  const short = scale.to - scale.from < 3 * 24 * 3_600_000;
  return html`${Array.from({ length: COUNT + 1 }, (_, n) => {
    const time = new Date(scale.from + ((scale.to - scale.from) * n) / COUNT);
    const text = showTime(time, timezone);
    const anchor = n === 0 ? 'start' : n === COUNT ? 'end' : 'middle';
    const minor = n % 2 === 1 ? 'minor' : '';
    const x = n === 0 ? 0 : n === COUNT ? 100 : scale.at(time.getTime());
    return html`<line class="tick ${minor}" x1="${x}%" x2="${x}%" y1="${TOP + 20}" y2="${top}"/>
<text class="axis ${minor}" x="${x}%" y="${top + 14}" text-anchor="${anchor}">${n === COUNT ? 'now' : short ? text.slice(5) : text.slice(0, 10)}</text>`;
  })}`;
}
