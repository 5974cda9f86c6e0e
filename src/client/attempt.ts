import { optional, SeqError } from '../base/errors.js';
import type { Clock } from '../base/clock.js';
import type { Seq, Uid } from '../model/ids.js';
import { isSame, NO_VERSION, type Version } from '../model/version.js';
import type { CallOptions, Channel } from '../rpc/channel.js';
import { seqFromWire, setMapFromWire, versionToWire } from '../rpc/codec.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import { RouteServiceService as RouteService, SeqServiceService as SeqService } from '../rpc/gen/seqsvr/v1/seq.js';
import { errorFromDetail } from '../rpc/status.js';
import type { CallScope } from './call-scope.js';
import { bigOf, highOf, lowOf } from './halves.js';
import { type AttemptEvents, Knowledge } from './knowledge.js';
import { type Guide, Lane } from './lane.js';
import { ManyOps, OneOp } from './scoped-ops.js';
import { asRemote, atAddress, isSuspect, protocol } from './remote-error.js';
import type { RoutingCache } from './routing-cache.js';

export interface SeqRange {
  /** First number handed out. */
  readonly first: bigint;
  /** Last number handed out, inclusive. */
  readonly last: bigint;
}

export interface CurrentSeq {
  /** The last number handed out; 0n: none yet. */
  readonly seq: bigint;
  /** False: nothing was handed out since the section changed hands, and `seq` is an upper bound of what was before. */
  readonly exact: boolean;
}

/** What Attempts needs of a ChannelPool. */
export interface Channels {
  to(address: string): Pick<Channel, 'call' | 'duplexStream' | 'errorOf'>;
}

/** What an attempt needs of its call: asked when the attempt is sent, for it may have to wait for its turn before. */
export type AttemptScope = Pick<CallScope, 'stopError' | 'signal' | 'attempt'>;

/**
 * The one place where a call meets the wire: sends it once, on the lane to that address or by itself, checks the answer, keeps the
 * table that came along. Every error of what was sent is a SeqError with `endpoint` and `attempts: 1`. When nothing was
 * sent it is definite, with `attempts: 0`: what stopped the call, or NOT_OWNER when the section moved while it waited.
 */
export class Attempts {
  readonly #pool: Channels;
  readonly #cache: RoutingCache;
  readonly #clock: Clock;
  readonly #events: AttemptEvents;
  readonly #setsVersion: () => number;
  readonly #knowledge: Knowledge;
  /** By address, and by whether its calls are STRICT: those are slower, and the others need not wait for them. */
  readonly #lanes = { plain: new Map<string, Lane>(), strict: new Map<string, Lane>() };

  /** `setsVersion`: of the set map that this client has; 0 without one. */
  constructor(options: {
    readonly pool: Channels;
    readonly cache: RoutingCache;
    readonly clock: Clock;
    readonly events: AttemptEvents;
    readonly setsVersion?: () => number;
  }) {
    this.#pool = options.pool;
    this.#cache = options.cache;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#setsVersion = options.setsVersion ?? (() => 0);
    this.#knowledge = new Knowledge({ cache: options.cache, events: options.events, onMoved: () => this.#dropStale() });
  }

  async next(
    address: string,
    { uid, count, floor = 0n, strict = false }: { readonly uid: Uid; readonly count: number; readonly floor?: bigint; readonly strict?: boolean },
    scope: AttemptScope,
  ): Promise<SeqRange> {
    const first = await new OneOp({ address, uid, count, floor, scope }).on(this.lane(address, strict));
    const from = bigOf(first.low, first.high);
    return { first: from, last: from + BigInt(count - 1) };
  }

  /** An item for each uid, in the order asked. */
  nextMany(address: string, uids: readonly Uid[], scope: AttemptScope, strict = false): Promise<(Seq | SeqError)[]> {
    return new ManyOps({ address, uids, scope }).on(this.lane(address, strict));
  }

  async current(
    address: string,
    { uid, floor = 0n, strict = false }: { readonly uid: Uid; readonly floor?: bigint; readonly strict?: boolean },
    scope: AttemptScope,
  ): Promise<CurrentSeq> {
    const last = await new OneOp({ address, uid, count: 0, floor, scope }).on(this.lane(address, strict));
    return { seq: bigOf(last.low, last.high), exact: last.isExact };
  }

