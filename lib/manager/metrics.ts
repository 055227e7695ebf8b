import type { EventEmitter } from 'node:events';
import { errorCode, invalidOption, RocksDBError } from '../base/errors.js';
import { type ManagerEvents, warn } from './manager-events.js';
import type { ManagerStatus } from './manager-status.js';
import type { ManagerStats } from './statistics.js';

/** The part of prom-client's Registry that is used here. */
export interface MetricsRegistry {
  getSingleMetric(name: string): unknown;
}

/** Where a {@link BackupManager} puts its metrics. */
export interface MetricsOptions {
  /** @default prom-client's own */
  register?: MetricsRegistry | undefined;
  /** The prefix of the metrics' names. All managers of a registry must have the same. @default 'rocksdb_backup_' */
  prefix?: string | undefined;
  /** Labels of this manager in addition to `directory`. The labels of all managers of a registry must have the same names. @default {} */
  labels?: Record<string, string> | undefined;
}

/** The object that the metrics describe: a manager. */
interface Source extends EventEmitter<ManagerEvents> {
  readonly location: string;
  status(): ManagerStatus;
  stats(): Promise<ManagerStats>;
}

type Labels = Record<string, string>;

/** The parts of prom-client that are used. They are declared here so that our types do not depend on its types. */
interface PromClient {
  register: MetricsRegistry;
  Counter: new (config: object) => { inc(labels: Labels, value?: number): void };
  Gauge: new (config: object) => Gauge;
  Histogram: new (config: object) => { observe(labels: Labels, value: number): void };
}

interface Gauge {
  set(labels: Labels, value: number): void;
  reset(): void;
}

/** The metrics of one registry with one prefix, for any number of managers. */
interface Shared {
  labelNames: string[];
  members: Set<ManagerMetrics>;
  successes: InstanceType<PromClient['Counter']>;
  failures: InstanceType<PromClient['Counter']>;
  leftOut: InstanceType<PromClient['Counter']>;
  bytesCopied: InstanceType<PromClient['Counter']>;
  duration: InstanceType<PromClient['Histogram']>;
}

const DURATIONS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600];

/**
 * Gauges that are read when Prometheus scrapes, by their names. Those here come from the status, which needs no disk access; those of
 * OF_DIRECTORY come from the repository.
 */
const OF_STATUS: Record<string, { help: string; value: (status: ManagerStatus, now: number) => number | undefined }> = {
  last_good_backup_age_seconds: {
    help: 'Seconds since the last good backup was made, or since it was last found to have all data of the database; +Inf if there is none',
    value: ({ lastCurrent }, now) => age(lastCurrent, now) ?? Number.POSITIVE_INFINITY,
  },
  last_drill_age_seconds: {
    help: 'Seconds since the last passed restore drill; +Inf if none has passed; absent if the manager has no schedule for drills and made none',
    value: ({ lastDrill, drillsScheduled }, now) =>
      age(lastDrill, now) ?? (drillsScheduled ? Number.POSITIVE_INFINITY : undefined),
  },
  consecutive_failures: {
    help: 'Backups in a row that failed',
    value: ({ consecutiveFailures }) => consecutiveFailures,
  },
  running: { help: '1 while a backup is being made', value: ({ running }) => (running ? 1 : 0) },
  incrementals_since_full: {
    help: 'Incremental backups since the last full one',
    value: ({ incrementalsSinceFull }) => incrementalsSinceFull,
  },
  suspect_backups: {
    help: 'Backups that are damaged or share a damaged file',
    value: ({ suspects }) => suspects.length,
  },
};

const OF_DIRECTORY: Record<string, { help: string; value: (stats: ManagerStats) => number }> = {
  backups: { help: 'Backups that can be read', value: ({ backups }) => backups },
  corrupt_backups: { help: 'Backups that cannot be read', value: ({ corrupt }) => corrupt.length },
  pinned_backups: { help: 'Backups that are pinned', value: ({ pinned }) => pinned },
  disk_bytes: { help: 'Bytes that the backups take on the disk', value: ({ bytesOnDisk }) => bytesOnDisk },
  logical_bytes: { help: 'Sum of the sizes of the backups', value: ({ logicalBytes }) => logicalBytes },
};

const registries = new WeakMap<MetricsRegistry, Map<string, Shared>>();

/** The metrics of one manager. */
export class ManagerMetrics {
  readonly source: Source;
  readonly labels: Labels;
  readonly #shared: Shared;

  constructor(options: MetricsOptions, source: Source) {
    const client = loadPromClient();
    const { register = client.register, prefix = 'rocksdb_backup_', labels = {} } = options;
    this.source = source;
    this.labels = { directory: source.location, ...labels };
    this.#shared = sharedOf(client, register, prefix, Object.keys(this.labels));
    this.#shared.members.add(this);
    this.#listen();
  }

  /** The manager is not scraped any more. Its counters stay. */
  close(): void {
    this.#shared.members.delete(this);
  }

