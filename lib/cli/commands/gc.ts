import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupEngine } from '../../backup-engine.js';
import { formatSize } from '../../units.js';
import { defineCommand } from '../command.js';
import { withDirectory } from '../directory.js';
import { safe } from '../output/text.js';
import { array, count, flag, object, text } from '../schema.js';

interface Stray {
  name: string;
  size: number;
}

/** What is written down of a backup's files, beside them: it goes with the backup. */
const RECORD = /^private\/(\d+)\/rocksdb-backup\.files$/;

/** Files in the folders of backups that belong to no backup that can be read. */
async function strayFiles(engine: BackupEngine): Promise<Stray[]> {
  const { location } = engine;
  const backups = await engine.getBackupInfo({ fileDetails: true });
  const known = new Set(backups.flatMap(({ fileDetails = [] }) => fileDetails.map(({ name }) => name)));
  const ids = new Set(backups.map(({ backupId }) => String(backupId)));
  const strays: Stray[] = [];
  const look = async (folder: string, isStray: (name: string) => boolean) => {
    const entries = await readdir(join(location, folder), { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(entry.parentPath ?? entry.path, entry.name);
      const name = path.slice(location.length + 1);
      if (entry.isFile() && isStray(name)) {
        const found = await stat(path).catch(() => undefined);
        if (found !== undefined) strays.push({ name, size: found.size });
      }
    }
  };
  for (const folder of ['private', 'shared', 'shared_checksum']) {
    await look(folder, (name) => !known.has(name) && !ids.has(RECORD.exec(name)?.[1] ?? ''));
  }
  await look('meta', (name) => name.endsWith('.tmp'));
  return strays.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export const gc = defineCommand({
  name: 'gc',
  summary: 'delete what interrupted backups left',
  description: [
    'Deletes files that belong to no backup. Rarely needed: creating and deleting backups do it too. Refuses while any backup cannot be read, for its files would be taken for left over.',
  ],
  positionals: [{ name: 'DIR', type: 'backups', summary: 'the directory of backups' }],
  options: {
    'dry-run': { type: 'flag', summary: 'only say what would be deleted' },
    force: {
      type: 'flag',
      summary: 'also while some backup cannot be read: the files that only it uses are then deleted for good',
    },
  },
  examples: [{ line: 'rocksdb-backup gc /backups/users --dry-run', does: 'what lies there and belongs to nothing' }],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: object({
    location: text('the directory of backups'),
    files: array(object({ name: text('relative to the directory'), size: count() }), 'that belong to no backup'),
    bytesFreed: count(),
    dryRun: flag(),
  }),
  run(context, { DIR }, options) {
    return withDirectory(
      DIR,
      async (engine) => {
        const files = await strayFiles(engine);
        const bytesFreed = files.reduce((sum, { size }) => sum + size, 0);
        const json = { location: engine.location, files, bytesFreed, dryRun: options['dry-run'] };
        const many = `${files.length} ${files.length === 1 ? 'file' : 'files'}`;
        const corrupt = await engine.getCorruptedBackups();
        const unreadable =
          corrupt.length === 0 || files.length === 0
            ? []
            : [`Files of backup ${corrupt.join(', ')}, which cannot be read, are among them.`];
        if (options['dry-run']) {
          return {
            json,
            text: () => [
              files.length === 0 ? 'nothing is left over' : `${many} belong to no backup, ${formatSize(bytesFreed)}:`,
              ...unreadable,
              ...files.map(({ name, size }) => `  ${safe(name)}  ${formatSize(size)}`),
            ],
          };
        }
        if (files.length > 0) {
          await context.confirm(
            [
              `This deletes ${many} in ${safe(engine.location)} that belong to no backup, and frees ${formatSize(bytesFreed)}.`,
              ...unreadable,
            ],
            'Delete?',
            options,
          );
        }
        context.signal.throwIfAborted();
        await context.recorded('gc', engine.location, options['audit-log'], { bytes: bytesFreed }, () =>
          engine.garbageCollect({ force: options.force }),
        );
        return {
          json,
          text: () => [
            files.length === 0 ? 'nothing was left over' : `deleted ${many}; ${formatSize(bytesFreed)} freed`,
          ],
        };
      },
      { write: true },
    );
  },
});
