import { formatDuration, formatSize } from '../../base/units.js';
import type { BackupRecord, Inventory } from '../../manager/inventory.js';
import type { OperationRecord } from '../../manager/operation-record.js';
import { byDatabase } from '../../retention/databases.js';
import type { RetentionDecision } from '../../retention/retention.js';
import type { ReportInput } from './gather.js';
import { type Html, html } from './html.js';
import { shorten, showCount, showRanges, showTime } from './words.js';

/** This many rows are shown at once. Older ones can be unfolded. */
const ROWS_SHOWN = 40;

export interface Column<T> {
  title: string;
  cell: (row: T) => Html | string | undefined;
  /** A column of numbers, aligned to the right. */
  number?: boolean;
  /** Text that needs much space. */
  wide?: boolean;
  /** A time, which must not be broken into lines. */
  time?: boolean;
}

/** Makes a table, and folds the older rows. The rows must be sorted newest first. */
function table<T>(what: string, columns: readonly Column<T>[], rows: readonly T[], group: (row: T) => string): Html {
  const shown = rows.length <= ROWS_SHOWN + 10 ? rows : rows.slice(0, ROWS_SHOWN);
  const older = rows.slice(shown.length);
  const groups = new Map<string, T[]>();
  for (const row of older) {
    const title = group(row);
    groups.set(title, [...(groups.get(title) ?? []), row]);
  }
  return html`${rowsOf(columns, shown)}${
    older.length > 0 &&
    html`<p class="note">${showCount(older.length, `older ${what}`)}, by month:</p>${[...groups].map(
      ([title, rows]) =>
        html`<details><summary>${title} <span class="muted">${showCount(rows.length, what)}</span></summary>${rowsOf(columns, rows)}</details>`,
    )}`
  }`;
}

/** A table whose rows become cards on a narrow page. */
export function rowsOf<T>(columns: readonly Column<T>[], rows: readonly T[]): Html {
  const kind = ({ number, wide, time }: Column<T>) => (number ? 'number' : wide ? 'wide' : time ? 'time' : '');
  return html`<table>
<thead><tr>${columns.map((column) => html`<th class="${kind(column)}">${column.title}</th>`)}</tr></thead>
<tbody>${rows.map(
    (row) =>
      html`<tr>${columns.map((column) => {
        const cell = column.cell(row);
        const empty = cell === undefined || cell === '';
        return html`<td class="${kind(column)}${empty ? ' empty' : ''}" data-title="${column.title}"><span>${empty ? '' : cell}</span></td>`;
      })}</tr>
`,
  )}</tbody>
</table>`;
}

/**
 * All backups, newest first: their sizes, what they share with other backups, how they were verified, and what the retention policy
 * decides.
 */
export function backupsTable(input: ReportInput): Html {
  const { inventory, plan, timezone } = input;
  const decisions = new Map(plan?.decisions.map((decision) => [decision.backupId, decision]));
  const othersOf = othersSharing(inventory);
  const largest = Math.max(1, ...inventory.backups.map(({ size }) => size));
  const columns: Column<BackupRecord>[] = [
    { title: 'Id', number: true, cell: ({ backupId }) => html`<b>${backupId}</b>` },
    { title: 'Begun', time: true, cell: ({ timestamp }) => showTime(timestamp, timezone) },
    ...(byDatabase(inventory.backups).length < 2
      ? []
      : [{ title: 'Database', cell: ({ databaseId }: BackupRecord) => databaseId ?? 'not known' }]),
    { title: 'State', cell: stateOf },
    { title: 'Restores', number: true, cell: ({ size }) => formatSize(size) },
    { title: 'Only here', number: true, cell: ({ uniqueSize }) => formatSize(uniqueSize) },
    { title: 'Shared', cell: (backup) => sharing(input, backup, othersOf(backup), largest) },
    ...(plan === undefined
      ? []
      : [{ title: 'Retention', cell: ({ backupId }: BackupRecord) => decisionOf(decisions.get(backupId)) }]),
    { title: 'Notes', wide: true, cell: notesOf },
  ];
  return table('backup', columns, [...inventory.backups].reverse(), ({ timestamp }) =>
    showTime(timestamp, timezone).slice(0, 7),
  );
}

function stateOf({ state, kind, lastVerify, lastDrill }: BackupRecord): Html {
  const word = { good: 'verified', unverified: 'no verify known', corrupt: 'damaged' }[state];
  const level = { good: 'good', unverified: 'plain', corrupt: 'bad' }[state];
  const how = state === 'good' && lastVerify?.ok && lastVerify.checksum ? ', by checksum' : '';
  const drilled = lastDrill?.ok ? ', restored' : '';
  return html`<span class="badge ${level}">${word}</span><small>${kind}${how}${drilled}</small>`;
}

/**
 * Returns a function that tells which other backups share a file with a backup, oldest first. The backups that have a file form runs of
 * consecutive backups, and there are only few runs for each file. Working with runs is fast. Looking at each backup for each file of each
 * backup would take seconds if there are some hundred backups.
 */
