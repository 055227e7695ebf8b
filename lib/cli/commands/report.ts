import { resolve } from 'node:path';
import { defineCommand, dirArgument } from '../command.js';
import { withDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { safe } from '../output/text.js';
import { policyOf, policyOptions } from '../policy.js';
import { findings } from '../report/findings.js';
import { gatherReport } from '../report/gather.js';
import { checkReplaceable, writePage } from '../report/page-file.js';
import { renderReport } from '../report/render.js';
import { array, count, object, oneOf, text } from '../schema.js';
import { timeZone } from '../time.js';

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
