import { resolve } from 'node:path';
import { errorCode } from '../../base/errors.js';
import { formatDuration, formatSize } from '../../base/units.js';
import { BackupManager } from '../../manager/backup-manager.js';
import type { ManagerEvents } from '../../manager/manager-events.js';
import { locationName, stopWaitingForStores } from '../../storage/storage.js';
import { defineCommand } from '../command.js';
import type { Context } from '../context.js';
import { checkDatabase, openToBackUp } from '../database.js';
import { messageOf, UsageError } from '../errors.js';
import { errorAsJson } from '../json.js';
import { safe } from '../output/text.js';
import { object, oneOf, text, time } from '../schema.js';
import { localTime } from '../time.js';
import { readConfig, type WatchedDatabase } from '../watch-config.js';

interface Watched {
  config: WatchedDatabase;
  manager: BackupManager;
}

/** An event in words, with details for machines. */
interface Description {
  message: string;
  detail?: object;
}

/** The events that are printed, and what is said about each. */
const descriptions: {
  [K in keyof ManagerEvents as Exclude<K, 'progress'>]: (...args: ManagerEvents[K]) => Description;
} = {
  start: ({ kind, trigger, attempt }) => ({
    message: `a backup begins (${kind}, ${trigger}${attempt > 1 ? `, attempt ${attempt}` : ''})`,
    detail: { kind, trigger, attempt },
  }),
  backup: ({ info: { backupId, size }, kind, trigger, bytesCopied, durationMs, verified }) => ({
    message: `backup ${backupId} was made: ${formatSize(bytesCopied)} copied in ${formatDuration(durationMs)}${verified ? `, verified (${verified})` : ''}`,
    detail: { backupId, size, kind, trigger, bytesCopied, durationMs, verified },
  }),
  verified: ({ backupId, how, durationMs }) => ({
    message: `backup ${backupId} is whole (${how})`,
    detail: { backupId, how, durationMs },
  }),
  pruned: ({ keep, blocked }, deleted) => ({
    message:
      deleted.length > 0
        ? `deleted ${deleted.join(', ')}; ${keep.length} stay`
        : blocked === undefined
          ? '' // the most common case, which needs no line
          : `nothing was deleted: ${blocked}`,
    detail: { deleted, keep, blocked },
  }),
  skipped: ({ operation, reason, message, backupId }) => ({
    message: `${operation} skipped: ${message}`,
    detail: { operation, reason, backupId },
  }),
  retry: ({ error, attempt, delayMs }) => ({
    message: `failed, and is tried again in ${formatDuration(delayMs)}: ${messageOf(error)}`,
    detail: { attempt, delayMs, error: errorAsJson(error) },
  }),
  failure: ({ operation, error, consecutiveFailures, willRetry, backupId }) => ({
    message: `${operation} failed (${consecutiveFailures} in a row): ${messageOf(error)}`,
    detail: { operation, consecutiveFailures, willRetry, code: errorCode(error), backupId, error: errorAsJson(error) },
  }),
  drilled: ({ backupId, keys, durationMs }) => ({
    message: `backup ${backupId} was restored and read: ${keys} keys in ${formatDuration(durationMs)}`,
    detail: { backupId, keys, durationMs },
  }),
  snapshot: ({ path }) => ({ message: `snapshot ${path}`, detail: { path } }),
  stopped: () => ({ message: 'stopped' }),
};
const events = Object.keys(descriptions) as (keyof typeof descriptions)[];

