import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { sleep } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { isDialable, splitAddress } from '../model/address.js';
import type { Version } from '../model/version.js';
import { type CallOptions, type Channel } from '../rpc/channel.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { versionToWire } from '../rpc/codec.js';
import { StoreServiceService } from '../rpc/gen/seqsvr/v1/store.js';
import { RAISES_PER_REQUEST_MAX, RELEASES_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { Wire } from '../rpc/wire.js';
import { CallBudget, isWorthRetrying, type StoreCall } from './client-budget.js';
import { LeaderFinder } from './client-leader.js';
import {
  type Assignment,
  assignmentFromWire,
  type Draining,
  outcomesFromWire,
  type OwnedSection,
  type RaiseOutcome,
  raisesToWire,
  type Registration,
  type ReleaseOutcome,
  type Renewal,
  registrationFromWire,
  releasesToWire,
  type SectionLoad,
  renewalFromWire,
} from './client-values.js';
import { type WatchHandlers, Watches } from './client-watches.js';
import type { Caller, RaiseItem, ReleasedRun } from './command.js';
import { RaiseBatches } from './raise-batches.js';

export type { StoreCall } from './client-budget.js';
export type { Assignment, Draining, OwnedSection, RaiseOutcome, Registration, ReleaseOutcome, Renewal, SectionLoad } from './client-values.js';
export type { WatchHandlers } from './client-watches.js';
export type { Caller, RaiseItem, ReleasedRun } from './command.js';

/** A dead or paused peer costs one attempt no more than this, in ms: grpc-js has no connect timeout. */
const ATTEMPT_TIMEOUT_MS = 250;

/** What a caller grants one renewal. */
export interface RenewCall extends StoreCall {
  /** In ms: after it the next call tries another StoreSvr, while this one goes on waiting for its answer. Less than timeoutMs. */
  readonly moveOnAfterMs: number;
}

type Send<Response> = (channel: Channel, options: CallOptions) => Promise<Response>;

/**
 * The door to the StoreSvrs of one set, for AllocSvrs and tools. It finds the leader, follows it, and tries again
 * within the caller's budget; register, raise, release and load are made so that a repeat is harmless.
 *
 * Every method rejects with a SeqError. `definite` means that nothing happened at any StoreSvr; once one attempt may
 * have arrived, the error of the whole call is not definite. NOT_LEADER never leaves: it becomes UNAVAILABLE.
 */
export class StoreClient {
  /** Where stores are asked for: those of the newest table that was seen, then those that the caller named. */
  #endpoints: readonly string[];
  readonly #given: readonly string[];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #attemptTimeoutMs: number;
  readonly #pool: ChannelPool;
  /** Apart, for tools dial any node: the pool of the calls keeps to the set's own StoreSvrs. */
  readonly #leader: LeaderFinder;
  readonly #watches: Watches;
  readonly #raises: RaiseBatches;

  /** `endpoints`: `host:port` of StoreSvrs, at least one. Throws INVALID_ARGUMENT when one is not an address. */
  constructor(options: {
    readonly endpoints: readonly string[];
    readonly clock: Clock;
    readonly random: Random;
    readonly attemptTimeoutMs?: number;
    /** How its calls travel. Default: gRPC. */
    readonly wire?: Wire | undefined;
  }) {
    const { endpoints, clock, random } = options;
    if (endpoints.length === 0) throw new SeqError('INVALID_ARGUMENT', 'at least one StoreSvr address is needed, got none');
    for (const endpoint of endpoints) splitAddress(endpoint);
    this.#given = [...endpoints];
    this.#endpoints = this.#given;
    this.#clock = clock;
    this.#random = random;
    this.#attemptTimeoutMs = options.attemptTimeoutMs ?? ATTEMPT_TIMEOUT_MS;
    this.#pool = new ChannelPool({ clock, wire: options.wire });
    // A random start, so that the clients of a set do not all ask the same StoreSvr first.
    this.#leader = new LeaderFinder({ endpoints: this.#endpoints, start: random.below(endpoints.length) });
    this.#watches = new Watches({ onEnd: (address, error) => this.#learn(address, error) });
    this.#raises = new RaiseBatches({
      clock,
      send: async (address, { allocId, incarnation, raises }, options) => {
        const request = { allocId, incarnation, raises: raisesToWire(raises) };
        return outcomesFromWire(await this.#pool.to(address).call(StoreServiceService.raise, request, options), raises.length);
      },
    });
  }

  /** Makes an incarnation known; it supersedes any former one. `clusterId` '' takes the cluster it finds. */
  async register(
    ask: Caller & { readonly address: string; readonly zone: string; readonly clusterId: string },
    call: StoreCall,
  ): Promise<Registration> {
    const { allocId, incarnation, address, zone, clusterId } = ask;
    const request = { allocId, incarnation, address, zone, clusterId };
    return registrationFromWire(
      await this.#retry('register', (channel, options) => channel.call(StoreServiceService.register, request, options), call),
    );
  }

  /**
   * ONE attempt on the wire, sent before this function returns its promise: a lease counts from the send, so the caller
   * reads its clock, calls, and knows. What is learnt about the leader serves the next attempt; that nothing came for a
   * while is learnt BEFORE the deadline, for a leader with a slow disk must get to answer and a paused one cost no lease.
   */
  async renewOnce(
    ask: Caller & { readonly routingVersion: Version | undefined; readonly loads?: readonly SectionLoad[] },
    call: RenewCall,
  ): Promise<Renewal> {
    const { allocId, incarnation, loads = [] } = ask;
    const request = { allocId, incarnation, routingVersion: wireVersion(ask.routingVersion), loads: loads.map((load) => ({ ...load })) };
    const address = this.#leader.target;
    let hasMovedOn = false;
    const cancelMoveOn = this.#clock.after(call.moveOnAfterMs, () => {
      hasMovedOn = true;
      this.#leader.fail(address);
    });
    try {
      const response = await this.#pool.to(address).call(StoreServiceService.renew, request, call);
      this.#confirm(address);
      const renewal = renewalFromWire(response);
      this.#learnStores(renewal.assignment);
      return renewal;
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      // Its silence was learnt when it was news; since then another call may have heard from the very same StoreSvr.
      if (!hasMovedOn || error.code !== 'TIMEOUT') this.#learn(address, error);
      if (error.code !== 'NOT_LEADER') throw error;
      throw new SeqError('UNAVAILABLE', error.message, { cause: error, definite: error.definite, endpoint: address, attempts: 1 });
    } finally {
      cancelMoveOn();
    }
  }

  /**
   * At most RAISES_PER_REQUEST_MAX; answered after commit, one outcome for each, in the order asked. Calls that come
   * while others of the same caller are under way share a request (raise-batches.ts).
   */
  async raise(ask: Caller & { readonly raises: readonly RaiseItem[] }, call: StoreCall): Promise<readonly RaiseOutcome[]> {
    assert(ask.raises.length <= RAISES_PER_REQUEST_MAX, 'a raise request is within its limit');
    return this.#retry('raise', ({ address }, options) => this.#raises.raise(address, ask, options), call);
  }

  /** At most RELEASES_PER_REQUEST_MAX runs; answered after commit. A repeat of a release that got through is refused. */
  async release(ask: Caller & { readonly generation: number; readonly releases: readonly ReleasedRun[] }, call: StoreCall): Promise<ReleaseOutcome> {
    const { allocId, incarnation, generation, releases } = ask;
    assert(releases.length <= RELEASES_PER_REQUEST_MAX, 'a release request is within its limit');
    const request = { allocId, incarnation, generation: BigInt(generation), releases: releasesToWire(releases) };
    return this.#retry('release', (channel, options) => channel.call(StoreServiceService.release, request, options), call);
  }

  /** Says that the caller is about to stop: it gets no further sections. Answers with what it still owns. Asked again, it tells how things stand. */
  async drain({ allocId, incarnation }: Caller, call: StoreCall): Promise<Draining> {
    const request = { allocId, incarnation };
    const response = await this.#retry('drain', (channel, options) => channel.call(StoreServiceService.drain, request, options), call);
    return { assignment: this.#learnStores(assignmentFromWire(response.assignment)), successorCount: response.successorCount };
  }

  /**
   * Which of these the caller still owns, in the order asked: confirmed by a quorum in a round that began after the leader
   * received this. At most RAISES_PER_REQUEST_MAX.
   */
  async confirm(
    { allocId, incarnation, sections }: Caller & { readonly sections: readonly OwnedSection[] },
    call: StoreCall,
  ): Promise<readonly boolean[]> {
    assert(sections.length <= RAISES_PER_REQUEST_MAX, 'a confirm request is within its limit');
    const request = { allocId, incarnation, sections: sections.map(({ section, epoch }) => ({ section, epoch: BigInt(epoch) })) };
    const { owned } = await this.#retry('confirm', (channel, options) => channel.call(StoreServiceService.confirm, request, options), call);
    if (owned.length !== sections.length) throw new SeqError('PROTOCOL', `${sections.length} sections asked, ${owned.length} answered`);
    return owned;
  }

  /** Call only with what a parent saw of its own child: this run's lease is not waited out any more. Answered after commit. */
  async reportDeath({ allocId, incarnation, reason }: Caller & { readonly reason: string }, call: StoreCall): Promise<void> {
    const request = { allocId, incarnation, reason };
    await this.#retry('reportDeath', (channel, options) => channel.call(StoreServiceService.reportDeath, request, options), call);
  }

  /** The newest table and the caller's windows, confirmed by a quorum. */
  async load({ allocId, incarnation }: Caller, call: StoreCall): Promise<Assignment> {
    const request = { allocId, incarnation };
    const response = await this.#retry('load', (channel, options) => channel.call(StoreServiceService.load, request, options), call);
    return this.#learnStores(assignmentFromWire(response.assignment));
  }

  /** Opens one stream of tables from whom we take for the leader. It ends once: see WatchHandlers. The returned function ends it silently. */
  watch(ask: Caller & { readonly routingVersion: Version | undefined }, handlers: WatchHandlers): () => void {
    const { allocId, incarnation } = ask;
    const request = { allocId, incarnation, routingVersion: wireVersion(ask.routingVersion) };
    return this.#watches.open(this.#pool.to(this.#leader.target), request, handlers);
  }

  /** Calls in flight and later ones end with CLOSED or UNAVAILABLE. */
  close(): void {
    this.#watches.close();
    this.#pool.close();
  }

  async #retry<Response>(what: string, send: Send<Response>, call: StoreCall): Promise<Response> {
    const { signal } = call;
    const options = { what, clock: this.#clock, random: this.#random, call, attemptTimeoutMs: this.#attemptTimeoutMs };
    // One try more than there are endpoints: a redirect takes one.
    const budget = new CallBudget({ ...options, triesPerRound: this.#endpoints.length + 1 });
    for (;;) {
      const { attemptMs } = budget;
      if (attemptMs === 0 || signal?.aborted) throw budget.spent();
      const address = this.#leader.target;
      try {
        const response = await send(this.#pool.to(address), { timeoutMs: attemptMs, signal });
        this.#confirm(address);
        return response;
      } catch (error) {
        if (!(error instanceof SeqError)) throw error;
        this.#learn(address, error);
        budget.failed(error);
        if (!isWorthRetrying(error)) throw budget.refusal(error);
      }
      const pauseMs = budget.pauseMs();
      if (pauseMs > 0) await sleep(this.#clock, pauseMs, signal);
    }
  }

  /** Members come and go: who was given at the start may all be gone one day. */
  #learnStores<Known extends Assignment | undefined>(assignment: Known): Known {
    const known = assignment?.table.stores.map(({ address }) => address).filter(isDialable) ?? [];
    if (known.length > 0) {
      this.#endpoints = [...new Set([...known, ...this.#given])];
      this.#leader.learn(this.#endpoints);
    }
    return assignment;
  }

  #confirm(address: string): void {
    if (!this.#leader.confirm(address)) return;
    this.#watches.endAllBut(address);
    this.#pool.keepOnly(new Set([...this.#endpoints, address]));
  }

  #learn(address: string, error: SeqError): void {
    if (error.code === 'NOT_LEADER' && error.redirect !== undefined && isDialable(error.redirect.address)) {
      this.#leader.redirect({ from: address, to: error.redirect.address });
    } else if (isWorthRetrying(error) && error.retryAfterMs === undefined) {
      // Who names a time to come back is the one to come back to.
      this.#leader.fail(address);
    }
  }
}

function wireVersion(version: Version | undefined) {
  return version === undefined ? undefined : versionToWire(version);
}
