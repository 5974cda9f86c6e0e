import { assert } from '../base/assert.js';
import type { Clock, Instant } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Geometry } from '../model/geometry.js';
import type { AllocId, Epoch, Incarnation, SectionId, Seq, Slot } from '../model/ids.js';
import { toSeq } from '../model/ids.js';
import type { RoutingTable } from '../model/routing.js';
import type { SetMap } from '../model/sets.js';
import type { RoutingDelta } from '../model/routing-delta.js';
import type { Version } from '../model/version.js';
import type { Assignment, Registration } from '../store/client.js';
import type { CurrentSeq } from './counters.js';
import { INSTALL_LIMIT_MS } from './handoff-intake.js';
import type { HandoffSource } from './handoff-source.js';
import { Notices } from './notices.js';
import { Ownership } from './ownership.js';
import type { OwnershipOptions } from './ownership-options.js';
import { SectionAllocator } from './section-allocator.js';

/** How many calls may wait for raises in all sections together. */
const WAITERS_MAX = 20_000;
/** What callers are told to wait, in ms, while this node starts. */
const STARTING_RETRY_AFTER_MS = 200;
/** What callers are told to wait, in ms, when nobody serves the section or this node has no lease: about one renewal. */
const NOBODY_RETRY_AFTER_MS = 100;
/** What callers of a section that is changing hands are told to wait, in ms: about one commit. */
const MOVING_RETRY_AFTER_MS = 20;
/** The longest that a call waits for a section that is changing hands, in ms: a little longer than counters are waited for. */
const HOLD_MAX_MS = INSTALL_LIMIT_MS + 200;

/** A call for `count` numbers of one uid. */
export interface Ask {
  readonly section: SectionId;
  readonly slot: Slot;
  /** At least 1. */
  readonly count: number;
  /** The highest number that the caller has seen for the uid; 0: none. */
  readonly floor: bigint;
}

/** Numbers handed out: [first, last], taken in `epoch` of their section. */
export interface Taken {
  readonly first: Seq;
  readonly last: Seq;
  readonly epoch: Epoch;
}

export interface Current extends CurrentSeq {
  readonly epoch: Epoch;
}

/** What a STRICT call rests on: for each of its sections the allocator whose ownership was confirmed after the call came, or why there is none. */
export type Confirmed = ReadonlyMap<SectionId, SectionAllocator | SeqError>;

/** Whoever waits for an answer, and until when. */
export interface Patience {
  /** On the clock's monotonic axis, in ms. */
  readonly deadlineMs: number;
  isCancelled(): boolean;
}

/**
 * One run of one AllocSvr: hands out numbers of the sections that it owns while it holds a valid lease.
 *
 * Whatever is refused is refused before a number was taken, hence definitely: UNAVAILABLE (no lease, no owner, a
 * section that changes hands, a floor above the counter), NOT_OWNER with the owner to go to, OUT_OF_RANGE,
 * RESOURCE_EXHAUSTED and TIMEOUT when the window was not raised in time.
 */
export class AllocNode {
  readonly id: AllocId;
  readonly #clock: Clock;
  readonly #observe: OwnershipOptions['observe'];
  readonly #ownership: Ownership;
  /** One series each, whatever the section: a caller can bring about either of them with every call. */
  readonly #emptyWindows: Notices;
  readonly #floorAlarms: Notices;
  #waiterCount = 0;
  #handedOutCount = 0;

  constructor(options: OwnershipOptions) {
    this.id = options.id;
    this.#clock = options.clock;
    this.#observe = options.observe;
    this.#emptyWindows = new Notices(options);
    this.#floorAlarms = new Notices(options);
    this.#ownership = new Ownership(options);
  }

  /** Registers with the store and resolves with the first lease. Throws as Ownership.start() does. */
  start(options: { readonly address: string }): Promise<void> {
    return this.#ownership.start(options);
  }

  /** Stops serving, seals and releases everything; resolves when that is answered or after `withinMs`. */
  drain(options: { readonly withinMs: number }): Promise<void> {
    return this.#ownership.drain(options);
  }

  /** Ends everything at once; nothing is released. */
  stop(): void {
    this.#ownership.stop();
  }

  /** Takes in a table and its windows, unless they are old. Throws PROTOCOL when they make no sense. */
  adopt(assignment: Assignment): void {
    this.#ownership.adopt(assignment);
  }

