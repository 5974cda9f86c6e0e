import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Incarnation } from '../model/ids.js';
import type { Version } from '../model/version.js';
import { Health } from './health.js';
import { planAssignment, planRebalance, type Situation } from './plan.js';
import type { ClusterView, Move } from './view.js';

/** On a fresh set, time without a newcomer before sections are dealt out, in ms: so that all who start together get some. */
const SETTLE_MS = 500;
/** The same while some that are registered were not heard yet, in ms. */
const SETTLE_MAX_MS = 3_000;
/** Living owners keep their sections until no newcomer came and nothing was decided for this long, in ms: no thrashing. */
const REBALANCE_QUIET_MS = 2_000;
/** Rest after a decision, in ms: a decision that is refused again and again must not spin. */
const DECIDED_PAUSE_MS = 5;
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
}

/**
 * The article's arbiter, as a role that the Raft leader plays: hears AllocSvrs by their renewals, gives the sections
 * of the silent to the living, but only after their lease is surely over.
 */
export class Arbiter {
  readonly #port: ArbiterPort;
  readonly #clock: Clock;
  readonly #onFatal: (error: unknown) => void;
  /** Undefined while this node does not lead. */
  #health: Health | undefined;
  /** Runs that are being disowned: their renewals are not answered until the fate of the decision is known. */
  #disowned: ReadonlySet<Incarnation> = new Set();
  #isDeciding = false;
  #decidedAtMs = Number.NEGATIVE_INFINITY;
  #cancelLook: () => void = () => undefined;

  /** `onFatal` hears what a decision failed with that is no SeqError: a bug, and the process must end. */
  constructor({ port, clock, onFatal }: { port: ArbiterPort; clock: Clock; onFatal: (error: unknown) => void }) {
    this.#port = port;
    this.#clock = clock;
    this.#onFatal = onFatal;
  }

  /** This node leads and has applied an entry of its own term. */
  lead(): void {
    this.#health = new Health(this.#clock.now());
    this.#disowned = new Set();
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

  /** A renewal of this run is being answered, in this very turn. */
  heard(incarnation: Incarnation): void {
    const isNew = this.#health?.heardMsAgo(incarnation, this.#clock.now()) === undefined;
    this.#health?.heard(incarnation, this.#clock.now());
    if (isNew) this.wake();
  }

  heardMsAgo(incarnation: Incarnation): number | undefined {
    return this.#health?.heardMsAgo(incarnation, this.#clock.now());
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
    this.#cancelLook = this.#clock.after(nextMs, () => this.#look());
  }

  /** Decides what must be decided now. Returns when to look again, in ms. */
  #decide(health: Health): number {
    const view = this.#port.view();
    if (view === undefined) return LOOK_EVERY_MS;
    const now = this.#clock.now();
    const holders = new Set(view.holdings.flatMap(({ holder }) => holder ?? []));
    health.keepOnly(new Set([...holders, ...view.allocs.map(({ incarnation }) => incarnation)]));
    const waits = [...holders].map((holder) => ({ holder, leftMs: health.leftMs(holder, now, view.lease) }));
    const situation: Situation = {
      view,
      living: new Set(view.allocs.map(({ incarnation }) => incarnation).filter((incarnation) => health.isLiving(incarnation, now, view.lease))),
      expired: new Set(waits.filter(({ leftMs }) => leftMs === 0).map(({ holder }) => holder)),
    };
    if (holders.size === 0) {
      // A fresh set: whoever starts at the same time should get a share.
      const settleMs = situation.living.size === view.allocs.length ? SETTLE_MS : SETTLE_MAX_MS;
      if (health.quietMs(now) < settleMs) return Math.min(LOOK_EVERY_MS, Math.max(1, settleMs - health.quietMs(now)));
    }

    const moves = planAssignment(situation);
    if (moves.length > 0) this.#propose('assign', view, moves, reasonOf(situation), situation.expired);
    else if (health.quietMs(now) >= REBALANCE_QUIET_MS && this.#clock.nowMs() - this.#decidedAtMs >= REBALANCE_QUIET_MS) this.#rebalance(situation);
    const soonestMs = Math.min(LOOK_EVERY_MS, ...waits.filter(({ leftMs }) => leftMs > 0).map(({ leftMs }) => leftMs));
    return Math.max(1, Math.ceil(soonestMs));
  }

  #rebalance(situation: Situation): void {
    const moves = planRebalance(situation);
    if (moves.length > 0) this.#propose('planMove', situation.view, moves, 'spread evenly', new Set());
  }

  /**
   * In one synchronous step the waits were checked, these runs' renewals stop being answered, and the entry is proposed.
   * They are answered again only once its fate is known (DESIGN 3.3).
   */
  #propose(kind: 'assign' | 'planMove', view: ClusterView, moves: readonly Move[], reason: string, disowned: ReadonlySet<Incarnation>): void {
    this.#disowned = disowned;
    this.#isDeciding = true;
    const decision = { arbiterTerm: view.term, basedOn: view.version, moves, reason };
    const health = this.#health;
    const decided = (): void => {
      this.#isDeciding = false;
      this.#decidedAtMs = this.#clock.nowMs();
      // Another term began meanwhile: its own look follows its own rules.
      if (health === this.#health) this.#disowned = new Set();
      if (this.#health === undefined) return;
      this.#cancelLook();
      this.#cancelLook = this.#clock.after(DECIDED_PAUSE_MS, () => this.#look());
    };
    (kind === 'assign' ? this.#port.assign(decision) : this.#port.planMove(decision)).then(decided, (error: unknown) => {
      // Refused here, or the term is over: a fate too. The next look decides anew.
      if (error instanceof SeqError) decided();
      else this.#onFatal(error);
    });
  }
}

function reasonOf({ view, expired }: Situation): string {
  const silent = view.allocs.filter(({ incarnation }) => expired.has(incarnation)).map(({ id }) => id);
  if (silent.length > 0) return `lease over: ${silent.join(', ')}`;
  return expired.size > 0 ? 'former runs are over' : 'sections without an owner';
}
