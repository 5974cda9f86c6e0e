import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Incarnation } from '../model/ids.js';
import { waitMsOf } from '../model/lease.js';
import { isSame, type Version } from '../model/version.js';
import { nextStep, type Step } from './decide.js';
import { Health } from './health.js';
import { Loads, type SectionLoad } from './loads.js';
import { type ClusterView, type Move, movingCountOf, type Situation } from './view.js';

/** On a fresh set, time without a newcomer before sections are dealt out, in ms: so that all who start together get some. */
const SETTLE_MS = 500;
/** The same while some that are registered were not heard yet, in ms. */
const SETTLE_MAX_MS = 3_000;
/** Living owners keep their sections until no newcomer came and nothing was decided for this long, in ms: no thrashing. */
const REBALANCE_QUIET_MS = 2_000;
/** Rest after a decision, in ms: a decision that is refused again and again must not spin. */
const DECIDED_PAUSE_MS = 5;
/** Planned moves of which none was done for this long, in ms, are called off. */
const STUCK_AFTER_MS = 10_000;
/** The longest time between two looks, in ms. */
const LOOK_EVERY_MS = 500;

/** A decision of the arbiter; it counts only in this term and on this version. */
export interface Decision {
  readonly arbiterTerm: number;
  readonly basedOn: Version;
  readonly moves: readonly Move[];
  readonly reason: string;
}

/** What the arbiter needs of the StoreSvr that it is a role of. */
export interface ArbiterPort {
  /** The applied state; undefined while this node does not lead, or nothing is there to decide on. */
  view(): ClusterView | undefined;
  /** Resolves when the fate of the entry is known, whatever it is: applied, refused, or the term is over. */
  assign(decision: Decision): Promise<void>;
  planMove(decision: Decision): Promise<void>;
  /** The wait may follow the lease, which is no longer than it: this leader has waited the former one out. */
  settleWait(settled: { readonly arbiterTerm: number; readonly leaseNumber: number }): Promise<void>;
}

export interface ArbiterOptions {
  readonly port: ArbiterPort;
  readonly clock: Clock;
  /** Hears what a decision failed with that is no SeqError: a bug, and the process must end. */
  readonly onFatal: (error: unknown) => void;
  /** Hears each time that something holds decisions back, or no longer does. */
  readonly onHeld?: (why: string | undefined) => void;
}

/**
 * The article's arbiter, as a role that the Raft leader plays: hears AllocSvrs by their renewals, gives the sections
 * of the silent to the living, but only after their lease is surely over.
 */
export class Arbiter {
  readonly #options: ArbiterOptions;
  readonly #clock: Clock;
  /** Undefined while this node does not lead. */
  #health: Health | undefined;
  #loads = new Loads();
  /** Runs that are being disowned: their renewals are not answered until the fate of the decision is known. */
  #disowned: ReadonlySet<Incarnation> = new Set();
  #isDeciding = false;
  #decidedAtMs = Number.NEGATIVE_INFINITY;
  /** The last decision was one of several: the next need not wait for quiet. */
  #goesOn = false;
  /** Since when moves are under way and nothing has changed. */
  #stuck: { readonly version: Version; readonly sinceMs: number } | undefined;
  #heldBy: string | undefined;
  /** Since when this leader knows the lease that is shorter than the wait. */
  #shortened: { readonly leaseNumber: number; readonly sinceMs: number } | undefined;
  #cancelLook: () => void = () => undefined;

