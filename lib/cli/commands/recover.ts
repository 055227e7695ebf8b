import { resolve } from 'node:path';
import {
  PointInTimeRecovery,
  type RecoverOptions,
  type RecoveryEstimate,
  type RecoveryResult,
} from '../../archive/point-in-time-recovery.js';
import { formatDuration, formatSize } from '../../base/units.js';
import { defineCommand, dirArgument, type OptionSpecs, type OptionValues } from '../command.js';
import { withDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import type { Result } from '../output/output.js';
import { counted, linesOf, safe } from '../output/text.js';
import { count, flag, number, object, text } from '../schema.js';
import { localTime } from '../time.js';

const optionSpecs = {
  to: {
    type: 'time',
    summary:
      "the moment to go back to: '2026-01-31 14:02:59' (local time), 2026-01-31T14:02:59.250Z, or how long ago, such as 10m",
  },
  sequence: { type: 'integer', placeholder: 'N', summary: 'the sequence number of the last write to recover' },
  point: { type: 'text', placeholder: 'NAME', summary: 'the moment that was given this name' },
  latest: { type: 'flag', summary: 'everything that is in the archive' },
  timeline: {
    type: 'integer',
    placeholder: 'T',
    summary: 'from this timeline',
    default: 'the newest that has the moment',
  },
  era: { type: 'text', placeholder: 'E', summary: 'from this era, where a clock was set back and a time came twice' },
  overwrite: { type: 'flag', summary: 'replace the database that is in TARGET' },
  'allow-other-database': {
    type: 'flag',
    summary: 'with --overwrite: also replace a database that is not the archived one',
  },
  'keep-old': { type: 'flag', summary: 'keep the replaced database beside TARGET' },
  'dry-run': { type: 'flag', summary: 'only check, and show what would be done' },
} as const satisfies OptionSpecs;

export const recover = defineCommand({
  name: 'recover',
  summary: 'bring a database back as it was at any moment of its archive',
  description: [
    'Brings back the database that a service archives to DIR, to the directory TARGET: with every write that was acknowledged by the moment given, and with none that began later. It restores the last backup from before that moment and replays the archived log.',
    'As with restore, TARGET must be empty or not exist, unless --overwrite is given; the database moves to TARGET only when it is complete; and after any failure TARGET is unchanged.',
    'If the archive does not have the moment, the command says from when to when it has what, and recovers nothing.',
  ],
  positionals: [
    dirArgument,
    { name: 'TARGET', type: 'directory', summary: 'the directory for the recovered database' },
  ],
  options: optionSpecs,
  examples: [
    {
      line: "rocksdb-backup recover /backups/users /data/users-1402 --to '2026-01-31 14:02:59'",
      does: 'the state of that second, in a new directory',
    },
    {
      line: 'rocksdb-backup recover s3://backups/users /data/users --latest --overwrite --keep-old',
      does: 'everything that was archived, in place of a database that is lost or damaged',
    },
    {
      line: "rocksdb-backup recover /backups/users /tmp/before --point 'before migration 7'",
      does: 'a moment that the service gave a name',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  schema: object({
    location: text('the repository'),
    target: text('the recovered database'),
    dryRun: flag('nothing was done: the values say what would be done'),
    timeline: count(),
    era: text(),
    sequence: count('the last write that the database has'),
    'recoveredTo?': text('the time of that write, if one was replayed'),
    backupId: count('the backup that was restored first'),
    segments: count('pieces of the archive that were replayed'),
    writesReplayed: count(),
    'bytesReplayed?': count(),
    'keptOld?': text('where the database that was replaced is now, with --keep-old'),
    durationMs: number(),
  }),
  async run(context, { DIR, TARGET }, options) {
    const moment = momentOf(options);
    const target = resolve(TARGET);
    return withDirectory(DIR, async (engine) => {
      const { location } = engine;
      const begun = performance.now();
      const recovery = await PointInTimeRecovery.open(engine);
      const estimate = await recovery.estimate(moment);
      const { overwrite, 'keep-old': keepOld, 'allow-other-database': allowOtherDatabase } = options;
      if (overwrite || options['dry-run']) {
        const how = { overwrite, keepOld, allowOtherDatabase, signal: context.signal };
        const { targetHolds } = await engine.planRestore(estimate.backupId, target, how);
        if (options['dry-run']) {
          return planAsResult(location, target, estimate, performance.now() - begun);
        }
        if (targetHolds !== 'nothing') {
          const then = keepOld ? 'The old database stays beside it, under another name.' : 'It is lost then.';
          await context.confirm(
            [`This replaces what is in ${safe(target)} with ${inWords(location, estimate)}. ${then}`],
            'Replace it?',
            options,
          );
        }
      }
      const recovered = await context.long('recover', (task) => {
        const how: RecoverOptions = { ...task, into: target, overwrite, keepOld, allowOtherDatabase };
        return recovery.recoverTo(moment, how);
      });
      return asResult(location, target, recovered);
    });
  },
});

function momentOf({ to, sequence, point, latest, timeline, era }: OptionValues<typeof optionSpecs>) {
  const given = [to, sequence, point, latest || undefined].filter((each) => each !== undefined);
  if (given.length !== 1) {
    throw new UsageError('give one of --to, --sequence, --point and --latest');
  }
  return { time: to, sequence, point, timeline, era };
}

const inWords = (location: string, { sequence, timeline, backupId, writesToReplay }: RecoveryEstimate) =>
  `the state of ${safe(location)} at sequence number ${sequence} of timeline ${timeline}: backup ${backupId}, and ` +
  `up to ${counted(writesToReplay, 'write')} after it`;

function planAsResult(location: string, target: string, estimate: RecoveryEstimate, durationMs: number): Result {
  const { writesToReplay, ...rest } = estimate;
  return {
    json: { location, target, dryRun: true, ...rest, writesReplayed: writesToReplay, durationMs },
    text: () => [
      `This recovers ${inWords(location, estimate)}, to ${safe(target)}.`,
      'Nothing was done: this was a dry run.',
    ],
  };
}

function asResult(location: string, target: string, recovered: RecoveryResult): Result {
  const { timeline, era, sequence, recoveredTo, backupId, segments, writesReplayed, bytesReplayed, duration } =
    recovered;
  const { keptOld } = recovered.restored;
  return {
    json: {
      location,
      target,
      dryRun: false,
      timeline,
      era,
      sequence,
      recoveredTo: recoveredTo?.toISOString(),
      backupId,
      segments,
      writesReplayed,
      bytesReplayed,
      keptOld,
      durationMs: duration,
    },
    text: () =>
      linesOf(
        `recovered ${safe(target)} to sequence number ${sequence}` +
          `${recoveredTo === undefined ? '' : `, whose last write is of ${localTime(recoveredTo)}`}: backup ${backupId} and ` +
          `${counted(writesReplayed, 'write')} (${formatSize(bytesReplayed)}) after it, in ${formatDuration(duration)}`,
        keptOld !== undefined && `the database that was there is now ${safe(keptOld)}`,
      ),
  };
}
