import { systemClock } from '../../src/base/clock.js';
import { SeqError } from '../../src/base/errors.js';
import { ChannelPool } from '../../src/rpc/channel-pool.js';
import { PlacementServiceService as Placement } from '../../src/rpc/gen/seqsvr/v1/placement.js';
import type { Call } from '../linearizability/model.js';
import { DEFAULT_LIMITS, search, type Verdict } from '../linearizability/search.js';
import { type VersionedInput, type VersionedOutput, versionedRegister } from '../linearizability/versioned-register.js';
import { SeededRandom } from '../unit/seeded-random.js';
import { pause } from './until.js';

const CALL_TIMEOUT_MS = 1_500;
const PACE_MS = 150;
/** The other set lies far from the uids that are called on; nobody asks for it. */
const FAR_UID = 1_000_000_000n;
const FAR_CLUSTER = 'f'.repeat(32);

type Recorded = Call<VersionedInput, VersionedOutput>;

export interface SetMapLoadOptions {
  readonly clusterId: string;
  /** Where the stores are now. */
  readonly endpoints: () => readonly string[];
  readonly uids: { readonly first: bigint; readonly last: bigint };
  readonly nowNs: () => number;
  readonly workers: number;
  readonly seed: number;
}

/**
 * Compare-and-set on StoreSvrs: workers read the set map and set it on top of the version that they know, each call ONE
 * attempt at any store. The map is a versioned register, and the history of all calls must be linearizable.
 */
export class SetMapLoad {
  readonly #options: SetMapLoadOptions;
  readonly #pool = new ChannelPool({ clock: systemClock });
  readonly #running: readonly Promise<void>[];
  readonly calls: Recorded[] = [];
  #isStopping = false;

  constructor(options: SetMapLoadOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.workers }, (_, at) => this.#work(new SeededRandom(options.seed * 31 + at), at));
  }

  /** Resolves once every worker has ended its call. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    this.#pool.close();
  }

  verdict(): Verdict {
    return search(versionedRegister({ version: 0, value: '' }), this.calls, DEFAULT_LIMITS);
  }

  get setCount(): number {
    return this.calls.filter(({ output }) => output?.type === 'set' && output.isDone).length;
  }

  async #work(random: SeededRandom, worker: number): Promise<void> {
    let known = 0;
    // A value that nobody else sets: it is a port, so that the map stays one.
    let value = 1 + worker * 10_000;
    while (!this.#isStopping) {
      const endpoint = random.pick(this.#options.endpoints());
      if (random.chance(0.5)) known = (await this.#read(endpoint)) ?? known;
      else if (await this.#set(endpoint, known, value++)) known += 1;
      await pause(PACE_MS * (0.5 + random.below(100) / 100));
    }
  }

  /** The version that was read. */
  async #read(endpoint: string): Promise<number | undefined> {
    const invokedAt = this.#options.nowNs();
    try {
      const { sets } = await this.#pool.to(endpoint).call(Placement.getSets, {}, { timeoutMs: CALL_TIMEOUT_MS });
      const version = Number(sets?.version ?? 0n);
      const far = sets?.sets.find(({ clusterId }) => clusterId === FAR_CLUSTER);
      this.#record({ type: 'read' }, { type: 'read', version, value: far?.seeds[0]?.split(':')[1] ?? '' }, invokedAt);
      return version;
    } catch (error) {
      // Whatever it was, a read changes nothing.
      if (!SeqError.is(error)) throw error;
      return undefined;
    }
  }

  /** Whether it was done, as far as the caller knows. */
  async #set(endpoint: string, basedOn: number, port: number): Promise<boolean> {
    const { clusterId, uids, nowNs } = this.#options;
    const own = { name: 'own', firstUid: uids.first, lastUid: uids.last, seeds: [endpoint], clusterId };
    const far = { name: 'far', firstUid: FAR_UID, lastUid: FAR_UID + 1n, seeds: [`127.0.0.1:${port}`], clusterId: FAR_CLUSTER };
    const request = {
      basedOn: BigInt(basedOn),
      sets: { version: BigInt(basedOn + 1), home: 'own', sets: [own, far] },
      isCopy: false,
      reason: 'load',
    };
    const input: VersionedInput = { type: 'set', basedOn, value: String(port) };
    const invokedAt = nowNs();
    try {
      await this.#pool.to(endpoint).call(Placement.setSets, request, { timeoutMs: CALL_TIMEOUT_MS });
      this.#record(input, { type: 'set', isDone: true }, invokedAt);
      return true;
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      if (error.code === 'ABORTED' && error.definite) this.#record(input, { type: 'set', isDone: false }, invokedAt);
      else if (!error.definite) this.#record(input, undefined, invokedAt);
      return false;
    }
  }

  #record(input: VersionedInput, output: VersionedOutput | undefined, invokedAt: number): void {
    this.calls.push({ input, output, invokedAt, returnedAt: this.#options.nowNs() });
  }
}
