import { SeqClient, SeqError } from '../../src/client/client.js';
import { SeededRandom } from '../unit/seeded-random.js';
import type { Operation } from '../../src/verify/operation.js';
import type { History } from './history.js';
import { pause } from './until.js';

/** Between two calls of a worker, in ms: the machine is shared with the cluster. */
const PACE_MS = 2;
/** After a failed call, in ms. */
const FAILED_PAUSE_MS = 50;
const RANGE_MAX = 50;
const MANY_MAX = 20;
const ADVANCE_MAX = 100;

export interface WorkloadOptions {
  readonly endpoints: readonly string[];
  readonly uids: readonly bigint[];
  readonly history: History;
  readonly workers: number;
  readonly seed: number;
  /** Percent of the single numbers that are asked for STRICT. Default 0. */
  readonly strictPercent?: number;
  /** Percent of the calls that lift a counter. Default 0. */
  readonly advancePercent?: number;
}

interface Worker {
  readonly client: SeqClient;
  readonly name: string;
  readonly uids: readonly bigint[];
  readonly random: SeededRandom;
}

/** Workers that call next, nextRange, nextMany and current on uids that they share, each with a client of its own, and record it all. */
export class Workload {
  readonly #options: WorkloadOptions;
  readonly #clients: SeqClient[];
  readonly #running: Promise<void>[];
  #isStopping = false;
  /** True until the first fault. Then calls are retried inside, and a number that a lost attempt took may be current. */
  #isQuiet = true;

  private constructor(options: WorkloadOptions, clients: SeqClient[]) {
    this.#options = options;
    this.#clients = clients;
    this.#running = clients.map((client, at) => {
      const worker = { client, name: `worker-${at + 1}`, uids: shareOf(options.uids, at), random: new SeededRandom(options.seed + at) };
      return this.#work(worker);
    });
  }

  static async start(options: WorkloadOptions): Promise<Workload> {
    const { endpoints } = options;
    const clients = await Promise.all(Array.from({ length: options.workers }, () => SeqClient.connect({ endpoints })));
    return new Workload(options, clients);
  }

  /** From now on faults happen. */
  expectFaults(): void {
    this.#isQuiet = false;
  }

  /** One recorded `next` by a client of the workload, with a budget of its own in ms. Resolves with the number, or the error. */
  async next(uid: bigint, timeoutMs: number): Promise<bigint | SeqError> {
    const pending = this.#options.history.begin({ client: 'probe', call: 'next', uid, count: 1 });
    try {
      const seq = await this.#clients[0]!.next(uid, { timeoutMs });
      pending.numbers(seq, seq);
      return seq;
    } catch (error) {
      pending.failed(error);
      if (SeqError.is(error)) return error;
      throw error;
    }
  }

  /** Resolves once every worker has ended its call. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#clients.map((client) => client.close()));
    await Promise.all(this.#running);
  }

  async #work(worker: Worker): Promise<void> {
    while (!this.#isStopping) {
      const isFine = await this.#call(worker);
      await pause(isFine ? PACE_MS : FAILED_PAUSE_MS);
    }
  }

  /** One random call; false when it failed. A failure that is no SeqError is a bug of the client and ends the test. */
  #call(worker: Worker): Promise<boolean> {
    const { client, name, uids, random } = worker;
    const uid = random.pick(uids);
    if (random.below(100) < (this.#options.advancePercent ?? 0)) return this.#advance(worker, uid);
    const draw = random.below(100);
    if (draw < 60) return this.#next(worker, uid, 1);
    if (draw < 70) return this.#next(worker, uid, 2 + random.below(RANGE_MAX - 1));
    if (draw < 80)
      return this.#nextMany(
        client,
        name,
        Array.from({ length: 2 + random.below(MANY_MAX - 1) }, () => random.pick(uids)),
      );
    return this.#current(client, name, uid);
  }

  async #next({ client, name, random }: Worker, uid: bigint, count: number): Promise<boolean> {
    const strict = count === 1 && random.below(100) < (this.#options.strictPercent ?? 0);
    const pending = this.#options.history.begin({ client: name, call: 'next', uid, count });
    try {
      const { first, last } =
        count === 1 ? await client.next(uid, { strict }).then((seq) => ({ first: seq, last: seq })) : await client.nextRange(uid, count);
      pending.numbers(first, last);
      return true;
    } catch (error) {
      pending.failed(error);
      return expected(error);
    }
  }

  async #nextMany(client: SeqClient, name: string, uids: bigint[]): Promise<boolean> {
    const pending = uids.map((uid) => this.#options.history.begin({ client: name, call: 'next', uid, count: 1 }));
    try {
      const items = await client.nextMany(uids);
      pending.forEach((one, at) => {
        const item = items[at];
        if (typeof item === 'bigint') one.numbers(item, item);
        else one.failed(item);
      });
      return items.every((item) => typeof item === 'bigint');
    } catch (error) {
      for (const one of pending) one.failed(error);
      return expected(error);
    }
  }

  /** From where the counter is about to stand, a little further. */
  async #advance({ client, name, random }: Worker, uid: bigint): Promise<boolean> {
    const known = this.#options.history.operations.findLast((operation) => operation.uid === uid && operation.outcome.type === 'numbers')?.outcome;
    const to = (known?.type === 'numbers' ? known.last : 0n) + BigInt(1 + random.below(ADVANCE_MAX));
    const pending = this.#options.history.begin({ client: name, call: 'advance', uid, count: 0, to });
    try {
      pending.value(await client.advance(uid, to), false);
      return true;
    } catch (error) {
      pending.failed(error);
      return expected(error);
    }
  }

  async #current(client: SeqClient, name: string, uid: bigint): Promise<boolean> {
    const wasQuiet = this.#isQuiet;
    const pending = this.#options.history.begin({ client: name, call: 'current', uid, count: 0 });
    try {
      const { seq, exact } = await client.current(uid);
      pending.value(seq, exact && wasQuiet && this.#isQuiet);
      return true;
    } catch (error) {
      pending.failed(error);
      return expected(error);
    }
  }
}

/** How a stretch of time went for `next`: of the calls that were under way in it. */
export function summaryOf(operations: readonly Operation[], { fromNs, toNs }: { readonly fromNs: number; readonly toNs: number }) {
  const within = operations.filter(({ call, invokedNs, returnedNs }) => call === 'next' && invokedNs <= toNs && returnedNs >= fromNs);
  const failed = within.filter(({ outcome }) => outcome.type !== 'numbers');
  const longestNs = within.reduce((longest, { invokedNs, returnedNs }) => Math.max(longest, returnedNs - invokedNs), 0);
  return { count: within.length, failed, longestMs: Math.round(longestNs / 1e6) };
}

/** Every fourth worker calls on all uids, the others on a third each: those go on while another third is down, and no uid is one worker's. */
function shareOf(uids: readonly bigint[], at: number): readonly bigint[] {
  const third = (at % 4) - 1;
  return third < 0 ? uids : uids.filter((_, place) => Math.floor((place * 3) / uids.length) === third);
}

function expected(error: unknown): false {
  if (SeqError.is(error)) return false;
  throw error;
}
