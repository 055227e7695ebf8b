import type { EventEmitter } from 'node:events';
import type { DrillResult } from '../drill/drill.js';
import type { BackupInfo, BackupKind, Progress } from '../native/backup-info.js';
import type { RetentionPlan } from '../retention/retention.js';

/** What brought a backup about. */
export type Trigger = 'schedule' | 'change' | 'demand' | 'final';
/** What of a manager's work can fail. */
export type ManagedOperation = 'create' | 'verify' | 'prune' | 'drill' | 'snapshot' | 'hook' | 'open';

/** The backup that is being made. */
export interface BackupContext {
  /** What is to be made, and once it is made what it is, as {@link BackupInfo.kind} says: the first of all is full. */
  kind: BackupKind;
  trigger: Trigger;
  /** The backup directory. */
  location: string;
  /** When it began. */
  at: Date;
  /** 1 for the first. */
  attempt: number;
}

/** A backup that was made. */
export interface BackupResult extends BackupContext {
  info: BackupInfo;
  /** From the start of the first attempt, waits and all, until it had been made and verified. */
  durationMs: number;
  /** Bytes that were copied: those that no earlier backup had. */
  bytesCopied: number;
  verified: 'size' | 'checksum' | false;
}

/** A backup that was left out: nothing was written since the newest one, which is there and whole. */
export interface UnchangedBackup extends BackupContext {
  /** The newest backup: it has all that the database holds. */
  newest: BackupInfo;
}

/** How a backup ended, for {@link BackupManagerOptions.after}. Without a result it was left out, for nothing was new. */
export type BackupOutcome =
  | { ok: true; result: BackupResult }
  | { ok: true; result: undefined; unchanged: UnchangedBackup }
  | { ok: false; error: Error };

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
  /** Whether it is being tried again. */
  willRetry: boolean;
}

/** Something that was due and was not done. */
export interface Skipped {
  operation: 'backup' | 'prune' | 'drill' | 'snapshot';
  trigger?: Trigger;
  /**
   * `running`: one was under way or waiting. `unchanged`: nothing was written since the last. `blocked`: nothing is deleted while
   * a backup is damaged, or while it is not known what is pinned. `stopping`: the manager was stopped meanwhile. `empty`: there is
   * no backup yet.
   */
  reason: 'running' | 'unchanged' | 'blocked' | 'stopping' | 'empty';
  message: string;
  /** Where the reason is `unchanged`: the backup that has all that the database holds. */
  backupId?: number;
}

/** The events of a {@link BackupManager}, with what their listeners get. */
export interface ManagerEvents {
  /** A backup begins: each attempt. */
  start: [context: BackupContext];
  /** Bytes move. At most about 20 times a second. */
  progress: [progress: Progress, context: BackupContext];
  /** A backup was made, and verified if that was asked for. */
  backup: [result: BackupResult];
  /** A backup was found whole. */
  verified: [verified: { backupId: number; timestamp: Date; how: 'size' | 'checksum'; durationMs: number }];
  /** Old backups were looked at: what was kept, and what was deleted. */
  pruned: [plan: RetentionPlan, deleted: number[]];
  skipped: [skipped: Skipped];
  /** An attempt failed for a reason that may pass: there will be another one. */
  retry: [retry: { error: Error; attempt: number; delayMs: number; context: BackupContext }];
  failure: [failure: Failure];
  /** A drill was passed. */
  drilled: [result: DrillResult];
  /** A checkpoint was made beside the database. */
  snapshot: [snapshot: { path: string; at: Date; durationMs: number }];
  stopped: [];
}

/** Says something that must not be lost and has nobody else to go to. */
export function warn(message: string, cause?: unknown): void {
  const reason = cause === undefined ? '' : `: ${(cause as Error | null)?.message ?? String(cause)}`;
  const warning = new Error(`${message}${reason}`, { cause });
  warning.name = 'BackupManagerWarning';
  process.emitWarning(warning);
}

/**
 * Calls somebody's function so that neither what it throws nor what it rejects with does any harm, or goes unseen.
 */
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

/** Emits an event to all its listeners, also those after one that throws. */
export function tell<K extends keyof ManagerEvents & string>(
  emitter: EventEmitter<ManagerEvents>,
  event: K,
  ...args: ManagerEvents[K]
): void {
  for (const listener of (emitter as unknown as EventEmitter).rawListeners(event)) {
    callSafely(`a listener of '${event}'`, () => Reflect.apply(listener, emitter, args));
  }
}
