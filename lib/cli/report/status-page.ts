import { formatDuration, formatSize } from '../../base/units.js';
import { Html, html } from './html.js';
import { type Judged, notesOn } from './judged.js';
import { PAGE_STYLE } from './page-style.js';
import { type Column, rowsOf } from './tables.js';
import { showAge, showTime } from './words.js';

interface StatusPage {
  place: string;
  judged: readonly Judged[];
  now: Date;
  timezone: string;
  host: string;
  maxAge: number | undefined;
}

const LEVELS = { good: 'good', empty: 'warn', late: 'warn', damaged: 'bad', failed: 'bad' } as const;
const ORDER = ['failed', 'damaged', 'late', 'empty', 'good'] as const;

/** Makes one page of HTML about many repositories, the worst first. It needs no script and no network. */
export function renderStatus({ place, judged, now, timezone, host, maxAge }: StatusPage): string {
  const bytes = judged.reduce((sum, each) => sum + each.bytes, 0);
  const backups = judged.reduce((sum, each) => sum + each.backups, 0);
  const bad = judged.filter(({ state }) => state !== 'good').length;
  const sorted = [...judged].sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Repositories in ${place}</title>
<style>${new Html(PAGE_STYLE)}</style>
</head>
<body>
<header>
<h1>Repositories in ${place}</h1>
<p class="muted">As of ${showTime(now, timezone)} on ${host}. All times are ${timezone}.</p>
</header>
<main>
<div class="tiles">
${tile('Repositories', judged.length, judged.length === 0 ? 'bad' : '')}
${tile('Need attention', bad, bad === 0 ? 'good' : 'bad')}
${tile('Backups', `${backups}, ${formatSize(bytes)}`, '')}
</div>
<section class="long"><h2>Repositories</h2>
${rowsOf(columns(now, timezone), sorted)}
</section>
</main>
<footer>${maxAge === undefined ? '' : `Late: the last good backup is older than ${formatDuration(maxAge)}.`}</footer>
</body>
</html>
`.text;
}

function tile(name: string, value: string | number, level: string): Html {
  return html`<div class="tile"><div class="name">${name}</div><div class="value ${level}">${value}</div></div>`;
}

function columns(now: Date, timezone: string): Column<Judged>[] {
  return [
    {
      title: 'Repository',
      wide: true,
      cell: (each) => html`<b>${each.location}</b>${notesOn(each).map((note) => html`<small>${note}</small>`)}`,
    },
    { title: 'State', cell: ({ state }) => html`<span class="badge ${LEVELS[state]}">${state}</span>` },
    {
      title: 'Last good',
      time: true,
      cell: ({ lastGood, error }) =>
        error !== undefined
          ? ''
          : lastGood === undefined
            ? 'none'
            : html`${showTime(lastGood.timestamp, timezone)}<small>${showAge(lastGood.timestamp, now)}, backup ${lastGood.backupId}</small>`,
    },
    { title: 'Backups', number: true, cell: ({ backups, error }) => (error === undefined ? `${backups}` : '') },
    { title: 'Size', number: true, cell: ({ bytes, error }) => (error === undefined ? formatSize(bytes) : '') },
    { title: 'Pinned', number: true, cell: ({ pinned }) => (pinned.length === 0 ? '' : `${pinned.length}`) },
  ];
}
