import { systemClock as clock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import type { Epoch, SectionId, Seq } from '../../src/model/ids.js';
import { type Caller, StoreClient } from '../../src/store/client.js';

/** A commit that takes longer is a failure of the run, not a figure. */
const TIMEOUT_MS = 10_000;
/** An attempt may wait behind 255 others on a busy machine: patience is not what is measured here. */
const ATTEMPT_TIMEOUT_MS = 5_000;

/** A section that the caller owns. */
export interface Owned {
  readonly section: SectionId;
  readonly epoch: Epoch;
  maxSeq: bigint;
}

export function connect(endpoints: readonly string[]): StoreClient {
  return new StoreClient({ endpoints, clock, random: systemRandom, attemptTimeoutMs: ATTEMPT_TIMEOUT_MS });
}

/** One fenced raise, by 1, of a section drawn at random. Rejects unless it was carried out. */
export async function raiseOne(client: StoreClient, caller: Caller, owned: readonly Owned[]): Promise<void> {
  const item = owned[systemRandom.below(owned.length)];
  if (item === undefined) throw new Error('there is no section to raise');
  item.maxSeq += 1n;
  const [outcome] = await client.raise(
    { ...caller, raises: [{ section: item.section, epoch: item.epoch, to: item.maxSeq as Seq }] },
    { timeoutMs: TIMEOUT_MS },
  );
  if (outcome?.type !== 'raised') throw outcome?.error ?? new Error('a raise was not answered');
}
