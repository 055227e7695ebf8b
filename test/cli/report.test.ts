// The report is a single page that needs nothing else and is readable: in Chromium, light and dark, on paper, on a phone.

import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { findings } from '../../lib/cli/report/findings.js';
import { gatherReport, type ReportInput, readAuditLog } from '../../lib/cli/report/gather.js';
import { html } from '../../lib/cli/report/html.js';
import { renderReport } from '../../lib/cli/report/render.js';
import { growthOf } from '../../lib/cli/report/size-charts.js';
import { backupsTable, othersSharing } from '../../lib/cli/report/tables.js';
import { showRanges } from '../../lib/cli/report/words.js';
import { remember } from '../../lib/manager/history.js';
import { sharedWith } from '../../lib/manager/inventory.js';
import { ownRecord } from '../../lib/manager/operation-record.js';
import { updateState } from '../../lib/manager/state.js';
import type { RetentionPolicy } from '../../lib/retention/retention.js';
import { openStorage } from '../../lib/storage/storage.js';
import { fill, openDatabase, openEngine } from '../fixtures/backups.js';
import { Chromium, findChromium, type View } from '../fixtures/chromium.js';
import { cli, cliAnswer } from '../fixtures/cli.js';
import { cliScenes, refused } from '../fixtures/cli-scene.js';
import { snapshotOf, tempDir } from '../fixtures/files.js';
import { FAINT_TEXTS, MISPLACED } from '../fixtures/page-checks.js';
import { reportScene } from '../fixtures/report-scene.js';

const policy: RetentionPolicy = { last: 3, daily: 7, weekly: 4, monthly: 6, within: '2d' };
const hostile = `</script></style></title><img src=x onerror=alert(1)><b id=evil>"'&amp; \u202eevil\0${'x'.repeat(500)}`;

const scenes: Record<string, ReportInput> = {
  empty: reportScene({ count: 0, history: false }),
  one: reportScene({ count: 1 }),
  thirty: reportScene({ policy }),
  damaged: reportScene({ policy, corrupt: [12, 13] }),
  'five hundred': reportScene({ count: 500, policy }),
  hostile: reportScene({ count: 12, policy, text: hostile, location: `/backups/${hostile}` }),
  'without history': reportScene({ count: 5, history: false }),
};

t.test('text is escaped wherever it stands, and nothing else gets in', async (t) => {
  const text = '<b>&"\'\0\u202e';
  const escaped = '&lt;b&gt;&amp;&quot;&#39;\\x00\\u202e';
  t.equal(html`<i title="${text}">${text}</i>`.text, `<i title="${escaped}">${escaped}</i>`);
  t.equal(html`${[html`<b>`, 1, false, undefined, ['<']]}`.text, '<b>1&lt;');
});

t.test('numbers that follow each other are put together', async (t) => {
  t.equal(showRanges([]), '');
  t.equal(showRanges([7, 1, 3, 2, 9, 10]), '1–3, 7, 9–10');
});

t.test('what is new in a backup, and the sums, are those of its files', async (t) => {
  const { inventory } = scenes.thirty!;
  const growth = growthOf(inventory);
  t.equal(growth.at(-1)?.onDisk, inventory.bytesOnDisk);
  t.equal(growth.at(-1)?.logical, inventory.logicalBytes);
  t.equal(growth[0]?.added, growth[0]?.size);
});

t.test('which backups share with which is told alike for one and for all', async (t) => {
  for (const name of ['thirty', 'damaged', 'five hundred']) {
    const { inventory } = scenes[name]!;
    const othersOf = othersSharing(inventory);
    for (const backup of inventory.backups) {
      t.same(
        othersOf(backup),
        sharedWith(inventory, backup.backupId).map(({ backupId }) => backupId),
      );
    }
  }
});

t.test('that the newest is not verified yet keeps nothing from being pruned: prune verifies it first', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a');
  for (let n = 0; n < 2; n++) await engine.createBackup(db);
  const input = await gatherReport(engine, { policy: { last: 1 } });
  t.same(input.plan?.delete, [1]);
  const found = findings(input).map(({ what }) => what);
  t.notOk(found.some((what) => what.includes('pruned')));
  t.ok(found.some((what) => what.includes('has not been verified')));
});

