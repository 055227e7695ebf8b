import type { BackupEngine } from '../backup-engine.js';
import type { BackupFileDetails, BackupInfo } from '../backup-info.js';
import type { OperationRecord } from '../manager/operation-record.js';
import { type DirectoryState, pinOf, readState } from '../manager/state.js';

/** A backup with all that is known of it. */
export interface BackupRecord extends BackupInfo {
  kind: 'full' | 'incremental';
  files: BackupFileDetails[];
  pinned: boolean;
  pinNote?: string;
  lastVerify?: OperationRecord;
  lastDrill?: OperationRecord;
}

/** All of a directory in one look. */
export interface Inventory {
  location: string;
  backups: BackupRecord[];
  corrupt: { backupId: number }[];
  bytesOnDisk: number;
  logicalBytes: number;
  state: DirectoryState;
}

/** Looks at a directory of backups. */
export async function readInventory(engine: BackupEngine): Promise<Inventory> {
  const [infos, corrupt, state] = [
    await engine.getBackupInfo({ fileDetails: true }),
    await engine.getCorruptedBackups(),
    await readState(engine.location),
  ];
  const sizes = new Map<string, number>();
  const backups = infos.map((info): BackupRecord => {
    const files = info.fileDetails ?? [];
    for (const { name, size } of files) sizes.set(name, size);
    const pin = pinOf(state, info);
    return {
      ...info,
      files,
      kind: files.every(({ shared }) => !shared) ? 'full' : 'incremental',
      pinned: pin !== undefined,
      ...(pin?.note === undefined ? {} : { pinNote: pin.note }),
    };
  });
  return {
    location: engine.location,
    backups,
    corrupt: corrupt.map((backupId) => ({ backupId })),
    bytesOnDisk: [...sizes.values()].reduce((sum, size) => sum + size, 0),
    logicalBytes: infos.reduce((sum, { size }) => sum + size, 0),
    state,
  };
}
