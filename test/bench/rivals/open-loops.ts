import { every, systemClock } from '../../../src/base/clock.js';
import { messageOf } from '../../../src/base/errors.js';
import { MILLION_UIDS } from './cells.js';
import type { ClientMachine } from './client/client-machine.js';
import type { OpenLoop } from './results.js';
import type { Rivals } from './stage.js';
import type { RivalSystem } from './system.js';
import type { OurCluster } from './systems/ours.js';

/** As Prometheus is often set. */
const SCRAPE_EVERY_MS = 5_000;
const WARM_UP_SECONDS = 1;
const WAITS = 'seqsvr_alloc_advance_waits_total';

/** A rate that is offered, and to whom. */
export interface Offer {
  readonly system: RivalSystem;
  readonly name: string;
  readonly ratePerSecond: number;
}

/** Ours at every rate of the goals; Redis through ioredis where it has a chance. */
export function offersOf(ours: OurCluster, { everysec }: Rivals): readonly Offer[] {
  const own = ours.as('ours', { type: 'seqsvr', endpoints: ours.endpoints, frame: 1 });
  return [20_000, 100_000, 500_000].flatMap((ratePerSecond) => [
    { system: own, name: 'ours', ratePerSecond },
    ...(everysec === undefined || ratePerSecond > REDIS_RATE_MAX ? [] : [{ system: everysec, name: 'ioredis everysec', ratePerSecond }]),
  ]);
}

/** Beyond it ioredis falls behind for good, and what is late fills the client's memory. */
const REDIS_RATE_MAX = 100_000;

/** One rate for so long, while the AllocSvr is scraped as it would be. Rejects when a scrape fails. */
export async function measureOpenLoop(offer: Offer, ours: OurCluster, client: ClientMachine, seconds: number): Promise<OpenLoop> {
  const { system, name, ratePerSecond } = offer;
  const isOurs = name === 'ours';
  let failure: string | undefined;
  const stopScraping = every(systemClock, SCRAPE_EVERY_MS, () => {
    ours.metric(WAITS).catch((error: unknown) => {
      failure ??= messageOf(error);
    });
  });
  const waitsBefore = await ours.metric(WAITS);
  try {
    const found = await client.open(system.target, MILLION_UIDS, { ratePerSecond, seconds, warmUpSeconds: WARM_UP_SECONDS });
    if (failure !== undefined) throw new Error(`a scrape failed: ${failure}`);
    const advanceWaits = isOurs ? (await ours.metric(WAITS)) - waitsBefore : Number.NaN;
    return { ...found, system: name, targetPerSecond: ratePerSecond, advanceWaits };
  } finally {
    stopScraping();
  }
}
