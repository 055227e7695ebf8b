// Two processes that fight for one repository.

import { fork } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BackupEngine } from '../../lib/index.js';
import { type Ended, ended } from './ended.js';
import type { Experiment, Torture } from './experiment.js';
import type { Call, FightOptions, Told } from './fight-child.js';

/** The codes with which each call may be refused because another process was there. */
const DOCUMENTED: Record<Call, string[]> = {
  create: ['BACKUP_LOCKED'],
  delete: ['BACKUP_LOCKED', 'BACKUP_NOT_FOUND', 'BACKUP_IN_USE'],
  purge: ['BACKUP_LOCKED', 'BACKUP_IN_USE'],
  collect: ['BACKUP_LOCKED'],
  list: [],
  verify: ['BACKUP_NOT_FOUND', 'BACKUP_IN_USE'],
  restore: ['BACKUP_NOT_FOUND', 'BACKUP_IN_USE'],
};

async function start(options: FightOptions): Promise<Ended & { all: Told[] }> {
  const child = fork(join(__dirname, 'fight-child.js'), [JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const end = await ended(child);
  const lines = end.out.split('\n').filter(Boolean);
  return { ...end, all: lines.map((line) => JSON.parse(line) as Told) };
}

async function fightOver(torture: Torture, name: string, purges: boolean, ms: number): Promise<void> {
  const backups = torture.path(name, 'backups');
  const fighters = ['red', 'blue'].map((who, index) =>
    start({
      name: who,
      database: torture.path(name, who),
      backups,
      seed: torture.seed + index,
      ms,
      purges,
    }),
  );
  // A third process watches, and must never see anything incomplete.
  const watcher = await BackupEngine.open(backups);
  let fighting = true;
  let looks = 0;
  const looking = (async () => {
    while (fighting) {
      looks++;
      try {
        const corrupt = await watcher.getCorruptedBackups();
        torture.check(corrupt.length === 0, `${name}: who looks on sees no corrupt backup`, corrupt);
        await watcher.getBackupInfo();
      } catch (error) {
        torture.check(false, `${name}: who looks on is never refused`, error);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  })();
  const fought = await Promise.all(fighters);
  fighting = false;
  await looking;
  for (const { code, err } of fought) torture.check(code === 0, `${name}: a fighter ends by itself`, err);

  const all = fought.flatMap(({ all }) => all).sort((a, b) => a.end - b.end);
  const refused = new Map<string, number>();
  for (const told of all) {
    if (told.code === undefined) continue;
    refused.set(told.code, (refused.get(told.code) ?? 0) + 1);
    torture.check(
      DOCUMENTED[told.call].includes(told.code),
      `${name}: a ${told.call} is refused only because somebody else was there`,
      told,
    );
  }
  const done = all.filter(({ code }) => code === undefined);
  for (const call of Object.keys(DOCUMENTED) as Call[]) {
    if (call === 'purge' && !purges) continue;
    const times = done.filter((told) => told.call === call).length;
    torture.check(times > 0, `${name}: some ${call} got through`);
    torture.figure(`${name}: ${call}`, `${times} of ${all.filter((told) => told.call === call).length}`);
  }
  torture.figure(`${name}: refused`, [...refused].map(([code, times]) => `${code} ${times}`).join(', '));
  torture.figure(`${name}: looks of a third`, looks);
  await account(torture, name, done, watcher);
  await watcher.close();
}

interface Life {
  from: number;
  until: number;
}

/** The lifetimes of the backups that had an id one after the other and do not exist any more. */
function livesOf(creates: Told[], lastIsThere: boolean): Life[] {
  const lives = [...creates]
    .sort((a, b) => a.begin - b.begin)
    .map(({ begin }, n, all) => ({ from: begin, until: all[n + 1]?.end ?? Number.POSITIVE_INFINITY }));
  if (lastIsThere) lives.pop();
  return lives;
}

/** The backups that were not deleted one by one: those for which there is no delete of their own. */
function withoutDelete(lives: Life[], deletes: Told[]): Life[] {
  const left = [...deletes].sort((a, b) => a.end - b.end);
  return lives.filter(({ from, until }) => {
    const nth = left.findIndex(({ begin, end }) => end > from && begin < until);
    if (nth >= 0) left.splice(nth, 1);
    return nth < 0;
  });
}

/** Checks that every backup that was made exists and is intact, or was deleted. */
async function account(torture: Torture, name: string, done: Told[], engine: BackupEngine): Promise<void> {
  const infos = await engine.getBackupInfo({ fileDetails: true });
  const made = done.filter(({ call }) => call === 'create');
  const purges = done.filter(({ call }) => call === 'purge');
  const ids = [...new Set(made.map(({ id }) => id as number))].sort((a, b) => a - b);
  for (const id of ids) {
    const creates = made.filter((told) => told.id === id);
    const deletes = done.filter((told) => told.call === 'delete' && told.id === id);
    const living = infos.find(({ backupId }) => backupId === id);
    const left = creates.length - deletes.length;
    torture.check(left >= 0, `${name}: backup ${id} was deleted no more often than it was made`, { creates, deletes });
    if (purges.length === 0) {
      torture.check(left <= 1, `${name}: id ${id} was not given twice among living backups`, { creates, deletes });
      torture.check(left === (living ? 1 : 0), `${name}: backup ${id} is there if it was not deleted`, {
        creates,
        deletes,
      });
    } else {
      // A purge that may have run in its lifetime, when there were as many newer backups as it kept.
      const mayBePurged = ({ from, until }: Life) =>
        purges.some(({ begin, end, keep }) => {
          const newer = made.filter((told) => (told.id as number) > id && told.begin < end);
          return end > from && begin < until && newer.length >= (keep as number);
        });
      const lost = withoutDelete(
        livesOf(creates, living !== undefined).filter((life) => !mayBePurged(life)),
        deletes,
      );
      torture.check(lost.length === 0, `${name}: backup ${id} is there, or was deleted, or purged`, {
        lost,
        creates,
        deletes,
      });
    }
    if (living !== undefined) {
      const latest = creates.filter(({ end }) => !creates.some(({ begin }) => begin > end));
      const isLatest = latest.some(({ metadata }) => metadata === living.appMetadata);
      torture.check(isLatest, `${name}: backup ${id} is the one that was made last`, {
        found: living.appMetadata,
        creates,
      });
    }
  }
  for (const { backupId, appMetadata } of infos) {
    torture.check(ids.includes(backupId), `${name}: backup ${backupId} was made by one of them`, appMetadata);
    try {
      await engine.verifyBackup(backupId, { checksum: true });
      torture.check(true, 'it verifies');
    } catch (error) {
      torture.check(false, `${name}: backup ${backupId} verifies in the end`, error);
    }
  }
  torture.figure(`${name}: there in the end`, infos.length);
  await engine.garbageCollect();
  const needed = new Set(infos.flatMap(({ fileDetails = [] }) => fileDetails.map((file) => file.name)));
  for (const part of ['shared_checksum', 'shared', 'private']) {
    const path = join(engine.location, part);
    const names = existsSync(path) ? readdirSync(path) : [];
    const spare = names.filter((file) =>
      part === 'private' ? !infos.some(({ backupId }) => String(backupId) === file) : !needed.has(`${part}/${file}`),
    );
    torture.check(spare.length === 0, `${name}: in the end nothing is left in ${part} that no backup has`, spare);
  }
}

export const fight: Experiment = {
  name: 'fight',
  about: 'two processes fight for one repository: only documented refusals, and what was made is there',
  async run(torture) {
    const seconds = torture.rounds(14, 60);
    await fightOver(torture, 'deleting', false, seconds * 500);
    await fightOver(torture, 'purging', true, seconds * 500);
    torture.figure('seconds', seconds);
  },
};