  /** Where the counter stands after it was lifted to `to`. */
  async advance(address: string, { uid, to }: { readonly uid: Uid; readonly to: bigint }, scope: AttemptScope): Promise<bigint> {
    if (scope.stopError !== undefined) throw scope.stopError.with({ definite: true });
    return this.#ask(address, async () => {
      const reply = await this.#pool.to(address).call(SeqService.advance, { uid, to, ...this.#versions() }, scope.attempt());
      this.#knowledge.absorbQuietly(address, reply);
      const seq = seqFromWire(reply.seq);
      if (seq < to) throw protocol(`a counter at ${seq} that was lifted to ${to}`);
      const [low, high] = [lowOf(seq), highOf(seq)];
      const place = { uidLow: lowOf(uid), uidHigh: highOf(uid), floorLow: 0, floorHigh: 0, count: 0, isExact: true };
      const wrong = this.#knowledge.judge({ ...place, low, high, lastLow: low, lastHigh: high, epoch: Number(reply.epoch) });
      if (wrong !== undefined) throw wrong;
      return seq;
    });
  }

  /** Resolves once the cache is at least as new as that node's table. */
  getRoute(address: string, options: CallOptions): Promise<void> {
    return this.#ask(address, async () => {
      const request = { routingVersion: this.#versions().routingVersion, setsVersion: BigInt(this.#setsVersion()) };
      const reply = await this.#pool.to(address).call(RouteService.getRoute, request, options);
      if (reply.sets !== undefined) this.#events.onSets(setMapFromWire(reply.sets));
      if (reply.routing !== undefined || reply.routingDelta !== undefined) this.#knowledge.absorb(reply);
      else if (this.#cache.table === undefined) throw new SeqError('UNAVAILABLE', 'it has no routing table yet', { definite: true });
    });
  }

  /** The way of operations to that address. */
  lane(address: string, strict: boolean): Lane {
    const lanes = strict ? this.#lanes.strict : this.#lanes.plain;
    let lane = lanes.get(address);
    if (lane === undefined) {
      lane = new Lane({ channel: () => this.#pool.to(address), clock: this.#clock, guide: this.#guideAt(address), strict });
      lanes.set(address, lane);
    }
    return lane;
  }

  /** Lets go of lanes to addresses that are not in use any more. */
  keepOnly(inUse: ReadonlySet<string>): void {
    for (const lanes of [this.#lanes.plain, this.#lanes.strict]) {
      for (const [address, lane] of lanes) {
        if (inUse.has(address)) continue;
        lanes.delete(address);
        lane.retire();
      }
    }
  }

  close(error: SeqError): void {
    for (const lanes of [this.#lanes.plain, this.#lanes.strict]) for (const lane of lanes.values()) lane.close(error);
  }

  #guideAt(address: string): Guide {
    const knowledge = this.#knowledge;
    return {
      memory: knowledge.memory,
      versions: () => knowledge.versions(),
      heard: (reply) => knowledge.absorbQuietly(address, reply),
      judge: (answer) => {
        const wrong = knowledge.judge(answer);
        return wrong === undefined ? undefined : atAddress(wrong, address);
      },
      refusal: (detail) => this.#failed(address, errorFromDetail(detail)),
      outcome: (error) => this.#outcome(address, error),
      answered: () => this.#events.onOutcome(address, undefined),
    };
  }

  async #ask<Value>(address: string, send: () => Promise<Value>): Promise<Value> {
    try {
      const value = await send();
      this.#events.onOutcome(address, undefined);
      return value;
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      throw this.#outcome(address, thrown);
    }
  }

  #outcome(address: string, thrown: SeqError): SeqError {
    const error = this.#failed(address, thrown);
    // An attempt that we cut short says nothing about the node.
    if (error.code !== 'ABORTED') this.#events.onOutcome(address, isSuspect(error) ? error : undefined);
    return error;
  }

  #failed(address: string, thrown: SeqError): SeqError {
    if (thrown.seenVersion !== undefined) this.#knowledge.memory.sawVersion(thrown.seenVersion);
    return atAddress(asRemote(thrown), address);
  }

  /** The table has changed: what waits in line for a former owner goes elsewhere. */
  #dropStale(): void {
    for (const lanes of [this.#lanes.plain, this.#lanes.strict]) {
      for (const [address, lane] of lanes) {
        if (lane.isWaiting) lane.dropStale((uidLow, uidHigh) => this.#movedFrom(address, uidLow, uidHigh));
      }
    }
  }

  /** Undefined: it has not. */
  #movedFrom(address: string, uidLow: number, uidHigh: number): SeqError | undefined {
    const owner = this.#cache.ownerAt(uidLow, uidHigh)?.alloc;
    if (owner?.address === address) return undefined;
    return new SeqError('NOT_OWNER', `${address} lost the section while the call waited for its turn`, { ...optional('redirect', owner) });
  }

  #versions(): { readonly routingVersion: common.Version | undefined; readonly heardVersion: common.Version | undefined } {
    const { routingVersion, heardVersion } = this.#knowledge.versions();
    return { routingVersion: toWire(routingVersion), heardVersion: toWire(heardVersion) };
  }
}

function toWire(version: Version): common.Version | undefined {
  return isSame(version, NO_VERSION) ? undefined : versionToWire(version);
}
