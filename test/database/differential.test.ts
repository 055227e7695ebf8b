// RocksLevel, classic-level and a map in memory do the same 100,000 random operations, and their answers must always be equal. A run that
// fails prints the command that repeats it.

import type { AbstractIterator, AbstractLevel, AbstractSnapshot, AbstractSublevel } from 'abstract-level';
import { ClassicLevel } from 'classic-level';
import t from 'tap';
import { RocksLevel } from '../../lib/level/index.js';
import { tempDir } from '../fixtures/files.js';
import { Model, ModelIterator, type ModelRange, type ModelView } from '../fixtures/level-model.js';
import { newSeed, Random } from '../fixtures/random.js';

const RUNS = 10;
const OPERATIONS_PER_RUN = 10_000;
const SUBLEVEL = 'sub';
const PREFIX = `!${SUBLEVEL}!`;

type Level = AbstractLevel<string | Buffer | Uint8Array, string, string>;
type Sub = AbstractSublevel<Level, string | Buffer | Uint8Array, string, string>;
type Encoding = 'utf8' | 'buffer' | 'view';
type Datum = string | Uint8Array;

/** The same kind of object of all databases. */
type Both<T> = readonly T[];

interface OpenSnapshot {
  real: Both<AbstractSnapshot>;
  view: ModelView;
}

interface OpenIterator {
  real: Both<AbstractIterator<unknown, Datum, Datum>>;
  model: ModelIterator;
  strip: number;
  maySeek: boolean;
  snapshot: OpenSnapshot | undefined;
}

const characters = ['a', 'b', 'c', 'é', '値', '😀', '\0', '!', '\uffff'];

class Run {
  readonly random: Random;
  readonly paths: Both<string>;
  readonly model = new Model();
  levels: Both<Level> = [];
  subs: Both<Sub> = [];
  snapshots: OpenSnapshot[] = [];
  iterators: OpenIterator[] = [];

  constructor(random: Random, paths: Both<string>) {
    this.random = random;
    this.paths = paths;
  }

  async open(): Promise<void> {
    const [rocks, classic] = this.paths as [string, string];
    // Small buffers, so that some data must be read from files.
    this.levels = [
      new RocksLevel(rocks, { writeBufferSize: 64 << 10 }) as unknown as Level,
      new ClassicLevel(classic, { writeBufferSize: 64 << 10 }) as unknown as Level,
    ];
    this.subs = this.levels.map((level) => level.sublevel(SUBLEVEL) as unknown as Sub);
    await Promise.all([...this.levels, ...this.subs].map((level) => level.open()));
  }

  async close(): Promise<void> {
    this.snapshots = [];
    this.iterators = [];
    await Promise.all(this.levels.map((level) => level.close()));
  }

  /** Does one operation everywhere. All results must be equal to that of the model. */
  async step(): Promise<string> {
    const [name, operation] = this.#pickOperation();
    const [results, expected] = await operation();
    const want = JSON.stringify(expected ?? null);
    for (const [n, result] of results.entries()) {
      const got = JSON.stringify(result ?? null);
      if (got !== want) {
        throw new Error(`${name}: ${n === 0 ? 'RocksLevel' : 'classic-level'} gave ${got} instead of ${want}`);
      }
    }
    return name;
  }

