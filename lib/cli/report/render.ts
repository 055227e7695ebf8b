import { formatDuration, formatSize } from '../../base/units.js';
import type { OperationRecord } from '../../manager/operation-record.js';
import type { RetentionPolicy } from '../../retention/retention.js';
import { type Finding, findings } from './findings.js';
import type { ReportInput } from './gather.js';
import { Html, html } from './html.js';
import { PAGE_STYLE } from './page-style.js';
import { growthOf, sizesOfBackups, sizesTogether } from './size-charts.js';
import { backupsTable, failuresTable, proofsTable } from './tables.js';
import { timeline } from './timeline.js';
import { showAge, showCount, showTime } from './words.js';

/**
 * Makes a report on a repository as one page of HTML. The page needs no script and no network. Everything in it that comes from backups and
 * history entries is inserted as text only.
 */
export function renderReport(input: ReportInput): string {
  const { inventory, now, timezone, host } = input;
  const empty = inventory.backups.length === 0;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Backups in ${inventory.location}</title>
<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
<header>
<h1>Backups in ${inventory.location}</h1>
<p class="muted">As of ${showTime(now, timezone)} on ${host}. All times are ${timezone}.</p>
</header>
<main>
<div class="tiles">${tiles(input)}</div>
<section id="attention"><h2>What needs attention</h2>${attention(findings(input))}</section>
${!empty && html`<section id="timeline"><h2>Timeline</h2>${timeline(input)}</section>`}
${!empty && sizes(input)}
${retention(input)}
${!empty && html`<section id="backups" class="long"><h2>Backups</h2>${backupsTable(input)}<p class="note">Restores: what a restore writes. Only here: what deleting this one alone would free.</p></section>`}
<section id="proofs" class="long"><h2>Verifies and restore drills</h2>${proofsTable(input) ?? html`<p class="muted">None are known.</p>`}</section>
<section id="failures" class="long"><h2>Failures</h2>${failuresTable(input) ?? html`<p class="muted">None are known.</p>`}</section>
</main>
<footer>${since(input)}</footer>
</body>
</html>
`.text;
}

function tile(name: string, value: string, more: string, level = ''): Html {
  return html`<div class="tile"><div class="name">${name}</div><div class="value ${level}">${value}</div><div class="more">${more}</div></div>`;
}

function tiles({ inventory, records, now, timezone }: ReportInput): Html[] {
  const { backups, corrupt, bytesOnDisk, logicalBytes } = inventory;
  const lastGood = backups.filter(({ state }) => state === 'good').at(-1);
  const unreadable = corrupt.length === 0 ? '' : `, ${corrupt.length} unreadable`;
  const full = backups.filter(({ kind }) => kind === 'full').length;
  const pinned = backups.filter((backup) => backup.pinned).length;
  const creates = records.filter(({ operation }) => operation === 'create');
  const succeeded = creates.filter(({ ok }) => ok).length;
  return [
    lastGood === undefined
      ? tile('Last verified backup', 'none', 'no backup is known to have verified', backups.length > 0 ? 'warn' : '')
      : tile(
          'Last verified backup',
          showAge(lastGood.timestamp, now),
          `${lastGood.backupId}, ${showTime(lastGood.timestamp, timezone)}`,
          'good',
        ),
    tile(
      'Backups',
      `${backups.length}`,
      `${full} full, ${pinned} pinned${unreadable}`,
      corrupt.length > 0 ? 'bad' : '',
    ),
    tile(
      'On disk',
      formatSize(bytesOnDisk),
      logicalBytes > bytesOnDisk && bytesOnDisk > 0
        ? `for ${formatSize(logicalBytes)}: ${Math.round((10 * logicalBytes) / bytesOnDisk) / 10} to 1`
        : 'nothing is shared',
    ),
    ageTile('Last restore drill', records.filter(({ operation }) => operation === 'drill').at(-1), now),
    ageTile('Last verify', records.filter(({ operation }) => operation === 'verify').at(-1), now),
    creates.length === 0
      ? tile('Backups that succeeded', 'unknown', 'there is no record of any')
      : tile(
          'Backups that succeeded',
          `${Math.floor((1000 * succeeded) / creates.length) / 10} %`,
          `of the last ${creates.length}, in ${formatDuration(median(creates.filter(({ ok }) => ok)))} (median)`,
          succeeded === creates.length ? 'good' : 'warn',
        ),
  ];
}

function ageTile(name: string, record: OperationRecord | undefined, now: Date): Html {
  if (record === undefined) {
    return tile(name, 'none known', 'there is no record of one');
  }
  const { ok, at, backupId } = record;
  return tile(
    name,
    ok ? showAge(at, now) : 'failed',
    `${ok ? 'ok' : showAge(at, now)}${backupId === undefined ? '' : `, backup ${backupId}`}`,
    ok ? 'good' : 'bad',
  );
}

function median(records: readonly OperationRecord[]): number {
  const durations = records.map(({ durationMs }) => Number(durationMs)).sort((a, b) => a - b);
  return durations[durations.length >> 1] ?? Number.NaN;
}

function attention(all: readonly Finding[]): Html {
  if (all.length === 0) {
    return html`<ul class="attention"><li class="good"><b>Nothing that is known.</b> The newest backup is verified, and a restore drill has succeeded.</li></ul>`;
  }
  return html`<ul class="attention">${all.map(({ level, what, todo }) => html`<li class="${level}"><b>${what}</b> ${todo}</li>`)}</ul>`;
}

function sizes({ inventory }: ReportInput): Html {
  const growth = growthOf(inventory);
  return html`<section id="sizes"><h2>Size on disk, and of the databases</h2>
<div class="two">
<div><h3>Each backup <small>up to ${formatSize(Math.max(...growth.map(({ size }) => size)))}</small></h3>${sizesOfBackups(growth)}
<p class="legend"><span><i class="swatch logical"></i> what a restore writes</span><span><i class="swatch disk"></i> of that, new when it was made</span></p></div>
<div><h3>All so far, oldest to newest <small>up to ${formatSize(inventory.logicalBytes)}</small></h3>${sizesTogether(growth)}
<p class="legend"><span><i class="swatch logical"></i> sum of databases: ${formatSize(inventory.logicalBytes)}</span><span><i class="swatch disk"></i> on disk: ${formatSize(inventory.bytesOnDisk)}</span></p></div>
</div></section>`;
}

function retention({ plan, policy, inventory }: ReportInput): Html {
  if (plan === undefined || policy === undefined) {
    return html`<section id="retention"><h2>Retention</h2><p class="muted">No policy was given to this report, as with --keep-daily 7.</p></section>`;
  }
  const freed = formatSize(plan.bytesBefore - plan.bytesAfter);
  const summary =
    plan.delete.length === 0
      ? `All ${showCount(plan.keep.length, 'backup')} stay.`
      : `${showCount(plan.keep.length, 'backup')} stay, ${plan.delete.length} would be deleted, which frees ${freed}.` +
        (inventory.backups.at(-1)?.state === 'unverified' ? ' The newest is verified first.' : '');
  return html`<section id="retention"><h2>Retention</h2>
<p>${policyInWords(policy)}</p>
<p>${summary}${plan.blocked !== undefined && html` <b>Nothing is deleted now:</b> ${plan.blocked}.`}</p>
<p class="note">By which rule each stays or goes is told with the backups.</p></section>`;
}

function policyInWords(policy: RetentionPolicy): Html {
  const { timezone, ...rules } = policy;
  const words = Object.entries(rules)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) =>
        html`<code>${name}: ${name === 'maxBytes' && typeof value === 'number' ? formatSize(value) : name === 'within' && typeof value === 'number' ? formatDuration(value) : String(value)}</code>`,
    );
  return words.length === 0
    ? html`The policy has no rule: all stay.`
    : html`Policy: ${words.map((word, n) => html`${n > 0 && ', '}${word}`)}, by the calendar of ${timezone ?? 'UTC'}.`;
}

function since({ records, timezone, inventory }: ReportInput): Html {
  const [first] = records;
  return html`<p>${first === undefined ? 'Of what was done here nothing is known.' : `What was done is known since ${showTime(first.at, timezone)}: ${showCount(records.length, 'record')}.`} ${showCount(inventory.users.size, 'file')} in ${showCount(inventory.backups.length, 'backup')}. Made by rocksdb-backup.</p>`;
}
