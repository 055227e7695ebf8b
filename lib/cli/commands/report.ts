import { open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { writeDurably } from '../../base/durable-file.js';
import { defineCommand, dirArgument } from '../command.js';
import { withDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { safe } from '../output/text.js';
import { policyOf, policyOptions } from '../policy.js';
import { findings } from '../report/findings.js';
import { gatherReport } from '../report/gather.js';
import { renderReport } from '../report/render.js';
import { array, count, object, oneOf, text } from '../schema.js';
import { timeZone } from '../time.js';
import { unreadable } from '../unreadable.js';

const BEGINNING = '<!doctype html>';

export const report = defineCommand({
  name: 'report',
  summary: 'write a page of HTML about a repository',
  description: [
    'Writes one HTML page that works offline, in any browser, on paper and on a phone. It shows a timeline of the backups, their space on the disk and the sizes of the databases, which backups share files, how each was verified and drilled, what failed, and what needs attention. With the --keep and --max options of prune it also shows which backups prune would delete, and why. It deletes nothing.',
    'The history has the last few hundred operations; an audit log goes back further. An existing page is replaced; any other file is not.',
  ],
  positionals: [dirArgument],
  options: {
    html: { type: 'path', placeholder: 'FILE', summary: 'the file to write the page to' },
    log: { type: 'path', placeholder: 'FILE', summary: 'an audit log to read in addition to the history' },
    ...policyOptions,
  },
  examples: [
    { line: 'rocksdb-backup report /backups/users --html users.html', does: 'the page' },
    {
      line: 'rocksdb-backup report /backups/users --html users.html --keep-daily 7 --keep-weekly 4 --log /var/log/backups.jsonl',
      does: 'also show what prune would do, and operations from the audit log',
    },
  ],
  exits: ['notFound'],
  schema: object({
    location: text('the repository'),
    html: text('the page'),
    bytes: count('of the page'),
    attention: array(
      object({ level: oneOf('bad', 'warn'), what: text(), todo: text('what to do about it') }),
      'what needs attention, the worst first',
    ),
  }),
  async run(context, { DIR }, options) {
    const { html, log } = options;
    if (html === undefined) {
      throw new UsageError('report needs to know where to write the page: --html FILE', 'rocksdb-backup report --help');
    }
    const file = resolve(html);
    await checkReplaceable(file);
    return withDirectory(DIR, async (engine) => {
      const input = await gatherReport(engine, {
        policy: policyOf(options),
        auditLog: log,
        now: context.now(),
        timezone: options.timezone ?? timeZone(),
      });
      const page = renderReport(input);
      await writePage(file, page);
      const attention = findings(input);
      const { style } = context.out;
      return {
        json: { location: engine.location, html: file, bytes: Buffer.byteLength(page), attention },
        text: () => [
          ...attention.map(
            ({ level, what, todo }) => `${(level === 'bad' ? style.bad : style.warn)(safe(what))} ${safe(todo)}`,
          ),
          `${safe(file)} is written`,
        ],
        quiet: () => [file],
      };
    });
  },
});

/** Refuses to replace a file that is not a report, so that a mistyped name does not destroy another file. */
async function checkReplaceable(file: string): Promise<void> {
  const existing = await open(file, 'r').catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      return checkDirectoryOf(file);
    }
    throw unreadable(file, error);
  });
  if (existing === undefined) {
    return;
  }
  try {
    if ((await existing.stat()).isDirectory()) {
      throw new UsageError(`${file} is a directory: give the page a name in it.`);
    }
    const { buffer, bytesRead } = await existing.read(Buffer.alloc(BEGINNING.length), 0, BEGINNING.length, 0);
    if (bytesRead > 0 && buffer.toString('latin1', 0, bytesRead) !== BEGINNING) {
      throw new UsageError(`${file} exists and is not an HTML page, so it is not replaced. Choose another name.`);
    }
  } finally {
    await existing.close();
  }
}

async function checkDirectoryOf(file: string): Promise<undefined> {
  const directory = dirname(file);
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) {
    const what = found === undefined ? 'is missing' : 'is no directory';
    throw new UsageError(
      `${file} cannot be written: its directory ${directory} ${what}. Make it first, or choose another place.`,
    );
  }
}

/** writeDurably writes a temporary file first. The user does not know that name, so error messages must not contain it. */
async function writePage(file: string, page: string): Promise<void> {
  await writeDurably(file, page).catch((cause: NodeJS.ErrnoException) => {
    const [, reason] = getSystemErrorMap().get(cause.errno ?? 0) ?? [cause.code, cause.message];
    throw Object.assign(new Error(`${file} cannot be written: ${reason}`, { cause }), { code: cause.code });
  });
}
