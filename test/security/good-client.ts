import { systemClock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import { Stopper } from '../../src/base/stop.js';
import { NextCalls } from '../../src/cli/bench-calls.js';
import { LoadFigures, runLoad } from '../../src/cli/load.js';
import { Monotony } from '../../src/cli/monotony.js';
import { SeqClient } from '../../src/client/client.js';

const UID_COUNT = 1_000;
const FIRST_UID = 1n;
/** Few enough that this process sleeps between them, and shares the machine with those it measures. */
const RATE_PER_SECOND = 400;
/** As many as come due in a second and a half: what waits longer shows as late. */
const PLACE_COUNT = 600;

/** What somebody got who did nothing wrong. */
export interface GoodFigures {
  readonly figures: LoadFigures;
  /** Numbers that went back, or came twice. */
  readonly wrongCount: number;
}

/** Somebody who takes numbers at a steady rate, each latency from the moment at which its call was due. */
export class GoodClient {
  readonly #client: SeqClient;

  private constructor(client: SeqClient) {
    this.#client = client;
  }

  static async connect(endpoints: readonly string[]): Promise<GoodClient> {
    return new GoodClient(await SeqClient.connect({ endpoints: [...endpoints] }));
  }

  async take(durationMs: number): Promise<GoodFigures> {
    const monotony = new Monotony({ firstUid: FIRST_UID, uidCount: UID_COUNT });
    const shared = { firstUid: FIRST_UID, uidCount: UID_COUNT, monotony, random: systemRandom, placeCount: PLACE_COUNT };
    const calls = new NextCalls({ client: this.#client, ...shared });
    const figures = new LoadFigures();
    const load = { clock: systemClock, calls, ratePerSecond: RATE_PER_SECOND, placeCount: PLACE_COUNT, durationMs, stop: new Stopper() };
    await runLoad(load, figures);
    return { figures, wrongCount: monotony.violationCount };
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** How long somebody new takes to its first number, in ms. */
export async function firstNumberMs(endpoints: readonly string[]): Promise<number> {
  const startMs = performance.now();
  const client = await SeqClient.connect({ endpoints: [...endpoints] });
  try {
    await client.next(FIRST_UID + BigInt(UID_COUNT));
    return performance.now() - startMs;
  } finally {
    await client.close();
  }
}
