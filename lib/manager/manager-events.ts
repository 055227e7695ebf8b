import type { EventEmitter } from 'node:events';
import type { DrillResult } from '../drill/drill.js';
import type { BackupInfo, BackupKind, Progress } from '../native/backup-info.js';
import type { RetentionPlan } from '../retention/retention.js';

/** What caused a backup. */
export type Trigger = 'schedule' | 'change' | 'demand' | 'final';
/** The parts of a manager's work that can fail. */
export type ManagedOperation = 'create' | 'verify' | 'prune' | 'drill' | 'snapshot' | 'hook' | 'open';

/** A backup that is being made. */
export interface BackupContext {
  /**
   * Before the backup is made: the kind that is planned. Afterwards: the kind that it is, as in {@link BackupInfo.kind}. The first backup
   * of all is full.
   */
  kind: BackupKind;
  trigger: Trigger;
  /** The directory of the repository. */
  location: string;
  /** When it began. */
  at: Date;
  /** 1 for the first attempt. */
  attempt: number;
}

/** A backup that was made. */
export interface BackupResult extends BackupContext {
  info: BackupInfo;
  /** The time from the start of the first attempt until the backup was made and verified, waits included. */
  durationMs: number;
  /** How many bytes were copied: those that no earlier backup had. */
  bytesCopied: number;
  verified: 'size' | 'checksum' | false;
}

/** A backup that was skipped: nothing was written since the newest backup, which exists and is intact. */
export interface UnchangedBackup extends BackupContext {
  /** The newest backup. It contains everything that the database contains. */
  newest: BackupInfo;
}

/**
 * The result of a backup, for {@link BackupManagerOptions.after}. If `ok` is true and there is no result, the backup was skipped because
 * nothing new was written.
 */
export type BackupOutcome =
  | { ok: true; result: BackupResult }
  | { ok: true; result: undefined; unchanged: UnchangedBackup }
  | { ok: false; error: Error };

/** The result of a backup that did not fail. */
export type SuccessfulOutcome = Extract<BackupOutcome, { ok: true }>;

export type BeforeHook = (context: BackupContext) => unknown;
export type AfterHook = (context: BackupContext, outcome: BackupOutcome) => unknown;
export type OnFailure = (error: Error, consecutiveFailures: number, failure: Failure) => unknown;

/** Something that failed. */
export interface Failure {
  operation: ManagedOperation;
  error: Error;
  /** How many times in a row this operation has failed now. */
  consecutiveFailures: number;
  trigger?: Trigger;
  backupId?: number;
  /** Whether the manager will try again. */
  willRetry: boolean;
}

/** Something that was due but was not done. */
export interface Skipped {
  operation: 'backup' | 'prune' | 'drill' | 'snapshot';
  trigger?: Trigger;
  /**
   * `running`: another one was running or waiting. `unchanged`: nothing was written since the last one. `blocked`: nothing is deleted while
   * a backup is damaged, or while it is not known which backups are pinned. `locked`: the store refuses
   * to delete some backups; the others were deleted, and the next prune tries these again. `stopping`: the manager was stopped in the
   * meantime. `empty`: there is no backup yet.
   */
  reason: 'running' | 'unchanged' | 'blocked' | 'locked' | 'stopping' | 'empty';
  message: string;
  /** For the reason `unchanged`: the backup that contains everything that the database contains. */
  backupId?: number;
}

/** The events of a {@link BackupManager} and the arguments of their listeners. */
export interface ManagerEvents {
  /** An attempt to make a backup begins. */
  start: [context: BackupContext];
  /** Data is being copied. At most about 20 times a second. */
  progress: [progress: Progress, context: BackupContext];
  /** A backup was made and, if that was requested, verified. */
  backup: [result: BackupResult];
  /** A backup was verified and is intact. */
  verified: [verified: { backupId: number; timestamp: Date; how: 'size' | 'checksum'; durationMs: number }];
  /** The retention policy was applied: the decisions, and the ids of the deleted backups. */
  pruned: [plan: RetentionPlan, deleted: number[]];
  skipped: [skipped: Skipped];
  /** An attempt failed for a reason that may go away. There will be another attempt. */
  retry: [retry: { error: Error; attempt: number; delayMs: number; context: BackupContext }];
  failure: [failure: Failure];
  /** A drill succeeded. */
  drilled: [result: DrillResult];
  /** A checkpoint was made beside the database. */
  snapshot: [snapshot: { path: string; at: Date; durationMs: number }];
  stopped: [];
}

/** Emits a process warning, for a message that must not be lost and has no other place to go. */
export function warn(message: string, cause?: unknown): void {
  const reason = cause === undefined ? '' : `: ${(cause as Error | null)?.message ?? String(cause)}`;
  const warning = new Error(`${message}${reason}`, { cause });
  warning.name = 'BackupManagerWarning';
  process.emitWarning(warning);
}

/** Calls a user's function. If it throws or rejects, that does no harm, but a warning reports it. */
export function callSafely(what: string, call: () => unknown): void {
  try {
    const result = call() as PromiseLike<unknown> | undefined | null;
    if (typeof result === 'object' && result !== null && typeof result.then === 'function') {
      result.then(undefined, (error) => warn(`${what} rejected`, error));
    }
  } catch (error) {
    warn(`${what} threw`, error);
  }
}

/** Emits an event to all its listeners, even if one of them throws. */
export function tell<K extends keyof ManagerEvents & string>(
  emitter: EventEmitter<ManagerEvents>,
  event: K,
  ...args: ManagerEvents[K]
): void {
  for (const listener of (emitter as unknown as EventEmitter).rawListeners(event)) {
    callSafely(`a listener of '${event}'`, () => Reflect.apply(listener, emitter, args));
  }
}
