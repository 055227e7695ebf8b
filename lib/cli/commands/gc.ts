import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackupEngine } from '../../backup/backup-engine.js';
import { removeRestoreLeftovers } from '../../backup/restore-leftovers.js';
import { RocksDBError } from '../../base/errors.js';
import { formatSize } from '../../base/units.js';
import { readInventory } from '../../manager/inventory.js';
import type { RestoreLeftover } from '../../native/backup-info.js';
import { defineCommand } from '../command.js';
import { withDirectory } from '../directory.js';
import { safe } from '../output/text.js';
import { missingPinsLine } from '../removal.js';
import { array, count, flag, object, text } from '../schema.js';

interface Stray {
  name: string;
  size: number;
}

const counted = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;

/** The record of a backup lies beside the backup's files, and is deleted with the backup. */
const RECORD = /^private\/(\d+)\/rocksdb-backup\.files$/;

/** Finds files in the folders of backups that belong to no readable backup. */
async function strayFiles(engine: BackupEngine): Promise<Stray[]> {
  const { location } = engine;
  const backups = await engine.getBackupInfo({ fileDetails: true });
  const known = new Set(backups.flatMap(({ fileDetails = [] }) => fileDetails.map(({ name }) => name)));
  const ids = new Set(backups.map(({ backupId }) => String(backupId)));
  const strays: Stray[] = [];
  const look = async (folder: string, isStray: (name: string) => boolean) => {
    const entries = await readdir(join(location, folder), {
      recursive: true,
      withFileTypes: true,
    }).catch(() => []);
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
    'What a killed restore left, .NAME.restoring-..., lies beside its target and not in DIR. The next restore to any target in the same directory deletes it, and so does --restores. One that was killed while it put files in place may hold all that there is of a database: it is told, and stays until the next restore to the same target.',
  ],
  positionals: [{ name: 'DIR', type: 'backups', summary: 'the directory of backups' }],
  options: {
    'dry-run': { type: 'flag', summary: 'only say what would be deleted' },
    restores: {
      type: 'directory',
      summary: 'also delete what killed restores to targets in this directory left there',
    },
    force: {
      type: 'flag',
      summary: 'also while some backup cannot be read: the files that only it uses are then deleted for good',
    },
  },
  examples: [
    {
      line: 'rocksdb-backup gc /backups/users --dry-run',
      does: 'what lies there and belongs to nothing',
    },
    {
      line: 'rocksdb-backup gc /backups/users --restores /data',
      does: 'also what a killed restore to /data/users left in /data',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt', 'stopped'],
  destructive: true,
  recorded: true,
  schema: object({
    location: text('the directory of backups'),
    files: array(object({ name: text('relative to the directory'), size: count() }), 'that belong to no backup'),
    bytesFreed: count(),
    'restores?': array(
      object({
        path: text(),
        bytes: count(),
        unfinished: flag('only a copy; if not, it stays'),
        removed: flag(),
      }),
      'with --restores: what killed restores left there',
    ),
    dryRun: flag(),
  }),
  run(context, { DIR }, options) {
    return withDirectory(
      DIR,
      async (engine) => {
        const files = await strayFiles(engine);
        const found =
          options.restores === undefined ? [] : await removeRestoreLeftovers(options.restores, { dryRun: true });
        const left = found.filter(({ unfinished }) => unfinished);
        const bytesFreed =
          files.reduce((sum, { size }) => sum + size, 0) + left.reduce((sum, { bytes }) => sum + bytes, 0);
        const json = (restores: readonly RestoreLeftover[]) => ({
          location: engine.location,
          files,
          bytesFreed,
          ...(options.restores !== undefined && { restores }),
          dryRun: options['dry-run'],
        });
        const nothing = files.length + left.length === 0;
        const killed = `what ${counted(left.length, 'killed restore')} left in ${safe(options.restores ?? '')}`;
        const listed = (parts: (string | false)[]) => parts.filter(Boolean).join(' and ');
        const missing = missingPinsLine(await readInventory(engine));
        if (missing !== undefined && !options.force) {
          throw new RocksDBError(`nothing was deleted: ${missing}, or with --force.`, 'BACKUP_PINNED');
        }
        const stays = found
          .filter(({ unfinished }) => !unfinished)
          .map(
            ({ path }) =>
              `${safe(path)} stays: its restore was killed while it put files in place. Restore to the same target again.`,
          );
        const corrupt = await engine.getCorruptedBackups();
        const unreadable =
          corrupt.length === 0 || files.length === 0
            ? []
            : [`Files of backup ${corrupt.join(', ')}, which cannot be read, are among them.`];
        if (options['dry-run']) {
          return {
            json: json(found),
            text: () => [
              nothing
                ? 'nothing is left over'
                : `${listed([
                    files.length > 0 &&
                      `${counted(files.length, 'file')} ${files.length === 1 ? 'belongs' : 'belong'} to no backup`,
                    left.length > 0 && `there is ${killed}`,
                  ])}, ${formatSize(bytesFreed)}:`,
              ...unreadable,
              ...files.map(({ name, size }) => `  ${safe(name)}  ${formatSize(size)}`),
              ...left.map(({ path, bytes }) => `  ${safe(path)}  ${formatSize(bytes)}`),
              ...stays,
            ],
          };
        }
        if (!nothing) {
          await context.confirm(
            [
              `This deletes ${listed([
                files.length > 0 &&
                  `${counted(files.length, 'file')} in ${safe(engine.location)} that ${files.length === 1 ? 'belongs' : 'belong'} to no backup`,
                left.length > 0 && killed,
              ])}, and frees ${formatSize(bytesFreed)}.`,
              ...unreadable,
            ],
            'Delete?',
            options,
          );
        }
        context.signal.throwIfAborted();
        const restores = await context.recorded(engine, { operation: 'gc', bytes: bytesFreed }, async () => {
          await engine.garbageCollect({ force: options.force });
          return options.restores === undefined ? [] : removeRestoreLeftovers(options.restores);
        });
        return {
          json: json(restores),
          text: () => [
            nothing
              ? 'nothing was left over'
              : `deleted ${listed([
                  files.length > 0 && counted(files.length, 'file'),
                  left.length > 0 && killed,
                ])}; ${formatSize(bytesFreed)} freed`,
            ...stays,
          ],
        };
      },
      { write: true },
    );
  },
});