t.test('what needs attention is found, the worst first', async (t) => {
  const found = (name: string) => findings(scenes[name]!).map(({ level, what }) => `${level}: ${what}`);
  t.same(found('thirty'), []);
  t.match(found('damaged'), [
    /^bad: Backups 12–13 cannot be read/,
    /^bad: Backup 22 is known to be damaged: private\/22\/MANIFEST-000004\./,
    /^warn: Nothing can be pruned: corrupt backups forbid deleting/,
  ]);
  t.match(found('empty'), [/^warn: There is no backup/]);
  t.match(found('without history'), [
    /^warn: The newest backup, 5, has not been verified/,
    /^warn: There is no record of a restore drill/,
  ]);

  const { thirty } = scenes as { thirty: ReportInput };
  const later = (days: number) => ({ ...thirty, now: new Date(thirty.now.getTime() + days * 86_400_000) });
  t.match(
    findings(later(40)).map(({ what }) => what),
    [
      /^The newest backup was made 40 d 2 h ago. Earlier backups were made about every 6 h/,
      /^The last restore drill was 4\d d/,
    ],
  );
  const at = thirty.now.toISOString();
  const failed = (operation: 'create' | 'drill', code: string) =>
    ownRecord({ operation, at, ok: false, durationMs: 1, backupId: 30, error: { code, message: '' } });
  const records = [
    ...thirty.records,
    failed('create', 'NO_SPACE'),
    failed('create', 'NO_SPACE'),
    failed('drill', 'DRILL_FAILED'),
  ];
  t.match(
    findings({ ...thirty, records, unreadableLines: 2 }).map(({ what }) => what),
    [
      /^The last restore drill failed, 1 s ago \(backup 30\): DRILL_FAILED/,
      /^The last 2 backups failed, most recently 1 s ago \(backup 30\): NO_SPACE/,
      /^2 lines of the audit log cannot be read/,
    ],
  );
});

t.test('the audit log and the history are put together, each record once, torn lines counted', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a');
  const { backupId, timestamp } = await engine.createBackup(db);
  const record = ownRecord({
    operation: 'verify',
    at: '2026-11-20T00:00:00.000Z',
    ok: true,
    durationMs: 5,
    backupId,
    timestamp: timestamp.toISOString(),
  });
  const state = { version: 1, pins: [], counters: {}, history: [record], last: { verify: record }, manager: {} };
  writeFileSync(dir('backups', 'rocksdb-backup.state.json'), JSON.stringify(state));
  const log = dir('audit.jsonl');
  const older = { ...record, operation: 'drill', at: '2026-11-19T00:00:00.000Z' };
  writeFileSync(
    log,
    `${JSON.stringify(older)}\n\n${JSON.stringify(record)}\n{"operation":"ver\n7\nnull\n{"ok":true}\n`,
  );
  const before = snapshotOf(dir('backups'));
  const input = await gatherReport(engine, { auditLog: log, policy: { last: 1 } });
  t.same(
    input.records.map(({ operation }) => operation),
    ['drill', 'verify'],
  );
  t.match(input.inventory.backups, [{ lastDrill: { ok: true } }], 'the log knows what the history has forgotten');
  t.equal(input.unreadableLines, 4);
  t.same(input.plan?.keep, [1]);
  t.match(renderReport(input), /verify, names and sizes/);
  t.same(snapshotOf(dir('backups')), before, 'the directory is as it was');
  await t.rejects(gatherReport(engine, { auditLog: dir('missing') }), { code: 'ENOENT' });

  appendFileSync(log, `${JSON.stringify(older)}\n`.repeat(12_000));
  t.equal((await readAuditLog(log)).records.length, 5000, 'of a long log, the last ones');
});

t.test('what prune would not delete because of damage, the report does not announce to go', async (t) => {
  const dir = tempDir(t);
  const db = await openDatabase(t, dir('db'));
  const engine = await openEngine(t, dir('backups'));
  await fill(db, 'a');
  const [, second, third] = [
    await engine.createBackup(db),
    await engine.createBackup(db),
    await engine.createBackup(db),
  ];
  const at = '2026-11-20T00:00:00.000Z';
  const named = ({ backupId, timestamp }: typeof second) => ({ backupId, timestamp: timestamp.toISOString() });
  const verified = ownRecord({ operation: 'verify', at, ok: true, durationMs: 1, checksum: true, ...named(third) });
  await updateState(openStorage(dir('backups')), (state) => remember(state, verified));
  t.same((await gatherReport(engine, { policy: { last: 1 } })).plan?.delete, [1, 2]);
  for (const found of [{ file: 'meta/2' }, { drill: true }]) {
    await updateState(openStorage(dir('backups')), (state) => {
      state.manager.damage = [{ ...named(second), ...found, since: at }];
    });
    const { plan } = await gatherReport(engine, { policy: { last: 1 } });
    t.same(plan?.delete, []);
    t.match(
      plan?.blocked,
      found.drill ? /damaged.*: 1, 2, 3\. Verify them with --checksum/ : /damaged.*: 2\. Verify them/,
    );
  }
});

