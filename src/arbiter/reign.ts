import type { Clock } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import type { AllocId, Incarnation } from '../model/ids.js';
import { type Brake, brakeOf } from './brake.js';
import { nextStep, type Step } from './decide.js';
import { Health } from './health.js';
import { Loads, type SectionLoad } from './loads.js';
import type { Wish } from './operator.js';
import type { ArbiterOptions, Decision } from './port.js';
import { Rhythm } from './rhythm.js';
import { REASONS } from './reasons.js';
import { type Situation, Survey } from './situation.js';
import type { ClusterView } from './view.js';
import { WaitSettler } from './wait-settler.js';
import { Wishes } from './wishes.js';

/** The longest time between two looks, in ms. */
const LOOK_EVERY_MS = 500;
/** Rest after a decision, in ms. After each that came to nothing it doubles, up to the longest: nothing may spin. */
const DECIDED_PAUSE_MS = 5;
const REFUSED_PAUSE_MAX_MS = 1_000;
/** What holds decisions back is said again after this time, in ms. */
const HELD_AGAIN_MS = 60_000;

/** What one leader's arbiter knows and does, for people. */
export interface ReignStatus {
  /** Why something is left alone that would be done otherwise; undefined: nothing holds it back. */
  readonly heldBy: string | undefined;
  readonly brake: Brake | undefined;
  readonly isPaused: boolean;
  /** Sections on their way by planned moves. */
  readonly movingCount: number;
  /** Applied under this leader, and those that came to nothing. */
  readonly decisionCount: number;
  readonly refusedCount: number;
  /** Newest runs, in id order. */
  readonly heard: readonly {
    readonly id: AllocId;
    readonly incarnation: Incarnation;
    readonly heardMsAgo: number | undefined;
    readonly waitLeftMs: number;
    readonly callsPerSecond: number;
  }[];
}

type Deed = Omit<Extract<Step, { kind: 'assign' | 'planMove' }>, 'kind'> & { readonly kind: 'assign' | 'planMove'; readonly wish?: Wish };

/** The arbiter in one term of this leader: hears, looks, decides one thing at a time. It begins with nothing and is never used again. */
export class Reign {
  readonly #options: ArbiterOptions;
  readonly #clock: Clock;
  readonly #health: Health;
  readonly #loads = new Loads();
  #settler = new WaitSettler();
  readonly #wishes = new Wishes();
  readonly #rhythm: Rhythm;
  /** Runs that are being disowned: their renewals are not answered until the fate of the decision is known. */
  #disowned: ReadonlySet<Incarnation> = new Set();
  #isDeciding = false;
  #isSettling = false;
  #isOver = false;
  #decisionCount = 0;
  #refusedCount = 0;
  /** Decisions since the last that was applied; nothing is decided before `#restUntilMs`. */
  #refusedInARow = 0;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  #held: { readonly why: string; readonly saidAtMs: number } | undefined;
  #cancelLook: () => void = () => undefined;

  constructor(options: ArbiterOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#health = new Health(options.clock.now());
    this.#rhythm = new Rhythm(this.#health);
  }

  /** The term is over: nothing is decided any more, and no renewal answered. */
  end(): void {
    this.#isOver = true;
    this.#cancelLook();
    this.#wishes.rejectAll(new SeqError('UNAVAILABLE', 'this node no longer leads; ask the new leader'));
  }

  mayRenew(incarnation: Incarnation): boolean {
    return !this.#isOver && !this.#disowned.has(incarnation);
  }

  heard(incarnation: Incarnation, loads: readonly SectionLoad[]): void {
    const now = this.#clock.now();
    const isNew = this.#health.heardMsAgo(incarnation, now) === undefined;
    this.#health.heard(incarnation, now);
    this.#loads.note(incarnation, loads, now.monoMs);
    if (isNew) this.wake();
  }

  heardMsAgo(incarnation: Incarnation): number | undefined {
    return this.#health.heardMsAgo(incarnation, this.#clock.now());
  }

