import { SeqError } from '../../src/base/errors.js';
import { SeqClient } from '../../src/client/client.js';
import type { NextManyRequest, NextRequest } from '../../src/rpc/gen/seqsvr/v1/seq.js';
import type { Operation, Outcome } from '../../src/verify/operation.js';
import type { SimNet } from './net.js';
import { type MachineClock, SimProcess } from './process.js';
import type { SimOptions } from './options.js';
import type { UnheardOp } from './unheard-frames.js';
import { type Listeners, simWire } from './wire.js';
import type { World } from './world.js';

/** Budget of one call, in ms. */
const CALL_TIMEOUT_MS = 5_000;
/** Mean pause between two calls while uids are still to be served, in ms. */
const EAGER_MS = 300;
const MANY_UIDS = 5;
const RANGE_MAX = 40;

/** What clients saw, stamped by the world's time; equal moments are told apart by the order in which they came. */
export class Recorder {
  readonly operations: Operation[] = [];
  readonly #world: World;
  readonly #listener: (operation: Operation) => void;
  #lastNs = 0;

  constructor(world: World, listener: (operation: Operation) => void) {
    this.#world = world;
    this.#listener = listener;
  }

  stamp(): number {
    this.#lastNs = Math.max(this.#lastNs + 1, Math.floor(this.#world.nowMs * 1e6));
    return this.#lastNs;
  }

  /** A call was carried out and nobody heard of it: numbers may be gone. */
  unheard(sentMs: number, path: string, request: unknown): void {
    const of = (uid: bigint, count: number): void => {
      const times = { invokedNs: Math.floor(sentMs * 1e6), returnedNs: this.stamp() };
      this.operations.push({
        id: this.operations.length,
        client: 'nobody',
        call: 'next',
        uid,
        count,
        ...times,
        outcome: { type: 'unknown', error: 'UNHEARD' },
      });
    };
    if (path.endsWith('SeqService/Next')) of((request as NextRequest).uid, (request as NextRequest).count);
    else if (path.endsWith('SeqService/Exchange')) for (const { uid, count } of request as readonly UnheardOp[]) of(uid, count);
    else if (path.endsWith('SeqService/NextMany')) for (const uid of (request as NextManyRequest).uids) of(uid, 1);
  }

  record(operation: Omit<Operation, 'id' | 'returnedNs'>, returnedNs: number): void {
    const whole: Operation = { id: this.operations.length, ...operation, returnedNs };
    this.operations.push(whole);
    this.#listener(whole);
  }
}

/** One machine with a client on it, which calls on and on. */
export class ClientHost {
  readonly name: string;
  readonly process: SimProcess;
  readonly #client: SeqClient;
  readonly #options: SimOptions;
  readonly #uids: readonly bigint[];
  readonly #recorder: Recorder;
  readonly #onBug: (name: string, error: unknown) => void;
  readonly #wanted: Set<bigint>;
  #isStopped = false;

  constructor(parts: {
    readonly name: string;
    readonly world: World;
    readonly machine: MachineClock;
    readonly net: SimNet;
    readonly listeners: Listeners;
    readonly endpoints: readonly string[];
    readonly options: SimOptions;
    readonly uids: readonly bigint[];
    /** Every second call is for one of these; a `next` that is answered takes its uid away. */
    readonly wanted: Set<bigint>;
    readonly recorder: Recorder;
    readonly onBug: (name: string, error: unknown) => void;
  }) {
    const { name, world, machine, net, listeners, endpoints } = parts;
    this.name = name;
    this.#options = parts.options;
    this.#uids = parts.uids;
    this.#wanted = parts.wanted;
    this.#recorder = parts.recorder;
    this.#onBug = parts.onBug;
    this.process = new SimProcess({ name, host: name, world, machine });
    const { clock, random } = this.process;
    const wire = simWire(this.process, net, listeners, { isUpgraded: false });
    this.#client = SeqClient.lazy({ endpoints, clock, random, wire, timeoutMs: CALL_TIMEOUT_MS });
    this.#again();
  }

  /** No call begins any more. */
  stop(): void {
    this.#isStopped = true;
  }

  #again(): void {
    const { random, clock } = this.process;
    const meanMs = this.#wanted.size > 0 ? EAGER_MS : 1_000 / this.#options.callsPerSecond;
    const pauseMs = -Math.log(1 - random.below(1_000_000) / 1_000_000) * meanMs;
    clock.after(pauseMs, () => {
      if (this.#isStopped) return;
      this.#call().then(
        () => this.#again(),
        (error: unknown) => this.#onBug(this.name, error),
      );
    });
  }

  async #call(): Promise<void> {
    const { random } = this.process;
    const { strictShare, currentShare, rangeShare, manyShare } = this.#options;
    const strict = random.chance(strictShare);
    const isWanted = this.#wanted.size > 0 && random.chance(0.5);
    const uid = random.pick(isWanted ? [...this.#wanted] : this.#uids);
    if (!isWanted && random.chance(currentShare)) return this.#current(uid, strict);
    if (!isWanted && random.chance(manyShare)) return this.#many(strict);
    const count = random.chance(rangeShare) ? 1 + random.below(RANGE_MAX) : 1;
    const invokedNs = this.#recorder.stamp();
    const outcome = await outcomeOf(async () => {
      const { first, last } = await this.#client.nextRange(uid, count, { strict });
      return { type: 'numbers', first, last };
    });
    this.#record('next', { uid, count, invokedNs, outcome, strict });
  }

  async #current(uid: bigint, strict: boolean): Promise<void> {
    const invokedNs = this.#recorder.stamp();
    const outcome = await outcomeOf(async () => ({ type: 'value', ...(await this.#client.current(uid, { strict })) }));
    this.#record('current', { uid, count: 0, invokedNs, outcome, strict });
  }

  async #many(strict: boolean): Promise<void> {
    const { random } = this.process;
    const uids = Array.from({ length: 1 + random.below(MANY_UIDS) }, () => random.pick(this.#uids));
    const invokedNs = this.#recorder.stamp();
    let items: readonly (bigint | SeqError)[];
    try {
      items = await this.#client.nextMany(uids, { strict });
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      items = uids.map(() => error);
    }
    const returnedNs = this.#recorder.stamp();
    for (const [at, uid] of uids.entries()) {
      const item = items[at] as bigint | SeqError;
      const outcome: Outcome = item instanceof SeqError ? failure(item) : { type: 'numbers', first: item, last: item };
      this.#record('next', { uid, count: 1, invokedNs, outcome, strict }, returnedNs);
    }
  }

  #record(
    call: 'next' | 'current',
    { strict, ...operation }: Pick<Operation, 'uid' | 'count' | 'invokedNs' | 'outcome'> & { readonly strict: boolean },
    returnedNs = this.#recorder.stamp(),
  ): void {
    if (operation.outcome.type === 'numbers') this.#wanted.delete(operation.uid);
    this.#recorder.record({ client: strict ? `${this.name}!` : this.name, call, ...operation }, returnedNs);
  }
}

async function outcomeOf(call: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof SeqError)) throw error;
    return failure(error);
  }
}

function failure(error: SeqError): Outcome {
  return { type: error.definite ? 'refused' : 'unknown', error: error.code };
}