t.test('records of any kind, and backups of any time, break nothing', async (t) => {
  const { thirty } = scenes as { thirty: ReportInput };
  const strange = [
    { operation: 'verify', at: '2026-11-20T00:00:00Z', ok: false },
    { operation: '<b>', at: '2026-11-20T00:00:00Z', ok: false, error: { code: 7, message: null }, durationMs: 'x' },
    { operation: 'create', at: '1970-01-01T00:00:00Z', ok: true, backupId: 'x', error: 'text' },
  ] as never[];
  const backups = thirty.inventory.backups.map((backup, n) => ({
    ...backup,
    timestamp: new Date([0, 8.64e15, Number.NaN][n] ?? backup.timestamp),
  }));
  const page = renderReport({ ...thirty, records: strange, inventory: { ...thirty.inventory, backups } });
  t.match(page, /3 backups of an impossible time/);
  t.notMatch(page, /NaN|Infinity|undefined|\[object/);
  for (const scene of Object.values(scenes)) t.notMatch(renderReport(scene), /NaN|Infinity|undefined|\[object/);
});

// ── In a browser ────────────────────────────────────────────────────────────────────────────────────────────────────

async function browser(t: Test): Promise<Chromium> {
  return Chromium.start(t, findChromium().path as string);
}

const { skip } = findChromium();

t.test('in Chromium every page is legible, fits, and asks for nothing', { skip }, async (t) => {
  const dir = tempDir(t);
  const chromium = await browser(t);
  const views: View[] = [
    { width: 1200, scheme: 'light' },
    { width: 1200, scheme: 'dark' },
    { width: 390, scheme: 'light' },
    { width: 390, scheme: 'dark' },
    { width: 800, scheme: 'dark', media: 'print' },
  ];
  for (const [name, scene] of Object.entries(scenes)) {
    const file = dir(`${name}.html`);
    writeFileSync(file, renderReport(scene));
    // Each scene in some of the views, and the usual scene in all of them.
    const few = name === 'five hundred' ? views.slice(3) : views.slice(1, 3);
    for (const view of name === 'thirty' || process.env.REPORT_SCREENSHOTS ? views : few) {
      const how = `${name}, ${JSON.stringify(view)}`;
      const { requests, complaints } = await chromium.open(file, view);
      t.same([requests.length, complaints], [1, []], `${how}: the file alone, without complaints`);
      await chromium.evaluate('document.querySelectorAll("details").forEach((part) => { part.open = true; })');
      const { scroll, client } = await chromium.evaluate<{ scroll: number; client: number }>(
        '({ scroll: document.documentElement.scrollWidth, client: document.documentElement.clientWidth })',
      );
      t.ok(scroll <= client, `${how}: ${scroll} of ${client} pixels`);
      t.same(await chromium.evaluate(MISPLACED), [], `${how}: nothing sticks out or lies over another`);
      t.same(await chromium.evaluate(FAINT_TEXTS), [], `${how}: all texts stand out`);
      // To look at the pages yourself: REPORT_SCREENSHOTS=/tmp/shots node dist/test/cli/report.test.js
      if (process.env.REPORT_SCREENSHOTS) {
        mkdirSync(process.env.REPORT_SCREENSHOTS, { recursive: true });
        const picture = `${name}-${view.scheme ?? 'light'}-${view.media ?? 'screen'}-${view.width}.png`.replaceAll(
          ' ',
          '-',
        );
        await chromium.open(file, view);
        writeFileSync(join(process.env.REPORT_SCREENSHOTS, picture), await chromium.screenshot());
      }
    }
  }
});

t.test('in Chromium every backup, check, failure and decision is on the page', { skip }, async (t) => {
  const dir = tempDir(t);
  const chromium = await browser(t);
  for (const name of ['thirty', 'five hundred']) {
    const { inventory, records, plan } = scenes[name]!;
    writeFileSync(dir('page.html'), renderReport(scenes[name]!));
    await chromium.open(dir('page.html'));
    const count = (selector: string) =>
      chromium.evaluate<number>(`document.querySelectorAll(${JSON.stringify(selector)}).length`);
    const of = (...operations: string[]) => records.filter(({ operation }) => operations.includes(operation));
    const since = Math.min(...inventory.backups.map(({ timestamp }) => timestamp.getTime()));
    const drawn = records.filter(({ at, ok, operation }) => {
      return Date.parse(at) >= since && (!ok || operation === 'verify' || operation === 'drill');
    });
    t.equal(await count('#backups tbody tr'), inventory.backups.length);
    t.equal(await count('.timeline > svg'), inventory.backups.length + drawn.length, 'marks');
    t.equal(await count('.timeline path.pin'), inventory.backups.filter(({ pinned }) => pinned).length);
    t.equal(await count('#proofs tbody tr'), of('verify', 'drill').length);
    t.equal(await count('#failures tbody tr'), records.filter(({ ok }) => !ok).length);
    t.equal(await count('#sizes g'), inventory.backups.length);
    const decided = await chromium.evaluate<string[]>(
      `[...document.querySelectorAll('#backups [data-title=Retention]')].map((cell) => cell.textContent.trim())`,
    );
    t.same(
      decided,
      [...plan!.decisions].reverse().map(({ action, rules }) => `${action}${rules.join(', ')}`),
      'what becomes of each, and why',
    );
  }
});

t.test('in Chromium hostile text is text, and nothing of it runs or changes the page', { skip }, async (t) => {
  const dir = tempDir(t);
  const chromium = await browser(t);
  writeFileSync(dir('page.html'), renderReport(scenes.hostile!));
  const { requests, complaints } = await chromium.open(dir('page.html'));
  t.same([requests.length, complaints], [1, []]);
  t.equal(
    await chromium.evaluate('document.querySelectorAll("script, img, #evil, link, iframe, [onerror]").length'),
    0,
  );
  t.equal(await chromium.evaluate('document.querySelectorAll("main, footer, section#failures").length'), 3);
  const shown = await chromium.evaluate<string>('document.querySelector("#backups code").textContent');
  t.ok(
    shown.startsWith('</script></style></title><img src=x onerror=alert(1)><b id=evil>"\'&amp; \\u202eevil\\x00xxx'),
    shown,
  );
  t.ok(await chromium.evaluate('document.title.includes("<img src=x")'));
});

// ── The command ─────────────────────────────────────────────────────────────────────────────────────────────────────

t.test('rocksdb-backup report writes the page, says what needs attention, and replaces pages only', async (t) => {
  const { dir, backups } = (await cliScenes(t))(t);
  const before = snapshotOf(backups);
  const page = dir('page.html');
  const { json } = await cliAnswer(t, ['report', backups, '--html', page, '--keep-last', '1']);
  t.match(json, { location: backups, html: page, bytes: statSync(page).size });
  t.match(json.attention, [{ level: 'warn', what: /newest backup, 3, has not been verified/ }]);
  t.match(
    readFileSync(page, 'utf8'),
    /^<!doctype html>[\s\S]*2 would be deleted.*The newest is verified first[\s\S]*<\/html>\n$/,
  );
  t.same(snapshotOf(backups), before, 'the directory is as it was');

  writeFileSync(dir('log'), '{"torn');
  const told = await cli(t, ['report', backups, '--html', page, '--log', dir('log')]);
  t.equal(told.code, 0);
  t.match(told.stdout, /1 line of the audit log cannot be read[\s\S]*page\.html is written\n$/);
  t.match(readFileSync(page, 'utf8'), /No policy was given/, 'the page is another one');

  writeFileSync(dir('data'), 'not a page');
  await refused(t, ['report', backups, '--html', dir('data')], 2, /is not an HTML page, so it is not replaced/);
  t.equal(readFileSync(dir('data'), 'utf8'), 'not a page');
  await refused(t, ['report', backups], 2, /--html FILE/);
  await refused(t, ['report', backups, '--html', dir('x.html'), '--keep-last', '0'], 2, /keep-last/);
  await refused(t, ['report', dir('missing'), '--html', dir('x.html')], 3, /does not exist/);
  t.notOk(existsSync(dir('x.html')));
  const nowhere = dir('no', 'such', 'x.html');
  const missing = new RegExp(`${nowhere} cannot be written: its directory .*no/such is missing`);
  await refused(t, ['report', backups, '--html', nowhere], 2, missing);
  await refused(t, ['report', backups, '--html', backups], 2, /backups is a directory: give the page a name in it/);
  const below = join(page, 'x.html');
  await refused(t, ['report', backups, '--html', below], 2, /x\.html cannot be written: .*page\.html is no directory/);
});

t.test('where backups are of several databases the table says of which', async (t) => {
  const { inventory } = scenes.thirty!;
  const of = (ids: string[]) => ({
    ...scenes.thirty!,
    inventory: {
      ...inventory,
      backups: inventory.backups.map((backup, n) => ({ ...backup, databaseId: ids[n % ids.length]! })),
    },
  });
  t.notMatch(backupsTable(of(['users'])).text, /Database/);
  const two = backupsTable(of(['users', '<orders>'])).text;
  t.match(two, /<th class="">Database<\/th>/);
  t.equal(two.match(/data-title="Database"><span>users</g)?.length, 15);
  t.equal(two.match(/data-title="Database"><span>&lt;orders&gt;</g)?.length, 15);
});