  waitLeftMs(incarnation: Incarnation): number | undefined {
    const view = this.#options.port.view();
    return view === undefined ? undefined : this.#health.leftMs(incarnation, this.#clock.now(), view.waitMs);
  }

  callsPerSecond(incarnation: Incarnation): number {
    return this.#loads.callsPerSecond(incarnation);
  }

  get heldBy(): string | undefined {
    return this.#held?.why;
  }

  status(): ReignStatus {
    const situation = this.situation();
    const newest = situation === undefined ? [] : [...situation.view.allocs, ...situation.view.draining];
    return {
      heldBy: this.#held?.why,
      brake: situation && brakeOf(situation),
      isPaused: situation?.view.policy.isPaused ?? false,
      movingCount: situation === undefined ? 0 : new Survey(situation).movingCount,
      decisionCount: this.#decisionCount,
      refusedCount: this.#refusedCount,
      heard: newest
        .map(({ id, incarnation }) => ({
          id,
          incarnation,
          heardMsAgo: this.heardMsAgo(incarnation),
          waitLeftMs: this.waitLeftMs(incarnation) ?? 0,
          callsPerSecond: this.callsPerSecond(incarnation),
        }))
        .sort((one, other) => (one.id < other.id ? -1 : 1)),
    };
  }

  situation(): Situation | undefined {
    const view = this.#options.port.view();
    return view && this.#situationOf(view);
  }

  /** Resolves once the first part of the wish is committed. Rejects when it cannot be, or the term ends first. */
  grant(wish: Wish): Promise<void> {
    const granted = this.#wishes.add(wish);
    this.wake();
    return granted;
  }

  wake(): void {
    this.#cancelLook();
    if (this.#isOver) return;
    const restMs = this.#restUntilMs - this.#clock.nowMs();
    const nextMs = this.#isDeciding ? LOOK_EVERY_MS : restMs > 0 ? restMs : this.#look();
    // A look may have ended in another one.
    this.#cancelLook();
    if (!this.#isOver) this.#cancelLook = this.#clock.after(nextMs, () => this.wake());
  }

  /** Decides what must be decided now. Returns when to look again, in ms. */
  #look(): number {
    const view = this.#options.port.view();
    if (view === undefined) return LOOK_EVERY_MS;
    const now = this.#clock.now();
    const situation = this.#situationOf(view);
    const settleMs = this.#settle(view);
    const pace = this.#rhythm.paceOf(situation, now);
    if (pace.isStuck) this.#wishes.rejectAll(new SeqError('UNAVAILABLE', 'planned moves do not get on, so they are called off; ask again'));
    const { step, heldBy } = nextStep(situation, pace);
    this.#hold(heldBy);
    this.#rhythm.planned(step, pace);
    const wished = step.kind === 'assign' ? undefined : this.#wishes.next(situation);
    if (wished !== undefined) this.#propose(this.#deedOf(wished), view);
    else if (step.kind !== 'none') this.#propose(step, view);
    const waits = [...new Set(view.holdings.flatMap(({ holder }) => holder ?? []))].map((holder) => this.#health.leftMs(holder, now, view.waitMs));
    const soonest = [...waits, settleMs ?? 0, this.#rhythm.settleLeftMs(situation, now)].filter((leftMs) => leftMs > 0);
    return Math.max(1, Math.ceil(soonest.reduce((least, leftMs) => Math.min(least, leftMs), LOOK_EVERY_MS)));
  }

  #situationOf(view: ClusterView): Situation {
    const health = this.#health;
    const now = this.#clock.now();
    const holders = new Set(view.holdings.flatMap(({ holder }) => holder ?? []));
    const newest = [...view.allocs, ...view.draining].map(({ incarnation }) => incarnation);
    const known = new Set([...holders, ...newest]);
    health.keepOnly(known);
    this.#loads.keepOnly(known);
    const living = new Set(newest.filter((incarnation) => !view.dead.has(incarnation) && health.isLiving(incarnation, now, view.lease)));
    return {
      view,
      living,
      // Only what its own parent saw end is not waited for.
      expired: new Set([...holders].filter((holder) => view.dead.has(holder) || health.leftMs(holder, now, view.waitMs) === 0)),
      silent: new Set(newest.filter((incarnation) => health.isSilent(incarnation, now, view.lease))),
      remembered: new Set(newest.filter((incarnation) => health.isRemembered(incarnation, now, view.waitMs))),
      loads: this.#loads.map,
      ...this.#rhythm.patienceFor({ view, living }, now),
    };
  }

  /** Returns how long the wait for a lowered lease still lasts, in ms; undefined: nothing is to be settled. */
  #settle(view: ClusterView): number | undefined {
    const leftMs = this.#settler.leftMs(view, this.#clock.now());
    if (leftMs !== 0 || this.#isSettling) return leftMs;
    this.#isSettling = true;
    const settled = (refusal: string | undefined): void => {
      this.#isSettling = false;
      // Another lease was set, or the term is over: whatever it is, it waits as long again before it asks again.
      if (refusal !== undefined) this.#settler = new WaitSettler();
    };
    const { port, onFatal } = this.#options;
    port.settleWait({ arbiterTerm: view.term, leaseNumber: view.leaseNumber }).then(settled, (error: unknown) => {
      if (error instanceof SeqError) settled(messageOf(error));
      else onFatal(error);
    });
    return undefined;
  }

  #hold(why: string | undefined): void {
    const nowMs = this.#clock.nowMs();
    const isNews = why !== this.#held?.why || (this.#held !== undefined && nowMs - this.#held.saidAtMs >= HELD_AGAIN_MS);
    if (!isNews) return;
    this.#held = why === undefined ? undefined : { why, saidAtMs: nowMs };
    this.#options.onHeld?.(why);
  }

  #deedOf({ wish, isPart, ...step }: NonNullable<ReturnType<Wishes['next']>>): Deed {
    return { ...step, reason: `${REASONS.operator}: ${wish.reason}`, goesOn: isPart, isLevelling: false, wish };
  }