  constructor(options: ArbiterOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** This node leads and has applied an entry of its own term. */
  lead(): void {
    this.#health = new Health(this.#clock.now());
    this.#loads = new Loads();
    this.#disowned = new Set();
    this.#shortened = undefined;
    this.#look();
  }

  /** This node no longer leads. */
  stop(): void {
    this.#health = undefined;
    this.#cancelLook();
  }

  /** May a renewal of this run be answered now? Ask again after each wait. */
  mayRenew(incarnation: Incarnation): boolean {
    return this.#health !== undefined && !this.#disowned.has(incarnation);
  }

  /** A renewal of this run is being answered, in this very turn. `loads`: its hottest sections, as it says. */
  heard(incarnation: Incarnation, loads: readonly SectionLoad[] = []): void {
    const isNew = this.#health?.heardMsAgo(incarnation, this.#clock.now()) === undefined;
    this.#health?.heard(incarnation, this.#clock.now());
    this.#loads.note(incarnation, loads);
    if (isNew) this.wake();
  }

  heardMsAgo(incarnation: Incarnation): number | undefined {
    return this.#health?.heardMsAgo(incarnation, this.#clock.now());
  }

  /** Milliseconds until a run's lease is surely over; 0: it is. Undefined while this node does not lead. */
  waitLeftMs(incarnation: Incarnation): number | undefined {
    const view = this.#options.port.view();
    return view === undefined ? undefined : this.#health?.leftMs(incarnation, this.#clock.now(), view.waitMs);
  }

  callsPerSecond(incarnation: Incarnation): number {
    return this.#loads.callsPerSecond(incarnation);
  }

  /** Why nothing is decided, in words; undefined: nothing holds it back. */
  get heldBy(): string | undefined {
    return this.#heldBy;
  }

  /** What plans rest on at this moment; undefined while this node does not lead. For operators' plans. */
  situation(): Situation | undefined {
    const view = this.#options.port.view();
    return view === undefined || this.#health === undefined ? undefined : this.#situationOf(view, this.#health);
  }

  /** Something changed: look in this turn and not at the next tick (DESIGN 3.3, speed comes from events). */
  wake(): void {
    if (this.#health !== undefined) this.#look();
  }

  #look(): void {
    this.#cancelLook();
    const health = this.#health;
    if (health === undefined) return;
    const nextMs = this.#isDeciding ? LOOK_EVERY_MS : this.#decide(health);
    this.#cancelLook();
    this.#cancelLook = this.#clock.after(nextMs, () => this.#look());
  }

  /** Decides what must be decided now. Returns when to look again, in ms. */
  #decide(health: Health): number {
    const view = this.#options.port.view();
    if (view === undefined) return LOOK_EVERY_MS;
    const now = this.#clock.now();
    const situation = this.#situationOf(view, health);
    const settleMs = this.#settleLeftMs(situation, health);
    if (settleMs > 0) return settleMs;
    this.#settleWait(view);
    const isQuiet = this.#goesOn || (health.quietMs(now) >= REBALANCE_QUIET_MS && this.#clock.nowMs() - this.#decidedAtMs >= REBALANCE_QUIET_MS);
    const step = nextStep(situation, { isQuiet, isStuck: this.#isStuck(view) });
    this.#hold(step.kind === 'held' ? step.why : undefined);
    if (step.kind === 'assign' || step.kind === 'planMove') this.#propose(step, situation);
    const waits = view.holdings.flatMap(({ holder }) => (holder === undefined ? [] : [health.leftMs(holder, now, view.waitMs)]));
    const soonestMs = waits.reduce((least, leftMs) => (leftMs > 0 && leftMs < least ? leftMs : least), LOOK_EVERY_MS);
    return Math.max(1, Math.ceil(soonestMs));
  }

  #situationOf(view: ClusterView, health: Health): Situation {
    const now = this.#clock.now();
    const holders = new Set(view.holdings.flatMap(({ holder }) => holder ?? []));
    const newest = [...view.allocs, ...view.draining].map(({ incarnation }) => incarnation);
    const known = new Set([...holders, ...newest]);
    health.keepOnly(known);
    this.#loads.keepOnly(known);
    return {
      view,
      living: new Set(newest.filter((incarnation) => !view.dead.has(incarnation) && health.isLiving(incarnation, now, view.lease))),
      // Only what its own parent saw end is not waited for.
      expired: new Set([...holders].filter((holder) => view.dead.has(holder) || health.leftMs(holder, now, view.waitMs) === 0)),
      loads: this.#loads.map,
    };
  }

  /** A fresh set, or one that starts as a whole: whoever starts at the same time should get a share. 0: it may begin. */
  #settleLeftMs({ view, living }: Situation, health: Health): number {
    if (view.holdings.some(({ holder }) => holder !== undefined)) return 0;
    const settleMs = living.size === view.allocs.length ? SETTLE_MS : SETTLE_MAX_MS;
    const leftMs = settleMs - health.quietMs(this.#clock.now());
    return leftMs > 0 ? Math.min(LOOK_EVERY_MS, Math.max(1, leftMs)) : 0;
  }

  /** The lease was lowered: after one whole former wait under this leader no longer one is out. */
  #settleWait({ term, lease, leaseNumber, waitMs }: ClusterView): void {
    if (waitMs <= waitMsOf(lease)) {
      this.#shortened = undefined;
      return;
    }
    const nowMs = this.#clock.nowMs();
    if (this.#shortened?.leaseNumber !== leaseNumber) this.#shortened = { leaseNumber, sinceMs: nowMs };
    if (nowMs - this.#shortened.sinceMs < waitMs) return;
    this.#shortened = { leaseNumber, sinceMs: nowMs };
    this.#options.port.settleWait({ arbiterTerm: term, leaseNumber }).catch((error: unknown) => {
      if (!(error instanceof SeqError)) this.#options.onFatal(error);
    });
  }

  #isStuck(view: ClusterView): boolean {
    const nowMs = this.#clock.nowMs();
    if (movingCountOf(view) === 0) this.#stuck = undefined;
    else if (this.#stuck === undefined || !isSame(this.#stuck.version, view.version)) this.#stuck = { version: view.version, sinceMs: nowMs };
    return this.#stuck !== undefined && nowMs - this.#stuck.sinceMs >= STUCK_AFTER_MS;
  }

  #hold(why: string | undefined): void {
    if (why === this.#heldBy) return;
    this.#heldBy = why;
    this.#options.onHeld?.(why);
  }

  /**
   * In one synchronous step the waits were checked, these runs' renewals stop being answered, and the entry is proposed.
   * They are answered again only once its fate is known (DESIGN 3.3).
   */
  #propose({ kind, moves, reason, goesOn = false }: Extract<Step, { kind: 'assign' | 'planMove' }>, { view, expired }: Situation): void {
    if (kind === 'assign') this.#disowned = expired;
    this.#isDeciding = true;
    const decision = { arbiterTerm: view.term, basedOn: view.version, moves, reason };
    const health = this.#health;
    const decided = (): void => {
      this.#isDeciding = false;
      this.#decidedAtMs = this.#clock.nowMs();
      this.#goesOn = goesOn;
      // Another term began meanwhile: its own look follows its own rules.
      if (health === this.#health) this.#disowned = new Set();
      if (this.#health === undefined) return;
      this.#cancelLook();
      this.#cancelLook = this.#clock.after(DECIDED_PAUSE_MS, () => this.#look());
    };
    const { port, onFatal } = this.#options;
    (kind === 'assign' ? port.assign(decision) : port.planMove(decision)).then(decided, (error: unknown) => {
      // Refused here, or the term is over: a fate too. The next look decides anew.
      if (error instanceof SeqError) decided();
      else onFatal(error);
    });
  }
}
