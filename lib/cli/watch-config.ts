// The configuration of `watch`, a JSON file. Every error in it names the key that is wrong.

import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { realPathOf } from '../base/real-path.js';
import { parseRate } from '../base/units.js';
import { didYouMean } from '../base/unknown-option.js';
import type { BackupManagerOptions } from '../manager/manager-options.js';
import { isStoreUrl } from '../storage/storage.js';
import { mergeOperators } from './database.js';
import { notFound, UsageError } from './errors.js';
import { anyOf, array, count, flag, type JsonSchema, number, object, oneOf, text } from './schema.js';
import { unreadable } from './unreadable.js';

/** One database to watch. Paths are absolute. */
export interface WatchedDatabase {
  name: string;
  path: string;
  walDir: string | undefined;
  maxOpenFiles: number | undefined;
  mergeOperator: (typeof mergeOperators)[number] | undefined;
  backupOnStart: boolean;
  finalBackup: boolean;
  manager: Omit<BackupManagerOptions, 'db' | 'location'> & { location: string };
}

const schedule: JsonSchema = {
  description: "an interval such as '5m', a cron expression such as '0 3 * * *', or several",
  ...anyOf(
    text(),
    object({ every: text() }),
    object({ cron: text(), 'timezone?': text() }),
    array(anyOf(text(), object({ every: text() }), object({ cron: text(), 'timezone?': text() }))),
  ),
};

const retention = object(
  {
    'last?': count('the number of newest backups to keep'),
    'hourly?': count(),
    'daily?': count(),
    'weekly?': count(),
    'monthly?': count(),
    'yearly?': count(),
    'within?': text("such as '14d'"),
    'maxBackups?': count(),
    'maxBytes?': anyOf(count(), text("such as '500GB'")),
    'timezone?': text("such as 'Europe/Vienna'"),
  },
  'which backups to keep',
);

/** The schema of the file. */
export const configSchema: JsonSchema = object({
  databases: array(
    object({
      path: text('the directory of the database; relative to the file'),
      backups: text('its repository: a directory, relative to the file, or the URL of a store'),
      'name?': text('its name in the log; by default the last part of path'),
      'walDir?': text("where the database's write-ahead log is"),
      'maxOpenFiles?': count("the number of the database's files that may be open"),
      'mergeOperator?': oneOf(...mergeOperators),
      'schedule?': schedule,
      'jitter?': text('delays each backup by a random time up to this'),
      'skipUnchanged?': flag(
        'skip a backup if nothing was written to the database since the newest one; true by default',
      ),
      'fullEvery?': count('makes every n-th backup a full one'),
      'retention?': retention,
      'verify?': anyOf(oneOf('size', 'checksum'), { const: false }),
      'rateLimit?': text("write no faster than this, such as '50MB/s'"),
      'retry?': object({ 'attempts?': count(), 'delay?': text(), 'maxDelay?': text() }),
      'drill?': object({
        'schedule?': schedule,
        'sample?': number(),
        'directory?': text('relative to the file'),
      }),
      'snapshots?': object({ 'schedule?': schedule, 'retention?': retention }),
      'metadata?': { type: 'object', description: 'kept with each backup, as JSON' },
      'auditLog?': text('a file that every operation is appended to; relative to the file'),
      'backupOnStart?': flag('back up at once when watch begins; otherwise when the schedule says'),
      'finalBackup?': flag('make a last backup when told to stop, instead of stopping one that runs'),
    }),
  ),
});