  /**
   * In one synchronous step the waits were checked, these runs' renewals stop being answered, and the entry is proposed.
   * They are answered again only once its fate is known (DESIGN 3.3).
   */
  #propose(deed: Deed, { term, version }: ClusterView): void {
    const { kind, moves, reason, from, goesOn, isLevelling, wish } = deed;
    this.#disowned = from;
    this.#isDeciding = true;
    const decision: Decision = { arbiterTerm: term, basedOn: version, moves, reason };
    const { port, onFatal } = this.#options;
    const decided = (refusal: string | undefined): void => {
      this.#isDeciding = false;
      this.#disowned = new Set();
      this.#rest(refusal);
      if (refusal === undefined) {
        this.#rhythm.decided({ goesOn, isLevelling, isWish: wish !== undefined }, this.#clock.nowMs());
        if (wish !== undefined) this.#wishes.decided(wish);
      }
    };
    (kind === 'assign' ? port.assign(decision) : port.planMove(decision)).then(decided, (error: unknown) => {
      // Refused here, or the term is over: a fate too. The next look decides anew.
      if (error instanceof SeqError) decided(messageOf(error));
      else onFatal(error);
    });
  }

  #rest(refusal: string | undefined): void {
    if (refusal === undefined) this.#decisionCount += 1;
    else this.#refusedCount += 1;
    this.#refusedInARow = refusal === undefined ? 0 : this.#refusedInARow + 1;
    const pauseMs = Math.min(REFUSED_PAUSE_MAX_MS, DECIDED_PAUSE_MS * 2 ** Math.max(0, this.#refusedInARow - 1));
    if (refusal !== undefined) this.#restUntilMs = this.#clock.nowMs() + pauseMs;
    this.#cancelLook();
    if (!this.#isOver) this.#cancelLook = this.#clock.after(pauseMs, () => this.wake());
  }
}
