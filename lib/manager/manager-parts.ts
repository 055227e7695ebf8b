import type { EventEmitter } from 'node:events';
import { BackupEngine } from '../backup/backup-engine.js';
import { type Clock, SteadyClock } from '../base/clock.js';
import { checkDrillPlace } from '../drill/drill.js';
import { openStorage, type Storage } from '../storage/storage.js';
import { DatabaseAccess } from './database-access.js';
import { LastTimes } from './last-times.js';
import { ManagerEngines } from './manager-engines.js';
import { type ManagerEvents, warn } from './manager-events.js';
import type { Settings } from './manager-options.js';
import { ManagerReports } from './manager-reports.js';
import { ManagerState } from './manager-state.js';
import { Recorder } from './recorder.js';
import { RunningWork } from './running-work.js';

/** What is given to a manager: the user's settings, and what tests may replace. */
interface ManagerBasis {
  readonly settings: Settings;
  readonly clock: Clock;
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  /** Aborted when the manager stops. Then nothing waits before another attempt, and work that can be repeated later is stopped. */
  readonly stopping: AbortSignal;
  /** Aborted when the running backup must stop. */
  readonly abort: AbortSignal;
}

/** What the classes of a manager share. Each part owns its state; the others call its methods. */
export interface ManagerParts extends ManagerBasis {
  readonly steady: SteadyClock;
  /** The directory of the repository. */
  readonly location: string;
  readonly storage: Storage;
  readonly database: DatabaseAccess;
  readonly engines: ManagerEngines;
  readonly state: ManagerState;
  readonly recorder: Recorder;
  readonly lastTimes: LastTimes;
  readonly reports: ManagerReports;
  readonly running: RunningWork;
}

export function partsOf(basis: ManagerBasis, emitter: EventEmitter<ManagerEvents>): ManagerParts {
  const { settings, clock } = basis;
  const { auditLog, onFailure } = settings;
  const { location: place } = settings;
  const isOpen = place instanceof BackupEngine;
  const storage = isOpen ? place.storage : openStorage(place);
  if (settings.drillSchedule.length > 0) {
    checkDrillPlace(settings.drill, storage); // not only when the first drill is due
  }
  const location = isOpen ? place.location : typeof place === 'string' && storage.localDirectory ? place : storage.name;
  const steady = new SteadyClock(clock);
  const database = new DatabaseAccess(settings.db);
  const state = new ManagerState(storage);
  const lastTimes = new LastTimes({ settings, steady, state, database });
  return {
    ...basis,
    steady,
    location,
    storage,
    database,
    // The engine is opened later, and must be at the same place as the storage.
    engines: new ManagerEngines(isOpen ? place : (storage.localDirectory ?? place), settings.engine),
    state,
    recorder: new Recorder(storage, { auditLog, onProblem: (problem) => warn('a record is missing', problem) }),
    lastTimes,
    reports: new ManagerReports(emitter, { clock, state, lastTimes, onFailure }),
    running: new RunningWork(),
  };
}