export const watch = defineCommand({
  name: 'watch',
  summary: 'back up databases on their schedules, until it is stopped',
  description: [
    'Backs up, verifies, prunes and drills the databases of a JSON file on their schedules, like BackupManager in a service. It opens a database only during a backup, so it is for databases that are mostly closed. If another process has a database open at that moment, watch tries again for a while, and then reports a failure.',
    'If nothing was written to a database since its newest backup, watch skips the backup and reports it as skipped. With "skipUnchanged": false it makes the backup anyway.',
    'SIGTERM, SIGHUP or Ctrl-C end it with exit code 0. It stops a running backup, which leaves nothing behind. With finalBackup it waits for a running backup and then makes a last one. A failed backup does not end watch: it is reported, tried again, and recorded.',
    'The file: {"databases": [{"path": "/data/users", "backups": "/backups/users", "schedule": "15m", "retention": {"daily": 7, "weekly": 4}, "drill": {"schedule": "0 5 * * 0"}}]}. Its keys are in docs/cli-schema.json, as watchConfig. Paths in the file are relative to the file.',
  ],
  positionals: [],
  keepsRunning: true,
  options: {
    config: { type: 'path', summary: 'the JSON file; required' },
    check: {
      type: 'flag',
      summary: 'only check the file and its paths, and show what it means; opens no database',
    },
  },
  examples: [
    { line: 'rocksdb-backup watch --config /etc/rocksdb-backup.json --check', does: 'check the file' },
    { line: 'rocksdb-backup watch --config /etc/rocksdb-backup.json --json', does: 'print a log for programs' },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  schema: object(
    {
      at: time(),
      database: text('its name'),
      event: oneOf('watching', 'checked', ...events),
      message: text('the same in words'),
      'detail?': { type: 'object' },
    },
    'one line for each event',
  ),
  async run(context, _args, options) {
    if (options.config === undefined) {
      throw new UsageError('watch needs --config FILE', 'rocksdb-backup watch --help');
    }
    const configs = await readConfig(options.config);
    const watched: Watched[] = [];
    let isWatching = false;
    try {
      for (const [at, config] of configs.entries()) {
        context.signal.throwIfAborted();
        checkDatabase(config.path, config.walDir);
        watched.push({ config, manager: newManager(config, options.config, at) });
      }
      if (options.check) {
        for (const { config } of watched) {
          log(context, config.name, 'checked', { message: meaningOf(config) });
        }
        return { streamed: true, exit: 'ok' };
      }
      isWatching = true;
      for (const each of watched) {
        start(context, each);
      }
      await aborted(context.signal);
    } finally {
      await stopAll(watched, isWatching);
    }
    return { streamed: true, exit: 'ok' };
  },
});

function start(context: Context, { config, manager }: Watched): void {
  for (const event of events) {
    manager.on(event, (...args: never[]) => {
      const describe = descriptions[event] as (...args: never[]) => Description;
      log(context, config.name, event, describe(...args));
    });
  }
  manager.start();
  log(context, config.name, 'watching', { message: meaningOf(config) });
  if (config.backupOnStart) {
    const { skipUnchanged = true } = config.manager;
    manager.backupNow({ skipUnchanged }).catch(() => undefined); // a failure is reported by an event
  }
}

/** Describes what will be done for a database. */
function meaningOf({ path, manager: { location, schedule }, backupOnStart, finalBackup }: WatchedDatabase): string {
  const times = [
    ...(schedule === undefined ? [] : [`on the schedule ${JSON.stringify(schedule)}`]),
    ...(backupOnStart ? ['at the start'] : []),
    ...(finalBackup ? ['at the end'] : []),
  ];
  return `${path} goes to ${locationName(location)}, ${times.join(', ') || 'on no schedule'}`;
}

function newManager(config: WatchedDatabase, file: string, at: number): BackupManager {
  try {
    return new BackupManager({
      ...config.manager,
      db: { path: config.path, open: () => openToBackUp(config.path, config) },
    });
  } catch (error) {
    if (errorCode(error) === 'INVALID_OPTION') {
      throw new UsageError(`${resolve(file)}: databases[${at}].${messageOf(error)}`, 'rocksdb-backup watch --help');
    }
    throw error;
  }
}

/** Waits for the signal and keeps the process alive until then; the timers of a manager do not. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const alive = setInterval(() => undefined, 2 ** 30);
    const end = () => {
      clearInterval(alive);
      done();
    };
    if (signal.aborted) {
      end();
    } else {
      signal.addEventListener('abort', end, { once: true });
    }
  });
}

/**
 * Stops all managers. Those that want it make a last backup, if watching had begun. If one cannot make its last backup, the others are
 * stopped all the same, and an event reports the failure.
 */
async function stopAll(watched: readonly Watched[], isWatching: boolean): Promise<void> {
  if (!isWatching || !watched.some(({ config }) => config.finalBackup)) {
    stopWaitingForStores();
  }
  const ends = watched.map(({ config, manager }) =>
    manager.stop(isWatching && config.finalBackup ? { finalBackup: true } : { abort: true }),
  );
  const failed = (await Promise.allSettled(ends)).find((end) => end.status === 'rejected');
  if (failed !== undefined) {
    throw failed.reason;
  }
}

function log(context: Context, database: string, event: string, { message, detail }: Description): void {
  const { out } = context;
  const at = context.now();
  if (out.json) {
    out.stdout.write(`${JSON.stringify({ at: at.toISOString(), database, event, message, detail })}\n`);
  } else if (message !== '' && (!out.quiet || event === 'failure')) {
    const words = event === 'failure' ? out.style.bad(safe(message)) : safe(message);
    out.stdout.write(`${localTime(at)} ${safe(database)}: ${words}\n`);
  }
}