  #listen(): void {
    const { successes, failures, leftOut, bytesCopied, duration } = this.#shared;
    for (const kind of ['full', 'incremental']) {
      // Counters start at 0, so that Prometheus sees the increase to 1.
      successes.inc({ ...this.labels, kind }, 0);
    }
    for (const operation of ['create', 'verify', 'prune', 'drill', 'snapshot', 'hook', 'open']) {
      failures.inc({ ...this.labels, operation }, 0);
    }
    bytesCopied.inc(this.labels, 0);
    leftOut.inc(this.labels, 0);
    this.source.on('backup', (result) => {
      successes.inc({ ...this.labels, kind: result.kind });
      bytesCopied.inc(this.labels, result.bytesCopied);
      duration.observe({ ...this.labels, kind: result.kind }, result.durationMs / 1000);
    });
    this.source.on('skipped', ({ operation, reason }) => {
      if (operation === 'backup' && reason === 'unchanged') {
        leftOut.inc(this.labels);
      }
    });
    this.source.on('failure', ({ operation }) => failures.inc({ ...this.labels, operation }));
  }
}

/** The names of all metrics, without the prefix. */
export const METRIC_NAMES: readonly string[] = [
  'successes_total',
  'failures_total',
  'left_out_total',
  'bytes_copied_total',
  'duration_seconds',
  ...Object.keys(OF_STATUS),
  ...Object.keys(OF_DIRECTORY),
];

function sharedOf(client: PromClient, register: MetricsRegistry, prefix: string, labelNames: string[]): Shared {
  const ofRegistry = registries.get(register) ?? new Map<string, Shared>();
  registries.set(register, ofRegistry);
  const found = ofRegistry.get(prefix);
  // If a registry was cleared, it has lost its metrics.
  if (found !== undefined && register.getSingleMetric(`${prefix}successes_total`) === found.successes) {
    const expected = [...found.labelNames].sort().join(', ');
    const given = [...labelNames].sort().join(', ');
    if (expected !== given) {
      throw invalidOption(TypeError, 'metrics.labels', `of the same names as those before (${expected})`, given);
    }
    return found;
  }
  const made = makeShared(client, register, prefix, labelNames);
  ofRegistry.set(prefix, made);
  return made;
}

function makeShared(client: PromClient, register: MetricsRegistry, prefix: string, labelNames: string[]): Shared {
  const members = new Set<ManagerMetrics>();
  const config = (name: string, help: string, ...more: string[]) => ({
    name: `${prefix}${name}`,
    help,
    labelNames: [...labelNames, ...more],
    registers: [register],
  });
  for (const [name, { help, value }] of Object.entries(OF_STATUS)) {
    new client.Gauge({
      ...config(name, help),
      collect(this: Gauge) {
        this.reset();
        for (const { source, labels } of members) {
          const status = source.status();
          const shown = value(status, status.now.getTime());
          if (shown !== undefined) {
            this.set(labels, shown);
          }
        }
      },
    });
  }
  const readings = new Readings();
  for (const [name, { help, value }] of Object.entries(OF_DIRECTORY)) {
    new client.Gauge({
      ...config(name, help),
      async collect(this: Gauge) {
        this.reset();
        for (const { source, labels } of members) {
          const stats = await readings.of(source);
          if (stats !== undefined) {
            this.set(labels, value(stats));
          }
        }
      },
    });
  }
  return {
    labelNames,
    members,
    successes: new client.Counter(config('successes_total', 'Backups that were made', 'kind')),
    leftOut: new client.Counter(
      config('left_out_total', 'Backups that were skipped because nothing had been written since the newest one'),
    ),
    failures: new client.Counter(config('failures_total', 'Failures by operation', 'operation')),
    bytesCopied: new client.Counter(config('bytes_copied_total', 'Bytes that backups have copied')),
    duration: new client.Histogram({
      ...config('duration_seconds', 'Seconds a backup took, with its waits and its verification', 'kind'),
      buckets: DURATIONS,
    }),
  };
}

/** Reads a repository once for all metrics of a scrape. */
class Readings {
  readonly #current = new Map<Source, Promise<ManagerStats | undefined>>();

  of(source: Source): Promise<ManagerStats | undefined> {
    const current = this.#current.get(source);
    if (current !== undefined) {
      return current;
    }
    const reading = source.stats().catch((error) => {
      warn(`the metrics of ${source.location} could not be read`, error);
      return undefined;
    });
    this.#current.set(source, reading);
    // The metrics of a scrape are all collected at the same time. So when this read is done, all of them have asked for it.
    reading.then(() => this.#current.delete(source));
    return reading;
  }
}

function age(since: Date | undefined, now: number): number | undefined {
  return since === undefined ? undefined : Math.max(0, now - since.getTime()) / 1000;
}

function loadPromClient(): PromClient {
  try {
    return require('prom-client') as PromClient;
  } catch (cause) {
    if (errorCode(cause) !== 'MODULE_NOT_FOUND') {
      throw cause;
    }
    throw new RocksDBError('metrics need prom-client: run `npm install prom-client`', 'PROM_CLIENT_MISSING');
  }
}
