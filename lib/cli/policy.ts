import { isTimezone, type RetentionPolicy } from '../retention/retention.js';
import type { OptionSpecs, OptionValues } from './command.js';
import { UsageError } from './errors.js';

const keep = (what: string) => ({ type: 'integer', summary: `keep ${what}` }) as const;

/** The options of prune and report that say which backups to keep. */
export const policyOptions = {
  'keep-last': keep('the newest N'),
  'keep-hourly': keep('the newest of each of the last N hours that have backups'),
  'keep-daily': keep('the newest of each of the last N days that have backups'),
  'keep-weekly': keep('the newest of each of the last N weeks that have backups'),
  'keep-monthly': keep('the newest of each of the last N months that have backups'),
  'keep-yearly': keep('the newest of each of the last N years that have backups'),
  'keep-within': {
    type: 'duration',
    summary: 'keep all backups that are at most this much older than the newest, such as 7d',
  },
  'max-backups': { type: 'integer', summary: 'keep at most N backups' },
  'max-bytes': { type: 'size', summary: 'use at most this much space on the disk, such as 500GB' },
  timezone: {
    type: 'text',
    placeholder: 'ZONE',
    summary: 'the time zone of hours, days and weeks',
    default: 'UTC, as with BackupManager',
  },
} as const satisfies OptionSpecs;

/** The policy in these options. Undefined if none of them says what to keep. */
export function policyOf(options: OptionValues<typeof policyOptions>): RetentionPolicy | undefined {
  const { timezone } = options;
  if (timezone !== undefined && !isTimezone(timezone)) {
    throw new UsageError(`--timezone must be the name of a time zone, such as Europe/Vienna, not '${timezone}'`);
  }
  const policy: RetentionPolicy = {
    last: options['keep-last'],
    hourly: options['keep-hourly'],
    daily: options['keep-daily'],
    weekly: options['keep-weekly'],
    monthly: options['keep-monthly'],
    yearly: options['keep-yearly'],
    within: options['keep-within'],
    maxBackups: options['max-backups'],
    maxBytes: options['max-bytes'],
  };
  if (Object.values(policy).every((value) => value === undefined)) {
    return undefined;
  }
  return { ...policy, timezone };
}