  #pickOperation(): [string, () => Promise<[Both<unknown>, unknown]>] {
    const at = this.random.below(1000);
    if (at < 250) return ['put', () => this.#put()];
    if (at < 330) return ['del', () => this.#del()];
    if (at < 380) return ['batch', () => this.#batch(false)];
    if (at < 410) return ['chained batch', () => this.#batch(true)];
    if (at < 580) return ['get', () => this.#get()];
    if (at < 640) return ['getMany and hasMany', () => this.#getMany()];
    if (at < 760) return ['range', () => this.#range()];
    if (at < 800) return ['open an iterator', () => this.#openIterator()];
    if (at < 960) return ['use an iterator', () => this.#useIterator()];
    if (at < 985) return ['snapshot', () => this.#snapshot()];
    if (at < 998) return ['clear', () => this.#clear()];
    return ['reopen', () => this.#reopen()];
  }

  /** Never the empty key: classic-level's clear wrongly leaves it. */
  #key(): string {
    return Array.from({ length: 1 + this.random.below(3) }, () => this.random.pick(characters)).join('');
  }

  #value(): string {
    const length = this.random.below(20) === 0 ? this.random.below(5000) : this.random.below(20);
    return `${this.random.below(1e6)}${this.random.pick(characters).repeat(length)}`;
  }

  #encoding(): Encoding {
    return this.random.pick(['utf8', 'buffer', 'view'] as const);
  }

  #limit(): { limit?: number } {
    return this.random.below(3) === 0 ? { limit: this.random.below(30) - 1 } : {};
  }

  /** A range in the form of abstract-level, and in that of the model. */
  #bounds(prefix: string, encoding: Encoding): [object, ModelRange] {
    const range: ModelRange = { ...this.#limit(), reverse: this.random.below(2) === 0 };
    for (const bounds of [['gt', 'gte'] as const, ['lt', 'lte'] as const]) {
      if (this.random.below(2) === 0) {
        range[this.random.pick(bounds)] = this.#key();
      }
    }
    const given: Record<string, unknown> = { ...range };
    const modelled: ModelRange = { ...range };
    for (const bound of ['gt', 'gte', 'lt', 'lte'] as const) {
      if (range[bound] !== undefined) {
        given[bound] = encoded(range[bound], encoding);
        modelled[bound] = prefix + range[bound];
      }
    }
    if (prefix !== '') {
      if (range.gte === undefined && range.gt === undefined) modelled.gte = prefix;
      if (range.lte === undefined && range.lt === undefined) modelled.lt = `!${SUBLEVEL}"`;
    }
    return [given, modelled];
  }

  /** The databases, or their sublevels. */
  #place(): { levels: Both<Level>; prefix: string } {
    return this.random.below(4) === 0
      ? { levels: this.subs as unknown as Both<Level>, prefix: PREFIX }
      : { levels: this.levels, prefix: '' };
  }

  /** The present, or one of the snapshots: the options for each database, and the model's view. */
  #moment(): { of(n: number): object; view: ModelView; snapshot?: OpenSnapshot } {
    if (this.snapshots.length === 0 || this.random.below(3) > 0) {
      return { of: () => ({}), view: this.model.view() };
    }
    const snapshot = this.random.pick(this.snapshots);
    return { of: (n) => ({ snapshot: snapshot.real[n] }), view: snapshot.view, snapshot };
  }

  async #put(): Promise<[Both<unknown>, unknown]> {
    const { levels, prefix } = this.#place();
    const [key, value, keyEncoding, valueEncoding] = [this.#key(), this.#value(), this.#encoding(), this.#encoding()];
    await Promise.all(
      levels.map((level) =>
        level.put<Datum, Datum>(encoded(key, keyEncoding), encoded(value, valueEncoding), {
          keyEncoding,
          valueEncoding,
        }),
      ),
    );
    this.model.put(prefix + key, value);
    return [[], undefined];
  }

  async #del(): Promise<[Both<unknown>, unknown]> {
    const { levels, prefix } = this.#place();
    const [key, keyEncoding] = [this.#key(), this.#encoding()];
    await Promise.all(levels.map((level) => level.del<Datum>(encoded(key, keyEncoding), { keyEncoding })));
    this.model.del(prefix + key);
    return [[], undefined];
  }

  async #batch(chained: boolean): Promise<[Both<unknown>, unknown]> {
    const { levels, prefix } = this.#place();
    const operations = Array.from({ length: this.random.below(20) }, () =>
      this.random.below(3) === 0
        ? { type: 'del' as const, key: this.#key() }
        : { type: 'put' as const, key: this.#key(), value: this.#value() },
    );
    await Promise.all(
      levels.map((level) => {
        if (!chained) return level.batch(operations);
        const batch = level.batch();
        for (const operation of operations) {
          if (operation.type === 'put') batch.put(operation.key, operation.value);
          else batch.del(operation.key);
        }
        return batch.write();
      }),
    );
    for (const operation of operations) {
      if (operation.type === 'put') this.model.put(prefix + operation.key, operation.value);
      else this.model.del(prefix + operation.key);
    }
    return [[], undefined];
  }

  async #get(): Promise<[Both<unknown>, unknown]> {
    const { levels, prefix } = this.#place();
    const moment = this.#moment();
    const [key, keyEncoding, valueEncoding] = [this.#key(), this.#encoding(), this.#encoding()];
    const how = this.random.below(3);
    const results = await Promise.all(
      levels.map(async (level, n) => {
        const options = { keyEncoding, valueEncoding, ...moment.of(n) };
        if (how === 0) return level.has<Datum>(encoded(key, keyEncoding), options);
        const value =
          how === 1
            ? level.getSync<Datum, Datum>(encoded(key, keyEncoding), options)
            : await level.get<Datum, Datum>(encoded(key, keyEncoding), options);
        return decoded(value, valueEncoding);
      }),
    );
    const value = moment.view.get(prefix + key);
    return [results, how === 0 ? value !== undefined : value];
  }

  async #getMany(): Promise<[Both<unknown>, unknown]> {
    const { levels, prefix } = this.#place();
    const moment = this.#moment();
    const [keyEncoding, valueEncoding] = [this.#encoding(), this.#encoding()];
    const keys = Array.from({ length: this.random.below(20) }, () => this.#key());
    const given = keys.map((key) => encoded(key, keyEncoding));
    const results = await Promise.all(
      levels.map(async (level, n) => {
        const options = { keyEncoding, valueEncoding, ...moment.of(n) };
        const values = await level.getMany<Datum, Datum>(given, options);
        return [values.map((value) => decoded(value, valueEncoding)), await level.hasMany<Datum>(given, options)];
      }),
    );
    const values = keys.map((key) => moment.view.get(prefix + key));
    return [results, [values, values.map((value) => value !== undefined)]];
  }

  async #range(): Promise<[Both<unknown>, unknown]> {
    const { levels, prefix } = this.#place();
    const moment = this.#moment();
    const [keyEncoding, valueEncoding] = [this.#encoding(), this.#encoding()];
    const [given, modelled] = this.#bounds(prefix, keyEncoding);
    const how = this.random.pick(['entries', 'keys', 'values'] as const);
    const results = await Promise.all(
      levels.map(async (level, n) => {
        const options = { ...given, keyEncoding, valueEncoding, ...moment.of(n) };
        if (how === 'keys') {
          return (await level.keys<Datum>(options).all()).map((key) => decoded(key, keyEncoding));
        }
        if (how === 'values') {
          return (await level.values<Datum, Datum>(options).all()).map((value) => decoded(value, valueEncoding));
        }
        const entries = await level.iterator<Datum, Datum>(options).all();
        return entries.map(([key, value]) => [decoded(key, keyEncoding), decoded(value, valueEncoding)]);
      }),
    );
    const entries = moment.view.range(modelled).map(([key, value]) => [key.slice(prefix.length), value]);
    return [results, how === 'entries' ? entries : entries.map((entry) => entry[how === 'keys' ? 0 : 1])];
  }

  async #openIterator(): Promise<[Both<unknown>, unknown]> {
    if (this.iterators.length >= 4) {
      const { real } = this.iterators.shift() as OpenIterator;
      await Promise.all(real.map((iterator) => iterator.close()));
    }
    const { levels, prefix } = this.#place();
    const moment = this.#moment();
    const [given, modelled] = this.#bounds(prefix, 'utf8');
    this.iterators.push({
      real: levels.map((level, n) => level.iterator<Datum, Datum>({ ...given, ...moment.of(n) })),
      model: new ModelIterator(moment.view, modelled),
      strip: prefix.length,
      // classic-level counts entries that it has read ahead towards the limit, even if a seek skips them. And it aborts the process if
      // there is nothing at all to seek in.
      maySeek: modelled.limit === undefined && moment.view.map.size > 0,
      snapshot: moment.snapshot,
    });
    return [[], undefined];
  }

  async #useIterator(): Promise<[Both<unknown>, unknown]> {
    if (this.iterators.length === 0) return this.#openIterator();
    const { real, model, strip, maySeek } = this.random.pick(this.iterators);
    if (this.random.below(3) === 0 && maySeek) {
      const target = this.#key();
      for (const iterator of real) iterator.seek(target);
      model.seek(PREFIX.slice(0, strip) + target);
    }
    const count = this.random.below(2) === 0 ? 1 : 1 + this.random.below(40);
    const results = await Promise.all(
      real.map(async (iterator) => {
        if (count === 1) {
          const entry = await iterator.next();
          return entry === undefined ? [] : [entry];
        }
        const taken: [Datum, Datum][] = [];
        for (;;) {
          const more = await iterator.nextv(count - taken.length); // may return fewer than there are
          taken.push(...more);
          if (more.length === 0 || taken.length === count) return taken;
        }
      }),
    );
    return [results, model.take(count).map(([key, value]) => [key.slice(strip), value])];
  }

  async #snapshot(): Promise<[Both<unknown>, unknown]> {
    if (this.snapshots.length >= 3) {
      const closing = this.snapshots.shift() as OpenSnapshot;
      // Iterators on a snapshot cannot be used after the snapshot is closed.
      const [ending, going] = [true, false].map((on) =>
        this.iterators.filter((it) => (it.snapshot === closing) === on),
      );
      this.iterators = going as OpenIterator[];
      await Promise.all((ending as OpenIterator[]).flatMap(({ real }) => real.map((iterator) => iterator.close())));
      await Promise.all(closing.real.map((snapshot) => snapshot.close()));
    }
    this.snapshots.push({ real: this.levels.map((level) => level.snapshot()), view: this.model.view() });
    return [[], undefined];
  }

  async #clear(): Promise<[Both<unknown>, unknown]> {
    const { levels, prefix } = this.#place();
    const moment = this.#moment();
    const keyEncoding = this.#encoding();
    const [given, modelled] = this.#bounds(prefix, keyEncoding);
    await Promise.all(levels.map((level, n) => level.clear({ ...given, keyEncoding, ...moment.of(n) })));
    for (const [key] of moment.view.range(modelled)) {
      this.model.del(key);
    }
    return [[], undefined];
  }

  async #reopen(): Promise<[Both<unknown>, unknown]> {
    await this.close();
    await this.open();
    const results = await Promise.all(this.levels.map((level) => level.iterator().all()));
    return [results, this.model.view().range({})];
  }
}

function encoded(text: string, encoding: Encoding): Datum {
  return encoding === 'utf8' ? text : encoding === 'buffer' ? Buffer.from(text) : new TextEncoder().encode(text);
}

function decoded(data: Datum | undefined, encoding: Encoding): string | undefined {
  if (data === undefined) return undefined;
  if ((encoding === 'utf8') !== (typeof data === 'string') || (encoding === 'buffer' && !Buffer.isBuffer(data))) {
    throw new Error(`this is no ${encoding}: ${data}`);
  }
  return typeof data === 'string' ? data : Buffer.from(data).toString();
}

t.setTimeout(0); // the runner has its own timeout
const firstSeed = newSeed();
for (let n = 0; n < RUNS; n++) {
  const seed = firstSeed + n;
  t.test(`${OPERATIONS_PER_RUN} random operations give what classic-level and the model give`, async (t) => {
    const path = tempDir(t);
    const run = new Run(new Random(seed), [path('rocks'), path('classic')]);
    t.comment(`TEST_SEED=${seed}`);
    await run.open();
    const done = new Map<string, number>();
    for (let step = 0; step < OPERATIONS_PER_RUN; step++) {
      try {
        const name = await run.step();
        done.set(name, (done.get(name) ?? 0) + 1);
      } catch (cause) {
        await run.close();
        const repeat = `TEST_SEED=${seed} node dist/test/database/differential.test.js`;
        throw new Error(`step ${step} failed; to repeat it: ${repeat}`, { cause });
      }
    }
    await run.close();
    t.equal(
      [...done.values()].reduce((sum, count) => sum + count, 0),
      OPERATIONS_PER_RUN,
      [...done].map(([name, count]) => `${count} ${name}`).join(', '),
    );
  });
}
