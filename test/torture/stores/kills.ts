// Clients are killed again and again while they work with repositories in a bucket.

import type { Teardown } from '../../fixtures/files.js';
import type { Random } from '../../fixtures/random.js';
import type { Torture } from '../experiment.js';
import { KilledClient } from './killed-client.js';
import { Oracle } from './oracle.js';
import { isCreate, KINDS, type Kind, type Moment, type Phase, type World } from './plan.js';
import { BUCKET } from './repository.js';
import type { Servers } from './servers.js';
import { together } from './together.js';
import { Watch } from './watch.js';

const WHERE = ['before', 'within', 'after'] as const;
/** The longest of the latest times of an operation, in milliseconds, while none is known. */
const UNKNOWN_MS = 200;
const UNKNOWN_REQUESTS = 20;
/** After how many deaths Ceph gives back the memory of what was deleted. */
const COLLECT_AFTER = 100;

/** How long each kind takes, and how many requests it needs: as far as it was seen. */
class Measured {
  readonly #ms = new Map<Kind, number>();
  readonly #requests = new Map<Kind, number>();

  note(kind: Kind, ms: number): void {
    // A single slow one is soon forgotten.
    this.#ms.set(kind, Math.max(ms, (this.#ms.get(kind) ?? 0) * 0.8));
  }

  noteRequests(kind: Kind, requests: number): void {
    this.#requests.set(kind, requests);
  }

  moment(random: Random, kind: Kind): Moment {
    const chance = random.below(10);
    const where = random.pick(WHERE);
    const ms = random.below(5);
    if (chance < 3) return { at: 'commit', where: random.below(2) === 0 ? 'within' : where, ms };
    if (chance < 5) {
      return { at: 'request', nth: 1 + random.below(this.#requests.get(kind) ?? UNKNOWN_REQUESTS), where, ms };
    }
    return { at: 'time', ms: random.next() * 1.1 * (this.#ms.get(kind) ?? UNKNOWN_MS) };
  }
}

/** How many deaths came in which phase of which kind. */
class Deaths {
  readonly #times = new Map<Kind, Map<Phase, number>>();
  between = 0;

  note(kind: Kind | undefined, phase: Phase): void {
    if (kind === undefined || phase === 'between') {
      this.between++;
      return;
    }
    const phases = this.#times.get(kind) ?? new Map<Phase, number>();
    this.#times.set(kind, phases.set(phase, (phases.get(phase) ?? 0) + 1));
  }

  count(chosen: (kind: Kind) => boolean, phase: Phase): number {
    return [...this.#times]
      .filter(([kind]) => chosen(kind))
      .reduce((sum, [, phases]) => sum + (phases.get(phase) ?? 0), 0);
  }

  tell(torture: Torture): void {
    torture.figure('  between two operations', this.between);
    for (const kind of KINDS) {
      const phases = [...(this.#times.get(kind) ?? [])].sort();
      const words = phases.map(([phase, times]) => (phase === 'under way' ? `${times}` : `${phase} ${times}`));
      torture.figure(`  in ${kind}`, words.join(', ') || 0);
    }
  }
}

/** One repository, in which one client after the other is killed. */
async function killIn(
  torture: Torture,
  t: Teardown,
  { world, rounds, servers, deaths }: { world: World; rounds: number; servers: Servers; deaths: Deaths },
): Promise<Oracle> {
  const { client, endpoint, url } = servers;
  const watch = await Watch.start(t, endpoint);
  const watched = (name: string) => `s3://${BUCKET}/${name}?endpoint=${watch.url}`;
  const oracle = await Oracle.make(torture, world, client, url);
  t.teardown(() => oracle.close());
  const { random } = oracle;
  const measured = new Measured();
  const next = () => new KilledClient(url(world.name));
  let waiting = next();
  try {
    for (let round = 0; round < rounds && torture.failed < 20; round++) {
      const kind = KINDS[round % KINDS.length] as Kind;
      const before = random.below(3) === 0 ? [random.pick(KINDS)] : [];
      const moment = measured.moment(random, kind);
      const client = waiting;
      waiting = next();
      const plan = { world, before, kind, seed: world.seed + round };
      const life = await client.live(
        { ...plan, url: watched(world.name), copyUrl: watched(oracle.copyName) },
        moment,
        watch,
      );
      for (const line of life.lines) if (line.event === 'end') measured.note(line.kind, line.ms);
      for (const { kind, requests } of life.requests) measured.noteRequests(kind, requests);
      deaths.note(life.begun?.kind, life.phase);
      await oracle.inspect(`round ${round}, ${kind}, ${JSON.stringify(moment)}`, life);
      if (round % COLLECT_AFTER === COLLECT_AFTER - 1) servers.collectGarbage();
    }
    await oracle.finish();
  } finally {
    await waiting.end();
  }
  return oracle;
}

export async function killClients(torture: Torture, t: Teardown, servers: Servers): Promise<void> {
  const rounds = torture.rounds(200, 1000);
  const deaths = new Deaths();
  const world = (name: string, seed: number, engine: World['engine']): World => ({
    name,
    seed,
    directory: torture.path(name),
    engine,
  });
  const worlds = [
    world('as-it-comes', torture.seed, {}),
    world('without-logs', torture.seed + 1, { backupLogFiles: false, maxBackgroundOperations: 4 }),
  ];
  const oracles = await together(
    worlds.map((world) => killIn(torture, t, { world, rounds: Math.ceil(rounds / worlds.length), servers, deaths })),
  );
  const sum = (of: (oracle: Oracle) => number) => oracles.reduce((sum, oracle) => sum + of(oracle), 0);
  const most = (of: (oracle: Oracle) => number) => Math.max(...oracles.map(of));
  torture.figure('clients killed', rounds);
  deaths.tell(torture);
  torture.figure(
    'backups verified',
    sum(({ verified }) => verified),
  );
  torture.figure(
    'backups restored and compared',
    `${sum(({ restored }) => restored)}, ${sum(({ keys }) => keys)} keys`,
  );
  torture.figure(
    'objects that no backup names, after a death, at most',
    most(({ mostLeft }) => mostLeft),
  );
  torture.figure(
    'leases of dead readers, at most',
    most(({ mostLeases }) => mostLeases),
  );
  torture.figure(
    'uploads left in the end',
    sum(({ uploads }) => uploads),
  );
  torture.figure('the slowest next operation', `${(most(({ slowest }) => slowest) / 1000).toFixed(1)} s`);
  if (rounds < 200) return;
  for (const phase of WHERE) {
    for (const [what, chosen] of [
      ['creates', isCreate],
      ['deletes', (kind: Kind) => kind === 'delete' || kind === 'purge'],
      ['changes of the state', (kind: Kind) => kind === 'state' || kind === 'pin'],
    ] as const) {
      torture.check(deaths.count(chosen, phase) > 0, `some ${what} died in the phase '${phase}'`);
    }
  }
}
