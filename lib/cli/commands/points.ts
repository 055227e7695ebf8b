import { PointInTimeRecovery, type RecoveryWindow } from '../../archive/point-in-time-recovery.js';
import { formatSize } from '../../base/units.js';
import { defineCommand, dirArgument } from '../command.js';
import { withDirectory } from '../directory.js';
import { table } from '../output/table.js';
import { safe } from '../output/text.js';
import { array, count, object, text } from '../schema.js';
import { localTime } from '../time.js';

export const points = defineCommand({
  name: 'points',
  summary: 'show which moments can be recovered',
  description: [
    'Shows what the archive in DIR has: each timeline, which is one unbroken history of the database, from its first recoverable write to its last; and the moments that were given names. Every moment in between can be brought back with recover.',
  ],
  positionals: [dirArgument],
  options: {},
  examples: [{ line: 'rocksdb-backup points s3://backups/users', does: 'from when to when, and which names' }],
  exits: ['notFound'],
  schema: object({
    location: text('the repository'),
    windows: array(
      object({
        timeline: count(),
        reason: text('why it began'),
        'from?': text(),
        'to?': text(),
        firstSequence: count(),
        lastSequence: count(),
        bytes: count(),
        backupIds: array(count(), 'that a recovery can start from'),
        points: array(object({ name: text(), timeline: count(), sequence: count(), 'time?': text() })),
      }),
    ),
  }),
  run(_context, { DIR }) {
    return withDirectory(DIR, async (engine) => {
      const { location } = engine;
      const recovery = await PointInTimeRecovery.open(engine);
      const windows = await recovery.listRecoveryPoints();
      return { json: { location, windows }, text: () => asText(location, windows) };
    });
  },
});

const timeOr = (time: Date | undefined) => (time === undefined ? '-' : localTime(time));

function asText(location: string, windows: readonly RecoveryWindow[]): string[] {
  if (windows.length === 0) {
    return [`${safe(location)} has no archive that a database can be recovered from`];
  }
  const named = windows.flatMap((window) => window.points);
  return [
    ...table(
      [
        { title: 'TIMELINE', align: 'right' },
        { title: 'BEGAN AS' },
        { title: 'FROM' },
        { title: 'TO' },
        { title: 'SEQUENCE' },
        { title: 'BACKUPS' },
        { title: 'SIZE', align: 'right' },
      ],
      windows.map(({ timeline, reason, from, to, firstSequence, lastSequence, backupIds, bytes }) => [
        String(timeline),
        reason,
        timeOr(from),
        timeOr(to),
        `${firstSequence} to ${lastSequence}`,
        backupIds.join(' '),
        formatSize(bytes),
      ]),
    ),
    ...(named.length === 0
      ? []
      : table(
          [
            { title: 'POINT' },
            { title: 'TIME' },
            { title: 'SEQUENCE', align: 'right' },
            { title: 'TIMELINE', align: 'right' },
          ],
          named.map(({ name, time, sequence, timeline }) => [
            safe(name),
            timeOr(time),
            String(sequence),
            String(timeline),
          ]),
        )),
  ];
}
