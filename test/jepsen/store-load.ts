import { systemClock } from '../../src/base/clock.js';
import { SeqError } from '../../src/base/errors.js';
import { systemRandom } from '../../src/base/random.js';
import type { AllocId, Epoch, Incarnation, SectionId, Seq } from '../../src/model/ids.js';
import { type Caller, StoreClient } from '../../src/store/client.js';
import { SeededRandom } from '../unit/seeded-random.js';
import { pause, until } from './until.js';

const CALL_TIMEOUT_MS = 10_000;
const ASSIGNED_LIMIT_MS = 30_000;
/** A renewal at least this often, or the arbiter gives the sections away. */
const RENEW_EVERY_MS = 500;
const RAISE_STEP_MAX = 1_000;

interface Owned {
  readonly section: SectionId;
  readonly epoch: Epoch;
  /** The end of its first window. */
  readonly base: Seq;
}

/**
 * Load on the StoreSvrs alone, in place of an AllocSvr: it owns every section of the set and raises them at random. What
 * was acknowledged must be there for ever.
 */
export class StoreLoad {
  readonly #client: StoreClient;
  readonly #caller: Caller;
  readonly #random: SeededRandom;
  /** By section: the highest maxSeq that a StoreSvr said is committed. */
  readonly acknowledged = new Map<SectionId, Seq>();
  readonly #owned: Owned[] = [];
  #isStopped = false;
  #workers: readonly Promise<void>[] = [];
  /** Raises that were acknowledged. */
  count = 0;
  /** Raises that failed although their budget of 10 s allows for an election. */
  readonly failures: string[] = [];

  private constructor(endpoints: readonly string[], seed: number) {
    this.#client = new StoreClient({ endpoints, clock: systemClock, random: systemRandom });
    this.#random = new SeededRandom(seed);
    this.#caller = { allocId: 'load' as AllocId, incarnation: systemRandom.id128() as Incarnation };
  }

  /** Resolves once all sections are its own and `workers` raise them. */
  static async start(options: { readonly endpoints: readonly string[]; readonly seed: number; readonly workers: number }): Promise<StoreLoad> {
    const load = new StoreLoad(options.endpoints, options.seed);
    await load.#takeSections();
    load.#workers = [load.#renew(), ...Array.from({ length: options.workers }, () => load.#raise())];
    return load;
  }

  /** Waits until `count` more raises were acknowledged. */
  async untilMore(count: number, limitMs = 60_000): Promise<void> {
    const target = this.count + count;
    await until(`${count} raises are acknowledged`, limitMs, () => this.count >= target || undefined);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#workers);
  }

  close(): void {
    this.#client.close();
  }

  /** Sections whose committed maxSeq is below what was acknowledged, as `section: acknowledged > committed`. */
  async lost(): Promise<readonly string[]> {
    const { windows } = await this.#load();
    const committed = new Map<SectionId, Seq>();
    for (const { firstSection, sectionCount, maxSeq } of windows)
      for (let at = 0; at < sectionCount; at += 1) committed.set((firstSection + at) as SectionId, maxSeq);
    return [...this.acknowledged].flatMap(([section, seq]) => {
      const now = committed.get(section);
      return now === undefined || now < seq ? [`${section}: ${seq} > ${now ?? 'not owned'}`] : [];
    });
  }

  /** Sections whose numbers begin at or below what another load was promised, as `section: base <= promised`. */
  async notAbove(promised: ReadonlyMap<SectionId, Seq>): Promise<readonly string[]> {
    const { windows } = await this.#load();
    const baseOf = new Map<SectionId, Seq>();
    for (const { firstSection, sectionCount, base } of windows)
      for (let at = 0; at < sectionCount; at += 1) baseOf.set((firstSection + at) as SectionId, base);
    return [...promised].flatMap(([section, seq]) => {
      const base = baseOf.get(section);
      return base === undefined || base < seq ? [`${section}: ${base ?? 'not owned'} <= ${seq}`] : [];
    });
  }

  async #takeSections(): Promise<void> {
    const { geometry } = await this.#client.register(
      { ...this.#caller, address: '127.0.0.1:1', zone: '', clusterId: '' },
      { timeoutMs: ASSIGNED_LIMIT_MS },
    );
    const sectionCount = Number((geometry.lastUid - geometry.firstUid) / BigInt(geometry.uidsPerSection)) + 1;
    const windows = await until('all sections belong to the load', ASSIGNED_LIMIT_MS, async () => {
      await this.#renewOnce();
      const assignment = await this.#load();
      const owned = assignment.windows.reduce((sum, run) => sum + run.sectionCount, 0);
      return owned === sectionCount ? assignment.windows : undefined;
    });
    for (const { firstSection, sectionCount: length, epoch, maxSeq } of windows)
      for (let at = 0; at < length; at += 1) this.#owned.push({ section: (firstSection + at) as SectionId, epoch, base: maxSeq });
  }

  async #renew(): Promise<void> {
    while (!this.#isStopped) {
      await this.#renewOnce();
      await pause(RENEW_EVERY_MS);
    }
  }

  /** It may fail while there is no leader: the next one counts leases from its own beginning. */
  async #renewOnce(): Promise<void> {
    await this.#client
      .renewOnce({ ...this.#caller, routingVersion: undefined }, { timeoutMs: 1_000, moveOnAfterMs: 200 })
      .catch((error: unknown) => (error instanceof SeqError ? undefined : Promise.reject(error)));
  }

  async #raise(): Promise<void> {
    while (!this.#isStopped) {
      const { section, epoch, base } = this.#random.pick(this.#owned);
      const to = ((this.acknowledged.get(section) ?? base) + BigInt(1 + this.#random.below(RAISE_STEP_MAX))) as Seq;
      try {
        const [outcome] = await this.#client.raise({ ...this.#caller, raises: [{ section, epoch, to }] }, { timeoutMs: CALL_TIMEOUT_MS });
        if (outcome?.type !== 'raised') throw outcome?.error ?? new Error('no outcome');
        const before = this.acknowledged.get(section) ?? 0n;
        if (to > before) this.acknowledged.set(section, to);
        this.count += 1;
      } catch (error) {
        this.failures.push(String(error));
        await pause(100);
      }
    }
  }

  #load() {
    return this.#client.load(this.#caller, { timeoutMs: CALL_TIMEOUT_MS });
  }
}