  /**
   * For a STRICT call: asks the store which of these sections are ours, in a round that begins after this call (DESIGN 3.5). The
   * call then goes on with what this returns. Rejects as StrictRounds.confirm(); what is wrong with one section alone is in there.
   */
  confirm(sections: ReadonlySet<SectionId>, patience: Patience): Promise<Confirmed> {
    return this.#later(patience, async (hold) => {
      const found = new Map<SectionId, SectionAllocator | SeqError>();
      for (const section of sections) found.set(section, await this.#claim(section, hold));
      const claims = [...found.values()].filter((claim) => claim instanceof SectionAllocator);
      const owned = claims.length === 0 ? new Set<object>() : await this.#ownership.strict.confirm(claims, patience);
      for (const claim of claims) {
        if (!owned.has(claim)) found.set(claim.section, unavailable(`section ${claim.section} is not ours any more`, MOVING_RETRY_AFTER_MS));
      }
      return found;
    });
  }

  /** The open allocator of a section, also when it has to arrive first; or why there is none. */
  async #claim(section: SectionId, hold: (section: SectionId) => Promise<undefined>): Promise<SectionAllocator | SeqError> {
    try {
      await hold(section);
      return this.#allocatorFor(section, this.#clock.now()) ?? unavailable(`section ${section} is changing hands`, MOVING_RETRY_AFTER_MS);
    } catch (error) {
      if (SeqError.is(error)) return error;
      throw error;
    }
  }

  /** Hands out numbers: at once when the window holds them, otherwise as soon as a raise is committed. */
  next(ask: Ask, patience: Patience, confirmed?: Confirmed): Taken | Promise<Taken> {
    return this.tryNext(ask, this.#clock.now(), confirmed) ?? this.#nextLater(ask, patience, confirmed);
  }

  /** As next(), but undefined when the call must wait: for a raise, or for a section that is changing hands. `now`: read after the request was received. */
  tryNext({ section, slot, count, floor }: Ask, now: Instant, confirmed?: Confirmed): Taken | undefined {
    const allocator = this.#allocatorFor(section, now, confirmed);
    if (allocator === undefined) return undefined;
    if (floor > 0n) this.#checkFloor({ allocator, floor, current: allocator.current(slot).seq });
    const first = allocator.take(slot, count);
    if (first === undefined) return undefined;
    this.#handedOutCount += count;
    return { first, last: toSeq(first + BigInt(count - 1)), epoch: allocator.epoch };
  }

  /** The last number handed out for a uid; later, when its section is changing hands. */
  current(ask: Omit<Ask, 'count'>, patience: Patience, confirmed?: Confirmed): Current | Promise<Current> {
    return (
      this.tryCurrent(ask, this.#clock.now(), confirmed) ??
      this.#later(patience, async (hold) => (await hold(ask.section)) ?? this.tryCurrent(ask, this.#clock.now(), confirmed))
    );
  }

  /** As current(), but undefined when the call must wait for a section that is changing hands. `now`: as in tryNext(). */
  tryCurrent({ section, slot, floor }: Omit<Ask, 'count'>, now: Instant, confirmed?: Confirmed): Current | undefined {
    const allocator = this.#allocatorFor(section, now, confirmed);
    if (allocator === undefined) return undefined;
    const { seq, exact } = allocator.current(slot);
    this.#checkFloor({ allocator, floor, current: seq });
    return { seq, exact, epoch: allocator.epoch };
  }

  /**
   * Lifts the counter of a uid to `to`, forward only: the next number is above it. Resolves with where it stands. Refused as
   * next() is, and with INVALID_ARGUMENT when `to` is too far.
   */
  advance(ask: Pick<Ask, 'section' | 'slot'> & { readonly to: bigint }, patience: Patience, confirmed?: Confirmed): Current | Promise<Current> {
    return (
      this.#tryAdvance(ask, confirmed) ??
      this.#later(patience, async (hold) => {
        await hold(ask.section);
        const allocator = this.#allocatorFor(ask.section, this.#clock.now(), confirmed);
        await allocator?.waitForAdvance({ ...ask, deadlineMs: patience.deadlineMs });
        // The caller may be gone, as in next(): then nothing is lifted.
        if (patience.isCancelled()) throw wentAway();
        return this.#tryAdvance(ask, confirmed);
      })
    );
  }

  #tryAdvance({ section, slot, to }: Pick<Ask, 'section' | 'slot'> & { readonly to: bigint }, confirmed?: Confirmed): Current | undefined {
    const allocator = this.#allocatorFor(section, this.#clock.now(), confirmed);
    const seq = allocator?.advance(slot, to);
    return seq === undefined || allocator === undefined ? undefined : { seq, exact: true, epoch: allocator.epoch };
  }

  /** The owner's side of hand-offs. */
  get source(): HandoffSource {
    return this.#ownership.source;
  }

  /** Resolves once a table at least as new was adopted, or after `limitMs`; undefined: there is one. */
  whenSeen(version: Version, limitMs: number): Promise<void> | undefined {
    return this.#ownership.whenSeen(version, limitMs);
  }

  get incarnation(): Incarnation {
    return this.#ownership.incarnation;
  }

  /** Undefined until the store answered. */
  get registration(): Registration | undefined {
    return this.#ownership.registration;
  }

  /** The newest table seen; undefined before the first. */
  get table(): RoutingTable | undefined {
    return this.#ownership.table;
  }

  /** All sets, as of the newest table. */
  get sets(): SetMap {
    return this.#ownership.sets;
  }

  /** What makes the caller's table the newest one; undefined: only the whole table does. */
  deltaFrom(version: Version): RoutingDelta | undefined {
    return this.#ownership.deltaFrom(version);
  }

  /** Of the set. Throws UNAVAILABLE until the store answered. */
  get geometry(): Geometry {
    const { registration } = this.#ownership;
    if (registration === undefined) throw unavailable('this AllocSvr has not reached its StoreSvrs yet', STARTING_RETRY_AFTER_MS);
    return registration.geometry;
  }

  /** Why nothing is served at `now`, a reading after the request was received; undefined: the lease is valid. */
  refusalAt(now: Instant): SeqError | undefined {
    const refusal = this.#ownership.refusalAt(now);
    return refusal === undefined ? undefined : unavailable(refusal, NOBODY_RETRY_AFTER_MS);
  }

  /** Whose takeAtOnce() may be called in the turn in which refusalAt() said nothing; undefined: the section is not ours, or not yet. */
  at(section: SectionId): SectionAllocator | undefined {
    return this.#ownership.at(section);
  }

  /** So many numbers were taken by takeAtOnce(). */
  tookAtOnce(count: number): void {
    this.#handedOutCount += count;
  }

  isServingAt(now: Instant): boolean {
    return this.#ownership.refusalAt(now) === undefined;
  }

  leaseLeftMsAt(now: Instant): number {
    return this.#ownership.leaseLeftMsAt(now);
  }

  get sectionCount(): number {
    return this.#ownership.sectionCount;
  }

  /** The allocators that this run has opened, sealed and lost ones included: for whoever checks it, never to serve from. */
  get opened(): Iterable<SectionAllocator> {
    return this.#ownership.opened;
  }

  /** Uids that have memory, counted by page. */
  get residentUidCount(): number {
    let count = 0;
    for (const { residentUidCount } of this.#ownership.opened) count += residentUidCount;
    return count;
  }

  /** Of the section whose window is closest to its end, what is left of it: below 1 a raise is due, 0 means that calls wait. */
  get headroomRatioMin(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { isOpen, headroomRatio } of this.#ownership.opened) if (isOpen) least = Math.min(least, headroomRatio);
    return Number.isFinite(least) ? least : 1;
  }

  /** The sections that have most memory, at most `countMax`. */
  largestSections(countMax: number): SectionAllocator[] {
    const used = [...this.#ownership.opened].filter(({ residentUidCount }) => residentUidCount > 0);
    return used.sort((one, other) => other.residentUidCount - one.residentUidCount || one.section - other.section).slice(0, countMax);
  }

  /** Numbers handed out since the process started. */
  get handedOutCount(): number {
    return this.#handedOutCount;
  }

  #nextLater(ask: Ask, patience: Patience, confirmed: Confirmed | undefined): Promise<Taken> {
    return this.#later(patience, async (hold) => {
      await hold(ask.section);
      const allocator = this.#allocatorFor(ask.section, this.#clock.now(), confirmed);
      if (allocator === undefined) return undefined;
      const taken = this.tryNext(ask, this.#clock.now(), confirmed);
      if (taken !== undefined) return taken;
      const { section, epoch } = allocator;
      this.#emptyWindows.tell((leftOutCount) => this.#observe({ type: 'windowEmpty', section, epoch, leftOutCount }));
      await allocator.waitForWindow({ slot: ask.slot, count: ask.count, deadlineMs: patience.deadlineMs });
      if (patience.isCancelled()) throw wentAway();
      // What was true before the wait need not be true after it: lease, epoch and seal are asked again.
      return this.tryNext(ask, this.#clock.now(), confirmed);
    });
  }

  /** Tries again and again until there is an answer; `hold` waits while a section is changing hands. Bounded in number, and in time by the caller's patience. */
  async #later<Answer>(
    patience: Patience,
    attempt: (hold: (section: SectionId) => Promise<undefined>) => Promise<Answer | undefined>,
  ): Promise<Answer> {
    if (this.#waiterCount >= WAITERS_MAX) {
      throw new SeqError('RESOURCE_EXHAUSTED', `${WAITERS_MAX} calls wait already`, { retryAfterMs: NOBODY_RETRY_AFTER_MS });
    }
    this.#waiterCount += 1;
    const holdUntilMs = Math.min(this.#clock.nowMs() + HOLD_MAX_MS, patience.deadlineMs);
    try {
      for (;;) {
        const answer = await attempt((section) => this.#hold(section, holdUntilMs));
        if (answer !== undefined) return answer;
        if (patience.isCancelled()) throw wentAway();
      }
    } finally {
      this.#waiterCount -= 1;
    }
  }

  /** Waits while the section is on its way, to here or from here. Throws UNAVAILABLE when that takes too long. */
  async #hold(section: SectionId, untilMs: number): Promise<undefined> {
    for (;;) {
      const leftMs = untilMs - this.#clock.nowMs();
      const unsettled = this.#ownership.unsettled(section, Math.max(0, leftMs));
      if (unsettled === undefined) return undefined;
      if (leftMs <= 0) throw unavailable(`section ${section} is changing hands`, MOVING_RETRY_AFTER_MS);
      await unsettled;
    }
  }

  /** The open allocator of a section that this node may serve at `now`; undefined while it is changing hands; or throws why not. */
  #allocatorFor(section: SectionId, now: Instant, confirmed?: Confirmed): SectionAllocator | undefined {
    const refusal = this.#ownership.refusalAt(now);
    if (refusal !== undefined) throw unavailable(refusal, NOBODY_RETRY_AFTER_MS);
    const allocator = this.#ownership.get(section);
    if (confirmed !== undefined) return confirmedOf(confirmed, section, allocator);
    if (allocator?.isOpen) return allocator;
    if (this.#ownership.isUnsettled(section)) return undefined;
    throw this.#notOwner(section);
  }

  #notOwner(section: SectionId): SeqError {
    const { alloc } = this.#ownership.ownerOf(section);
    // Our own name without a window is a former run of ours, whose epoch has not been retired yet.
    if (alloc === undefined || alloc.id === this.id) return unavailable(`nobody serves section ${section} now`, NOBODY_RETRY_AFTER_MS);
    const redirect = { id: alloc.id, address: alloc.address };
    return new SeqError('NOT_OWNER', `section ${section} belongs to '${alloc.id}' at ${alloc.address}`, { redirect });
  }

  /** No answer is ever at or below its call's floor. The call is refused; the section goes on, for a caller may lie. */
  #checkFloor({ allocator, floor, current }: { readonly allocator: SectionAllocator; readonly floor: bigint; readonly current: Seq }): void {
    if (floor <= current) return;
    const { section, epoch } = allocator;
    this.#floorAlarms.tell((leftOutCount) => this.#observe({ type: 'floorAboveCurrent', section, epoch, floor, current, leftOutCount }));
    this.#ownership.suspect(allocator);
    throw unavailable(`the caller has seen ${floor}, but section ${section} stands at ${current} for this uid`, NOBODY_RETRY_AFTER_MS);
  }
}

/** A STRICT call takes from the very object that was confirmed, and only while that is open: a sealed one has said its last number. */
function confirmedOf(confirmed: Confirmed, section: SectionId, allocator: SectionAllocator | undefined): SectionAllocator {
  const claim = confirmed.get(section);
  assert(claim !== undefined, 'a STRICT call names its sections before they are confirmed');
  if (claim instanceof SeqError) throw claim;
  if (claim === allocator && allocator.isOpen) return allocator;
  throw unavailable(`section ${section} changed hands after its ownership was confirmed`, MOVING_RETRY_AFTER_MS);
}

function wentAway(): SeqError {
  return new SeqError('ABORTED', 'the caller went away while it waited', { definite: true });
}

function unavailable(message: string, retryAfterMs: number): SeqError {
  return new SeqError('UNAVAILABLE', message, { definite: true, retryAfterMs });
}
