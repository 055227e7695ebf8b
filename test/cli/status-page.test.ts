// The page of status --html: in Chromium, light and dark, wide and on a phone, with hostile names and a thousand repositories.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { judge } from '../../lib/cli/report/judged.js';
import { renderStatus } from '../../lib/cli/report/status-page.js';
import type { RepositoryStatus } from '../../lib/status/repository-status.js';
import { Chromium, findChromium, type View } from '../fixtures/chromium.js';
import { tempDir } from '../fixtures/files.js';
import { FAINT_TEXTS, MISPLACED } from '../fixtures/page-checks.js';

const now = new Date('2026-03-01T12:00:00Z');
const HOUR = 3_600_000;
const hostile = `</style></title><img src=x onerror=alert(1)><b id=evil>"'&amp; \u202e${'x'.repeat(300)}`;

function status(n: number, more: Partial<RepositoryStatus> = {}): RepositoryStatus {
  const ageMs = (n % 20) * HOUR + 5 * 60_000;
  return {
    location: `s3://acme-backups/team-${n % 7}/service-${n}`,
    backups: 12 + n,
    bytes: 1.7e9 * (n + 1),
    lastGood: { backupId: 30 + n, timestamp: new Date(now.getTime() - ageMs), ageMs },
    damaged: [],
    unreadable: [],
    pinned: [],
    leases: [],
    ...more,
  };
}

const few: RepositoryStatus[] = [
  status(0, { pinned: [3, 4], leases: [{ what: 'writing', holder: 'process 4711 on web1' }] }),
  status(1, { damaged: [12], unreadable: [3, 4, 5], leases: [{ what: 'reading', backupId: 7 }] }),
  status(2, { lastGood: { backupId: 9, timestamp: new Date(now.getTime() - 80 * HOUR), ageMs: 80 * HOUR } }),
  { ...status(3), backups: 0, bytes: 0, lastGood: undefined } as never,
  {
    ...status(4),
    backups: 0,
    bytes: 0,
    lastGood: undefined as never,
    error: new Error('s3://acme-backups/team-4/service-4: cannot list: AccessDenied'),
  },
  status(5, { location: `/backups/${hostile}` }),
  status(6),
];

const page = (statuses: readonly RepositoryStatus[]) =>
  renderStatus({
    place: 's3://acme-backups',
    judged: statuses.map((each) => judge(each, 26 * HOUR)),
    now,
    timezone: 'UTC',
    host: 'web1',
    maxAge: 26 * HOUR,
  });

const pages: Record<string, string> = {
  few: page(few),
  none: page([]),
  thousand: page(Array.from({ length: 1000 }, (_, n) => status(n))),
};

t.test('what is on the page', async (t) => {
  const { few, thousand } = pages;
  t.match(few, /damaged: 12.*cannot be read: 3.5.*reading 7/s);
  t.match(few, /writing \(process 4711 on web1\)/);
  t.match(few, /AccessDenied/);
  t.equal([...few!.matchAll(/>0 B</g)].length, 1, 'of what could not be looked at, no numbers are shown');
  t.notMatch(few, '<img');
  const states = [...few!.matchAll(/class="badge [a-z]+">([a-z]+)</g)].map(([, state]) => state);
  t.same(states, ['failed', 'damaged', 'late', 'late', 'good', 'good', 'good'], 'the worst first');
  t.equal([...thousand!.matchAll(/<tr>/g)].length, 1001);
  t.ok(thousand!.length < 1_000_000, `${thousand!.length} bytes`);
});

const chromium = findChromium();
t.test('in Chromium', { skip: chromium.skip ?? false }, async (t) => {
  const dir = tempDir(t);
  const browser = await Chromium.start(t, chromium.path!);
  const views: View[] = [
    { width: 1200 },
    { width: 1200, scheme: 'dark' },
    { width: 390 },
    { width: 320, scheme: 'dark' },
  ];
  for (const [name, text] of Object.entries(pages)) {
    writeFileSync(dir(`${name}.html`), text);
    for (const view of name === 'few' ? views : views.slice(1, 3)) {
      const how = `${name}, ${JSON.stringify(view)}`;
      const { requests, complaints } = await browser.open(dir(`${name}.html`), view);
      t.same([requests.length, complaints], [1, []], `${how}: the file alone, without complaints`);
      t.same(await browser.evaluate(MISPLACED), [], `${how}: nothing sticks out`);
      t.same(await browser.evaluate(FAINT_TEXTS), [], `${how}: all texts stand out`);
      const untitled = await browser.evaluate<number>(
        `[...document.querySelectorAll('td')].filter((cell) => getComputedStyle(cell).display !== 'none' &&
          getComputedStyle(cell).display !== 'table-cell' &&
          ['none', 'normal', '""'].includes(getComputedStyle(cell, '::before').content)).length`,
      );
      t.equal(untitled, 0, `${how}: where the heads of the columns are hidden, each cell has its title`);
      if (process.env.REPORT_SCREENSHOTS && name !== 'thousand') {
        mkdirSync(process.env.REPORT_SCREENSHOTS, { recursive: true });
        const picture = `status-${name}-${view.scheme ?? 'light'}-${view.width}.png`;
        writeFileSync(join(process.env.REPORT_SCREENSHOTS, picture), await browser.screenshot());
      }
    }
  }
});
