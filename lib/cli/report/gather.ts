import { createReadStream } from 'node:fs';
import { hostname } from 'node:os';
import { createInterface } from 'node:readline';
import type { BackupEngine } from '../../backup/backup-engine.js';
import { buildInventory, type Inventory, readInventory } from '../../manager/inventory.js';
import type { OperationRecord } from '../../manager/operation-record.js';
import { planOf } from '../../manager/pruner.js';
import type { RetentionPlan, RetentionPolicy } from '../../retention/retention.js';

/** Everything that a report is made of. */
export interface ReportInput {
  inventory: Inventory;
  /** What was done, oldest first. */
  records: OperationRecord[];
  /** Lines of the audit log that are no records. */
  unreadableLines: number;
  policy?: RetentionPolicy;
  /** What the policy makes of the backups. */
  plan?: RetentionPlan;
  /** When the report was made. */
  now: Date;
  /** In which times are shown. */
  timezone: string;
  host: string;
}

/** Options of {@link gatherReport}. */
export interface GatherOptions {
  /** Shows what would become of each backup. @default none */
  policy?: RetentionPolicy | undefined;
  /** An audit log, whose records are shown beside those of the history. @default none */
  auditLog?: string | undefined;
  /** When the report is made. @default now */
  now?: Date | undefined;
  /** In which times are shown. @default 'UTC' */
  timezone?: string | undefined;
}

/** A log of years may be longer; what is older than these is not shown. */
const MOST_RECORDS = 5000;

/** Looks at a directory of backups for a report. Changes nothing. */
export async function gatherReport(engine: BackupEngine, options: GatherOptions = {}): Promise<ReportInput> {
  const { policy, auditLog, now = new Date(), timezone = 'UTC' } = options;
  const found = await readInventory(engine);
  const log = auditLog === undefined ? { records: [], unreadableLines: 0 } : await readAuditLog(auditLog);
  const records = merged([...Object.values(found.state.last), ...found.state.history, ...log.records]);
  return {
    // The log may know of verifies that the history has forgotten. What is pruned goes by the history alone.
    inventory: buildInventory(found.location, found.backups, found.corrupt, { ...found.state, history: records }),
    records,
    unreadableLines: log.unreadableLines,
    ...(policy === undefined
      ? {}
      : {
          policy,
          // Whoever prunes verifies the newest first, by itself: that this has not been done yet blocks nothing.
          plan: planOf(found, policy, now, 'with --checksum', { requireVerified: false }),
        }),
    now,
    timezone,
    host: hostname(),
  };
}

/** The records of an audit log, oldest first. What is no record is counted: a line may be torn by a full disk. */
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

/** Each once, in the order in which they began. */
function merged(records: readonly OperationRecord[]): OperationRecord[] {
  const once = new Map(
    records.map((record) => {
      const { operation, at, ok, backupId, pid, host, durationMs } = record;
      return [JSON.stringify([operation, at, ok, backupId, pid, host, durationMs]), record];
    }),
  );
  return [...once.values()].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).slice(-MOST_RECORDS);
}
