import { pinBackup } from '../../manager/guarded-delete.js';
import { missingPins, readInventory } from '../../manager/inventory.js';
import { acknowledgeLostPins, isPinned, unpin as unpinIn } from '../../manager/pins.js';
import type { Entry } from '../../manager/recorder.js';
import { readState, updateState } from '../../manager/state.js';
import { defineCommand, dirArgument, idArgument } from '../command.js';
import { findBackup, withRecordedDirectory } from '../directory.js';
import { UsageError } from '../errors.js';
import { backupAsJson } from '../json.js';
import { safe } from '../output/text.js';
import { flag, object, ref, text } from '../schema.js';
import { localTime } from '../time.js';

const positionals = [dirArgument, idArgument] as const;

export const pin = defineCommand({
  name: 'pin',
  summary: 'keep a backup until it is unpinned',
  description: [
    'Pins a backup. Then prune and a running BackupManager do not delete it, and delete and purge refuse to. Pinning it again changes the note.',
  ],
  positionals,
  options: { note: { type: 'text', summary: 'the reason, for later readers' } },
  examples: [{ line: 'rocksdb-backup pin /backups/users 7 --note "before the migration"', does: 'keep backup 7' }],
  exits: ['notFound', 'locked', 'corrupt'],
  recorded: true,
  schema: object({ location: text(), backup: ref('backup'), pinned: flag(), 'note?': text() }),
  run(context, { DIR, ID }, options) {
    const { note } = options;
    return withRecordedDirectory(context, DIR, { operation: 'pin', detail: { asked: ID } }, async (engine) => {
      const info = await findBackup(context, engine, ID);
      const entry: Entry = {
        operation: 'pin',
        backupId: info.backupId,
        timestamp: info.timestamp.toISOString(),
        ...(note === undefined ? {} : { detail: { note } }),
      };
      await context.recorded(engine, entry, () => pinBackup(engine, info, note));
      return {
        json: {
          location: engine.location,
          backup: backupAsJson(info),
          pinned: true,
          ...(note === undefined ? {} : { note }),
        },
        text: () => [`backup ${info.backupId}, begun ${localTime(info.timestamp)}, is kept until it is unpinned`],
      };
    });
  },
});

export const unpin = defineCommand({
  name: 'unpin',
  summary: 'unpin a backup',
  description: [
    'Unpins a backup, so that it may be deleted again. unpin itself deletes nothing.',
    'The pins are in rocksdb-backup.state.json among the backups, and in rocksdb-backup.state.previous.json. While these files are damaged or cannot be read, nothing is pruned, purged or deleted. If they are damaged, pin again the backups to keep, and then pass --acknowledge-lost-pins.',
    'If both files are removed, all pins are lost, and no command can notice it: backups that were pinned can be deleted.',
  ],
  positionals: [positionals[0], { ...positionals[1], optional: true }],
  options: {
    'acknowledge-lost-pins': {
      type: 'flag',
      summary: 'confirm that the pins are complete again, after they were lost',
    },
  },
  examples: [
    { line: 'rocksdb-backup unpin /backups/users 7', does: 'backup 7 may be pruned again' },
    {
      line: 'rocksdb-backup unpin /backups/users --acknowledge-lost-pins',
      does: 'prune again after the pins were lost',
    },
  ],
  exits: ['notFound', 'locked', 'corrupt'],
  recorded: true,
  schema: object({ location: text(), 'backup?': ref('backup'), pinned: flag('false'), wasPinned: flag() }),
  run(context, { DIR, ID }, options) {
    const acknowledge = options['acknowledge-lost-pins'];
    if (ID === undefined && !acknowledge) {
      throw new UsageError('unpin needs ID', 'rocksdb-backup unpin --help');
    }
    return withRecordedDirectory(context, DIR, { operation: 'unpin', detail: { asked: ID } }, async (engine) => {
      const { location } = engine;
      const gone =
        ID === undefined
          ? undefined
          : missingPins(await readInventory(engine)).find(({ backupId }) => String(backupId) === ID);
      if (gone !== undefined) {
        const { backupId, timestamp } = gone;
        const drop = () => updateState(engine.storage, (state) => void unpinIn(state, gone));
        await context.recorded(engine, { operation: 'unpin', backupId, timestamp }, drop);
        return {
          json: { location, pinned: false, wasPinned: true },
          text: () => [`backup ${backupId}, which does not exist any more, is not pinned any more`],
        };
      }
      const info = ID === undefined ? undefined : await findBackup(context, engine, ID);
      const wasPinned = info !== undefined && isPinned(await readState(engine.storage), info);
      const change = () =>
        updateState(engine.storage, (state) => {
          if (info !== undefined) unpinIn(state, info);
          if (acknowledge) acknowledgeLostPins(state);
        });
      const about =
        info === undefined
          ? { detail: { acknowledgedLostPins: true } }
          : { backupId: info.backupId, timestamp: info.timestamp.toISOString() };
      await context.recorded(engine, { operation: 'unpin', ...about }, change);
      return {
        json: { location, ...(info === undefined ? {} : { backup: backupAsJson(info) }), pinned: false, wasPinned },
        text: () => [
          info === undefined
            ? `the pins of ${safe(location)} count as complete; backups may be pruned again`
            : `backup ${info.backupId} ${wasPinned ? 'may be pruned again' : 'was not pinned'}`,
        ],
      };
    });
  },
});