export function othersSharing({ backups, users }: Inventory): (backup: BackupRecord) => number[] {
  const places = new Map(backups.map(({ backupId }, place) => [backupId, place]));
  const runs = new Map([...users].map(([name, ids]) => [name, runsOf(ids.map((id) => places.get(id) as number))]));
  return ({ backupId, files }) => {
    const edges = new Int32Array(backups.length + 1);
    for (const { name } of files) {
      for (const [from, to] of runs.get(name) ?? []) {
        edges[from]!++;
        edges[to + 1]!--;
      }
    }
    let sharing = 0;
    return backups.flatMap((other, place) => {
      sharing += edges[place]!;
      return sharing > 0 && other.backupId !== backupId ? [other.backupId] : [];
    });
  };
}

function runsOf(ascending: readonly number[]): [from: number, to: number][] {
  const runs: [number, number][] = [];
  for (const place of ascending) {
    const last = runs.at(-1);
    if (last !== undefined && last[1] === place - 1) {
      last[1] = place;
    } else {
      runs.push([place, place]);
    }
  }
  return runs;
}

function sharing({ inventory }: ReportInput, backup: BackupRecord, others: readonly number[], largest: number): Html {
  const shared = backup.files.reduce((sum, { name, size }) => {
    return sum + ((inventory.users.get(name)?.length ?? 0) > 1 ? size : 0);
  }, 0);
  const share = (bytes: number) => `${Math.round((1000 * bytes) / largest) / 10}%`;
  const own = Math.max(0, backup.size - shared);
  return html`<svg class="sharebar" width="100%" height="8" aria-hidden="true"><rect class="disk" width="${share(own)}" height="8"/><rect class="logical" x="${share(own)}" width="${share(shared)}" height="8"/></svg>
<small>${others.length === 0 ? 'nothing' : `${formatSize(shared)} with ${showRanges(others)}`}</small>`;
}

function decisionOf(decision: RetentionDecision | undefined): Html | undefined {
  if (decision === undefined) {
    return undefined;
  }
  const { action, rules } = decision;
  return html`<span class="badge ${action === 'keep' ? 'good' : 'warn'}">${action}</span><small>${rules.join(', ')}</small>`;
}

function notesOf({ pinned, pinNote, appMetadata }: BackupRecord): Html | undefined {
  const metadata = shorten(appMetadata);
  if (!pinned && metadata === '') {
    return undefined;
  }
  return html`${pinned && html`<span class="badge pinned">pinned</span> ${shorten(pinNote ?? '')}${metadata !== '' && html`<br>`}`}${metadata !== '' && html`<code>${metadata}</code>`}`;
}

/** All verifies and drills, newest first. */
export function proofsTable({ records, timezone }: ReportInput): Html | undefined {
  const proofs = records.filter(({ operation }) => operation === 'verify' || operation === 'drill').reverse();
  if (proofs.length === 0) {
    return undefined;
  }
  const what = ({ operation, checksum }: OperationRecord) =>
    operation === 'drill' ? 'restore drill' : checksum ? 'verify, every byte' : 'verify, names and sizes';
  return table(
    'check',
    [
      { title: 'When', time: true, cell: ({ at }) => showTime(at, timezone) },
      { title: 'What', cell: what },
      { title: 'Backup', number: true, cell: ({ backupId }) => (backupId === undefined ? undefined : `${backupId}`) },
      {
        title: 'Result',
        cell: ({ ok }) => html`<span class="badge ${ok ? 'good' : 'bad'}">${ok ? 'ok' : 'failed'}</span>`,
      },
      { title: 'Took', number: true, cell: ({ durationMs }) => formatDuration(Number(durationMs)) },
      {
        title: 'Read',
        number: true,
        cell: ({ bytes }) => (bytes === undefined ? undefined : formatSize(Number(bytes))),
      },
      { title: 'Why', wide: true, cell: ({ error }) => reason(error) },
    ],
    proofs,
    ({ at }) => showTime(at, timezone).slice(0, 7),
  );
}

/** All failures, newest first. */
export function failuresTable({ records, timezone }: ReportInput): Html | undefined {
  const failed = records.filter(({ ok }) => !ok).reverse();
  if (failed.length === 0) {
    return undefined;
  }
  return table(
    'failure',
    [
      { title: 'When', time: true, cell: ({ at }) => showTime(at, timezone) },
      { title: 'What', cell: ({ operation }) => operation },
      { title: 'Backup', number: true, cell: ({ backupId }) => (backupId === undefined ? undefined : `${backupId}`) },
      { title: 'Where', cell: ({ host, pid }) => `${host ?? '?'}, pid ${pid ?? '?'}` },
      { title: 'Why', wide: true, cell: ({ error }) => reason(error) },
    ],
    failed,
    ({ at }) => showTime(at, timezone).slice(0, 7),
  );
}

function reason(error: OperationRecord['error']): Html | undefined {
  return error === undefined
    ? undefined
    : html`${error.code !== undefined && html`<code>${shorten(String(error.code), 60)}</code> `}${shorten(String(error.message ?? ''), 600)}`;
}
