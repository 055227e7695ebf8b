import { createReadStream } from 'node:fs';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import type { BackupEngine } from '../../backup/backup-engine.js';
import { buildInventory, type Inventory, readInventory } from '../../manager/inventory.js';
import type { OperationRecord } from '../../manager/operation-record.js';
import { planOf } from '../../manager/pruner.js';
import type { RetentionPlan, RetentionPolicy } from '../../retention/retention.js';

/** All data for a report. */
export interface ReportInput {
  inventory: Inventory;
  /** The operations, oldest first. */
  records: OperationRecord[];
  /** How many lines of the audit log could not be read. */
  unreadableLines: number;
  policy?: RetentionPolicy;
  /** The decisions of the policy about the backups. */
  plan?: RetentionPlan;
  /** When the report was made. */
  now: Date;
  /** The time zone for all times in the report. */
  timezone: string;
  host: string;
}

/** Options of {@link gatherReport}. */
interface GatherOptions {
  /** Shows what this policy would do with each backup. @default none */
  policy?: RetentionPolicy | undefined;
  /** An audit log. Its entries are shown together with those of the history. @default none */
  auditLog?: string | undefined;
  /** When the report is made. @default now */
  now?: Date | undefined;
  /** The time zone for all times in the report. @default 'UTC' */
  timezone?: string | undefined;
}

/** An audit log of many years may have more entries than this. Older ones are not shown. */
const MOST_RECORDS = 5000;

/** Reads a repository for a report. Changes nothing. */
export async function gatherReport(engine: BackupEngine, options: GatherOptions = {}): Promise<ReportInput> {
  const { policy, auditLog, now = new Date(), timezone = 'UTC' } = options;
  const found = await readInventory(engine);
  const log = auditLog === undefined ? { records: [], unreadableLines: 0 } : await readAuditLog(auditLog);
  const records = merged([...Object.values(found.state.last), ...found.state.history, ...log.records]);
  return {
    // The log may contain verifies that the history has forgotten. But a prune uses only the history.
    inventory: buildInventory(found.location, found.backups, found.corrupt, { ...found.state, history: records }),
    records,
    unreadableLines: log.unreadableLines,
    ...(policy === undefined
      ? {}
      : {
          policy,
          // A prune verifies the newest backup itself. So it is no obstacle that this has not been done yet.
          plan: planOf(found, policy, now, 'with --checksum', { requireVerified: false }),
        }),
    now,
    timezone,
    host: hostname(),
  };
}

/** Reads the entries of an audit log, oldest first. Counts lines that cannot be read: on a full disk, a line may be incomplete. */
export async function readAuditLog(path: string): Promise<{ records: OperationRecord[]; unreadableLines: number }> {
  const records: OperationRecord[] = [];
  let unreadableLines = 0;
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of lines) {
    if (line.trim() === '') {
      continue;
    }
    const record = parseRecord(line);
    if (record === undefined) {
      unreadableLines++;
    } else {
      records.push(record);
    }
    if (records.length > 2 * MOST_RECORDS) {
      records.splice(0, MOST_RECORDS);
    }
  }
  return { records: records.slice(-MOST_RECORDS), unreadableLines };
}

function parseRecord(line: string): OperationRecord | undefined {
  try {
    const record = JSON.parse(line) as OperationRecord;
    return isShown(record) ? record : undefined;
  } catch {
    return undefined;
  }
}

function isShown(record: unknown): record is OperationRecord {
  const { operation, at, ok } = (record ?? {}) as Partial<OperationRecord>;
  return typeof operation === 'string' && typeof ok === 'boolean' && !Number.isNaN(Date.parse(String(at)));
}

/** Removes duplicates and sorts by the time at which the operations began. */
function merged(records: readonly OperationRecord[]): OperationRecord[] {
  const once = new Map(
    records.map((record) => {
      const { operation, at, ok, backupId, pid, host, durationMs } = record;
      return [JSON.stringify([operation, at, ok, backupId, pid, host, durationMs]), record];
    }),
  );
  return [...once.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).slice(-MOST_RECORDS);
}
