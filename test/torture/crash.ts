// A process backs up, deletes, purges and restores while it writes. It is killed again and again while it does that.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildKiller, KilledChild } from './crash/killed-child.js';
import { Oracle } from './crash/oracle.js';
import { callOf, familyOptions, KINDS, type Kind, type Moment, paths, type World } from './crash/plan.js';
import type { Experiment, Torture } from './experiment.js';

/** The sets of options. Each has its own directory, in which one child after another is killed. */
function worlds(directory: string): World[] {
  const database = { ...familyOptions, writeBufferSize: 64 << 10, maxBackgroundJobs: 2 };
  const world = (name: string, rest: Partial<World>): World => ({
    name,
    directory: join(directory, name.replaceAll(' ', '-')),
    engine: {},
    callbacks: false,
    database,
    writes: {},
    ...rest,
  });
  const apart = world('log files apart', { writes: { sync: true } });
  return [
    world('as it comes', { writes: { sync: true } }),
    world('nothing shared', { engine: { shareTableFiles: false } }),
    world('with callbacks, without sync', {
      engine: { sync: false, callbackTriggerIntervalSize: 1000, maxBackgroundOperations: 4 },
      callbacks: true,
    }),
    world('without logs', {
      engine: { backupLogFiles: false, shareFilesWithChecksumNaming: 'legacyCrc32cAndFileSize' },
      // Without logs, families are flushed one after the other. Only with this option are they consistent with each other.
      database: { ...database, atomicFlush: true },
    }),
    { ...apart, database: { ...database, walDir: paths(apart).wal } },
  ];
}

/** More calls than any operation needs. */
const UNCOUNTED = 1_000_000;

/** Chooses when to kill. Every kind occurs in every world: mostly at a system call, sometimes at a time or an event. */
function momentOf(torture: Torture, world: World, calls: number | undefined): Moment {
  const { random } = torture;
  const chance = random.below(10);
  if (chance === 0) return { at: 'time', ms: random.below(15) };
  if (chance === 1 && world.callbacks) return { at: 'event', nth: 1 + random.below(40) };
  // Sometimes the calls are counted again: the operation then runs to its end, and is repeated with the number that is known then.
  const nth = calls === undefined || random.below(3) === 0 ? UNCOUNTED : callOf(random, calls);
  return { at: 'call', nth, where: random.pick(['before', 'after', 'torn']) };
}

export const crash: Experiment = {
  name: 'crash',
  about:
    'killed in the middle of anything, backups stay whole, the next one works, and restore targets are whole or none',
  async run(torture) {
    // This experiment is about the order of changes. What a process has written survives its death without a disk, so memory is enough.
    const directory = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/rocksdb-backup-crash-') : torture.directory;
    const killer = buildKiller(torture.directory);
    const oracles = new Map<World, Oracle>();
    const most = new Map<string, number>();
    const deaths = new Map<string, number>();
    let children = 0;
    const next = () => new KilledChild(killer, join(torture.directory, `control-${++children % 2}`));
    let waiting = next();
    try {
      const all = worlds(directory);
      for (const world of all) oracles.set(world, await Oracle.make(torture, world));
      const rounds = torture.rounds(200, 1000);
      let survived = 0;
      for (let round = 0; round < rounds; round++) {
        const world = all[round % all.length] as World;
        const kind = KINDS[Math.floor(round / all.length) % KINDS.length] as Kind;
        const before = torture.random.below(4) === 0 ? [torture.random.pick(KINDS)] : [];
        const moment = momentOf(torture, world, most.get(`${world.name} ${kind}`));
        const child = waiting;
        waiting = next();
        const life = await child.live({ world, seed: torture.seed + round, before, kind, moment });
        for (const line of life.lines) {
          if (line.event === 'end' && line.calls) most.set(`${world.name} ${line.kind}`, line.calls);
          if (line.event === 'survived') survived++;
        }
        const last = life.lines.filter((line) => line.event === 'begin' || line.event === 'end').at(-1);
        const inside = last?.event === 'begin' ? `in ${last.kind}` : 'between';
        deaths.set(inside, (deaths.get(inside) ?? 0) + 1);
        const oracle = oracles.get(world) as Oracle;
        await oracle.inspect(`round ${round}, ${kind}, ${JSON.stringify(moment)}`, life);
        if (torture.failed > 20) break;
      }
      torture.figure('deaths', rounds);
      for (const [inside, times] of [...deaths].sort()) torture.figure(`  ${inside}`, times);
      torture.figure(
        'system calls of',
        [...most]
          .filter(([name]) => name.startsWith('as it comes '))
          .map(([name, calls]) => `${name.slice(12)} ${calls}`)
          .join(', '),
      );
      torture.figure('no death came within what was to be done', survived);
      torture.figure(
        'keys compared',
        [...oracles.values()].reduce((sum, { compared }) => sum + compared, 0),
      );
      torture.figure('files that no backup has, at most', Math.max(...[...oracles.values()].map((o) => o.mostLeft)));
    } finally {
      await waiting.end();
      for (const oracle of oracles.values()) await oracle.close();
      if (directory !== torture.directory) rmSync(directory, { recursive: true, force: true });
    }
  },
};
