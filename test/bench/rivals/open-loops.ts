import { every, systemClock } from '../../../src/base/clock.js';
import { SeqClient } from '../../../src/client/client.js';
import { pause } from '../../jepsen/until.js';
import { CALLERS, MILLION_UIDS } from './cells.js';
import type { ClientMachine } from './client/client-machine.js';
import type { OpenLoop } from './results.js';
import type { Rivals } from './stage.js';
import type { RivalSystem } from './system.js';
import type { OurCluster } from './systems/ours.js';
import { uidAt } from './uids.js';

/** As Prometheus is often set. */
const SCRAPE_EVERY_MS = 5_000;
const WARM_UP_SECONDS = 1;
const WAITS = 'seqsvr_alloc_advance_waits_total';
const RAISES = 'seqsvr_alloc_advances_total';
/** So many numbers of every section, so often: 1,000 a second, where a window has 10,000 at first. */
const RANGE = 100;
const RANGE_EVERY_MS = 100;
const RAMP_UP_MS = 2_000;

/** A rate that is offered, and to whom. */
export interface Offer {
  readonly system: RivalSystem;
  readonly name: string;
  readonly ratePerSecond: number;
}

/** Ours at every rate of the goals, and nobody, for what the generator itself is late; Redis through ioredis where it has a chance. */
export function offersOf(ours: OurCluster, { everysec }: Rivals): readonly Offer[] {
  const own = ours.as('ours', { type: 'seqsvr', endpoints: ours.endpoints, frame: 1 });
  return [20_000, 100_000, 500_000].flatMap((ratePerSecond) => [
    { system: own, name: 'ours', ratePerSecond },
    { system: NOBODY, name: 'nobody: the generator alone', ratePerSecond },
    ...(everysec === undefined || ratePerSecond > REDIS_RATE_MAX ? [] : [{ system: everysec, name: 'ioredis everysec', ratePerSecond }]),
  ]);
}

/** Its latencies are those of the client machine, which shares two processors with everything else here. */
const NOBODY: RivalSystem = { name: 'nobody', target: { type: 'nobody' }, pids: [], isShared: false, stop: () => Promise.resolve() };
/** Beyond it ioredis falls behind for good, and what is late fills the client's memory. */
const REDIS_RATE_MAX = 100_000;

/** One rate for so long, while `background` goes on. Rejects when any of that fails. */
export async function measureOpenLoop(
  offer: Offer,
  {
    ours,
    client,
    background,
    seconds,
  }: { readonly ours: OurCluster; readonly client: ClientMachine; readonly background: Background; readonly seconds: number },
): Promise<OpenLoop> {
  const { system, name, ratePerSecond } = offer;
  const isOurs = name === 'ours';
  const [waitsBefore, raisesBefore] = [await ours.metric(WAITS), await ours.metric(RAISES)];
  const found = await client.open(system.target, MILLION_UIDS, { ratePerSecond, seconds, warmUpSeconds: WARM_UP_SECONDS });
  background.check();
  const own = { advanceWaits: (await ours.metric(WAITS)) - waitsBefore, raises: (await ours.metric(RAISES)) - raisesBefore };
  return { ...found, system: name, targetPerSecond: ratePerSecond, ...(isOurs ? own : { advanceWaits: Number.NaN, raises: Number.NaN }) };
}

/** As the closed loops do before their first round: what is measured is compiled code. */
export async function heatUp(offers: readonly Offer[], client: ClientMachine, seconds: number): Promise<void> {
  const load = { callers: CALLERS, warmUpMs: 0, measureMs: seconds * 1_000, pids: [] };
  for (const { system } of new Map(offers.map((offer) => [offer.name, offer])).values()) await client.closed(system.target, MILLION_UIDS, load);
}

/** What goes on while the latency of others is measured: a scraper, and somebody who uses up windows, for 1,000,000 uids alone do so too slowly. */
export class Background {
  readonly #client: SeqClient;
  readonly #cancels: (() => void)[] = [];
  #failure: unknown;

  private constructor(client: SeqClient) {
    this.#client = client;
  }

  /** Resolves once the AllocSvr has seen the rate of the ranges: what is measured is its steady state. */
  static async start(ours: OurCluster): Promise<Background> {
    const background = new Background(await SeqClient.connect({ endpoints: ours.endpoints }));
    background.#often(SCRAPE_EVERY_MS, () => ours.metric(WAITS));
    background.#often(RANGE_EVERY_MS, () => background.#takeRanges());
    await pause(RAMP_UP_MS);
    return background;
  }

  /** Throws with the first thing that failed. */
  check(): void {
    if (this.#failure !== undefined) throw new Error('what went on meanwhile failed', { cause: this.#failure });
  }

  async stop(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    await this.#client.close();
  }

  #often(everyMs: number, run: () => Promise<unknown>): void {
    const cancel = every(systemClock, everyMs, () => {
      run().catch((error: unknown) => {
        this.#failure ??= error;
      });
    });
    this.#cancels.push(cancel);
  }

  /** From one uid of each section. */
  async #takeRanges(): Promise<void> {
    const { sections, perSection } = MILLION_UIDS;
    await Promise.all(Array.from({ length: sections }, (_, section) => this.#client.nextRange(uidAt(MILLION_UIDS, section * perSection), RANGE)));
  }
}