/** Reads the file. Throws an error that says which key of it is wrong. */
export async function readConfig(path: string): Promise<WatchedDatabase[]> {
  const contents = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      throw notFound('CONFIG_NOT_FOUND', `there is no configuration ${path}. Check the path.`, { path });
    }
    if (error.code === 'EISDIR') {
      throw new UsageError(`--config needs a file, and ${path} is a directory`, 'rocksdb-backup watch --help');
    }
    throw unreadable(path, error);
  });
  let config: unknown;
  try {
    config = JSON.parse(contents);
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${(error as Error).message}`);
  }
  return parseConfig(config, path);
}

/** Checks the contents of the file. */
export function parseConfig(config: unknown, file: string): WatchedDatabase[] {
  const wrong = (message: string) => new UsageError(`${file}: ${message}`, 'rocksdb-backup watch --help');
  const [problem] = problemsOf(config, configSchema, '');
  if (problem !== undefined) {
    throw wrong(problem);
  }
  const { databases } = config as { databases: Record<string, unknown>[] };
  if (databases.length === 0) {
    throw wrong('databases must name at least one database');
  }
  const below = dirname(resolve(file));
  const places = new Map<string, number>();
  const paths = new Map<string, number>();
  return databases.map((entry, at) => {
    const {
      path,
      backups,
      name,
      walDir,
      mergeOperator,
      maxOpenFiles,
      rateLimit,
      metadata,
      backupOnStart,
      finalBackup,
      ...rest
    } = entry as {
      path: string;
      backups: string;
      name?: string;
      walDir?: string;
      mergeOperator?: (typeof mergeOperators)[number];
      maxOpenFiles?: number;
      schedule?: BackupManagerOptions['schedule'];
      rateLimit?: string;
      metadata?: Record<string, unknown>;
      backupOnStart?: boolean;
      finalBackup?: boolean;
      auditLog?: string;
      drill?: BackupManagerOptions['drill'];
      snapshots?: BackupManagerOptions['snapshots'];
    };
    const key = `databases[${at}]`;
    for (const [what, value] of Object.entries({ path, backups })) {
      if (value === '') throw wrong(`${key}.${what} must not be empty`);
    }
    const { auditLog, drill } = rest;
    for (const [what, value] of Object.entries({ path, walDir, auditLog, 'drill.directory': drill?.directory })) {
      if (value !== undefined && isStoreUrl(value))
        throw wrong(`${key}.${what} must be a path on this machine, not a URL`);
    }
    const place = isStoreUrl(backups) ? backups : resolve(below, backups);
    for (const [what, seen, value, advice] of [
      ['path', paths, resolve(below, path), 'give each database once'],
      ['backups', places, place, 'give each database its own'],
    ] as const) {
      const other = seen.get(realPathOf(value));
      if (other !== undefined) {
        throw wrong(`${key}.${what} is the same place as databases[${other}].${what}: ${advice}`);
      }
      seen.set(realPathOf(value), at);
    }
    if (
      !isStoreUrl(place) &&
      databases.some((other) => realPathOf(resolve(below, String(other.path))) === realPathOf(place))
    ) {
      throw wrong(`${key}.backups is a database: give the backups a directory of their own, best on another disk`);
    }
    const schedules = [rest.schedule, rest.drill?.schedule, rest.snapshots?.schedule];
    if (schedules.every((schedule) => schedule === undefined) && !backupOnStart && !finalBackup) {
      throw wrong(`${key}.schedule is missing, so nothing would ever be backed up. Set it, for example to "15m"`);
    }
    let rate: number | undefined;
    try {
      rate = rateLimit === undefined ? undefined : parseRate(rateLimit, `${key}.rateLimit`);
    } catch (error) {
      throw wrong((error as Error).message);
    }
    return {
      name: name ?? path.split('/').filter(Boolean).at(-1) ?? path,
      path: resolve(below, path),
      walDir: walDir === undefined ? undefined : resolve(below, walDir),
      mergeOperator,
      maxOpenFiles,
      backupOnStart: backupOnStart ?? false,
      finalBackup: finalBackup ?? false,
      manager: {
        ...rest,
        location: place,
        ...(rate === undefined ? {} : { engine: { backupRateLimit: rate } }),
        ...(metadata === undefined ? {} : { metadata: () => metadata }),
        ...(auditLog === undefined ? {} : { auditLog: resolve(below, auditLog) }),
        ...(drill?.directory === undefined ? {} : { drill: { ...drill, directory: resolve(below, drill.directory) } }),
      },
    };
  });
}

/** The errors in a value; each names the key. */
function problemsOf(value: unknown, schema: JsonSchema, key: string): string[] {
  const here = key === '' ? 'the configuration' : key;
  if (schema.anyOf !== undefined) {
    const all = schema.anyOf.map((each) => problemsOf(value, each, key));
    if (all.some((each) => each.length === 0)) return [];
    // The error of the alternative that fits best is the most useful.
    const deep = all.flat().find((problem) => !problem.startsWith(`${here} must`));
    const kinds = schema.description ?? [...new Set(schema.anyOf.map(kindOf))].join(' or ');
    return [deep ?? `${here} must be ${kinds}, not ${JSON.stringify(value)}`];
  }
  if ('const' in schema || schema.enum !== undefined) {
    const allowed = schema.enum ?? [schema.const];
    return allowed.includes(value) ? [] : [`${here} must be ${kindOf(schema)}, not ${JSON.stringify(value)}`];
  }
  const actual =
    value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isSafeInteger(value) ? 'integer' : typeof value;
  const fits = schema.type === actual || (schema.type === 'number' && actual === 'integer');
  if (!fits || (schema.minimum !== undefined && (value as number) < schema.minimum)) {
    return [`${here} must be ${kindOf(schema)}, not ${JSON.stringify(value)}`];
  }
  if (Array.isArray(value)) {
    return value.flatMap((item, at) => problemsOf(item, schema.items ?? {}, `${key}[${at}]`));
  }
  if (actual === 'object' && schema.properties !== undefined) {
    const given = value as Record<string, unknown>;
    const known = schema.properties;
    const path = (name: string) => (key === '' ? name : `${key}.${name}`);
    return [
      ...Object.keys(given)
        .filter((name) => !Object.hasOwn(known, name))
        .map(
          (name) =>
            `there is no key ${path(name)}${didYouMean(name, Object.keys(known), path) || `; there are ${Object.keys(known).join(', ')}`}`,
        ),
      ...(schema.required ?? []).filter((name) => !(name in given)).map((name) => `${path(name)} is missing`),
      ...Object.entries(given).flatMap(([name, item]) =>
        Object.hasOwn(known, name) ? problemsOf(item, known[name]!, path(name)) : [],
      ),
    ];
  }
  return [];
}

function kindOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' or ');
  if ('const' in schema) return JSON.stringify(schema.const);
  const names = { object: 'an object', array: 'an array', string: 'a string', integer: 'a whole number, 0 or more' };
  return names[schema.type as keyof typeof names] ?? `a ${schema.type}`;
}
