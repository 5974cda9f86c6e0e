import type { Bounds } from './bounds.js';

/** Where a run is in its life. */
export const ABSENT = 0;
export const ALIVE = 1;
export const DEAD = 2;

/** Where a renewal is. */
export const NO_RENEWAL = 0;
export const SENT = 1;
export const CONFIRMED = 2;
export const ANSWERED = 3;

const RUN_CELLS = 9;
const RENEWAL_CELLS = 4;
const SECTION_CELLS = 5;
const HEAD_CELLS = 13;

/** A state is a row of 16-bit cells; these are their places. Ages are in ticks of the clock of whoever counts them. */
export class Layout {
  readonly runCount: number;
  readonly sectionCount: number;
  readonly uidCount: number;
  readonly renewalCount: number;
  readonly cellCount: number;
  readonly #runSize: number;

  /** The committed state, by its number. */
  readonly store = 0;
  readonly term = 1;
  /** The decision whose fate is open, by its number; 0: none. */
  readonly decision = 2;
  /** Nothing that clients see has changed since it was made. */
  readonly isDecisionCurrent = 3;
  /** The decision of a former term that may still come to some leader's log. */
  readonly oldDecision = 4;
  readonly isOldCurrent = 5;
  readonly movesLeft = 6;
  readonly crashesLeft = 7;
  readonly spawnsLeft = 8;
  readonly stopsLeft = 9;
  readonly leaseChangesLeft = 10;
  /** How long this leader has waited since it saw the lease that was lowered; 0 while there is nothing to settle. */
  readonly settleAge = 11;
  /** Of a mutant alone: the state that an unready or deposed leader still shows, its number + 1. */
  readonly staleStore = 12;

  constructor({ allocs, spawns, sections, uids, renewals }: Bounds) {
    this.runCount = allocs + spawns;
    this.sectionCount = sections;
    this.uidCount = uids;
    this.renewalCount = renewals;
    this.#runSize = RUN_CELLS + RENEWAL_CELLS * renewals + SECTION_CELLS * sections;
    this.cellCount = HEAD_CELLS + this.runCount * (1 + this.#runSize) + sections * uids + allocs * sections;
  }

  /**
   * How long the leader has waited for this run, on its clock: since it answered it last, or since it leads; no more than the
   * longest wait.
   */
  waitAge(run: number): number {
    return HEAD_CELLS + run;
  }

  status(run: number): number {
    return this.#run(run);
  }

  /** Which AllocSvr it is a run of. */
  name(run: number): number {
    return this.#run(run) + 1;
  }

  /** Since the renewal that brought its lease was sent, on its own clock; the length of a lease: it has none. */
  leaseAge(run: number): number {
    return this.#run(run) + 2;
  }

  /** Ticks of its own clock since the leader began to wait for it; no more than a lease. */
  sinceAnswer(run: number): number {
    return this.#run(run) + 3;
  }

  /** The version that it has seen, and the newest one: only their order counts, beside that of answers on their way. */
  seen(run: number): number {
    return this.#run(run) + 4;
  }

  newest(run: number): number {
    return this.#run(run) + 5;
  }

  /** The call that it is about to answer: see callOf; 0: none. While there is one, the process is stopped. */
  call(run: number): number {
    return this.#run(run) + 6;
  }

  /** How long the lease is that it counts, in ticks. */
  leaseTicks(run: number): number {
    return this.#run(run) + 7;
  }

  /**
   * Where leases differ in length a former one may outlast the last: how far the leader's clock has run ahead of its own, at most,
   * since any moment at which something was granted that still counts.
   */
  skew(run: number): number {
    return this.#run(run) + 8;
  }

  renewal(run: number, slot: number): number {
    return this.#run(run) + RUN_CELLS + slot * RENEWAL_CELLS;
  }

  renewalAge(run: number, slot: number): number {
    return this.renewal(run, slot) + 1;
  }

  /** The version of the table that the answer brings. */
  renewalVersion(run: number, slot: number): number {
    return this.renewal(run, slot) + 2;
  }

  /** What the answer brings, by its number. */
  renewalAnswer(run: number, slot: number): number {
    return this.renewal(run, slot) + 3;
  }

  /** What the run has of a section, by its number. */
  memory(run: number, section: number): number {
    return this.#section(run, section);
  }

  /** Counters that it sealed and keeps for a successor. */
  kept(run: number, section: number): number {
    return this.#section(run, section) + 1;
  }

  /** Counters that it copied from an owner. */
  staged(run: number, section: number): number {
    return this.#section(run, section) + 2;
  }

  /** Its raise that is on its way, there or back. */
  raise(run: number, section: number): number {
    return this.#section(run, section) + 3;
  }

  /** Its release that is on its way. */
  release(run: number, section: number): number {
    return this.#section(run, section) + 4;
  }

  /** Every number that was handed out for a uid: bit n is number n. */
  issued(section: number, uid: number): number {
    return HEAD_CELLS + this.runCount * (1 + this.#runSize) + section * this.uidCount + uid;
  }

  /** The counters in the file of an AllocSvr. */
  file(name: number, section: number): number {
    return HEAD_CELLS + this.runCount * (1 + this.#runSize) + this.sectionCount * this.uidCount + name * this.sectionCount + section;
  }

  #run(run: number): number {
    return HEAD_CELLS + this.runCount + run * this.#runSize;
  }

  #section(run: number, section: number): number {
    return this.#run(run) + RUN_CELLS + RENEWAL_CELLS * this.renewalCount + section * SECTION_CELLS;
  }
}

/** The cells of one state. Whoever got it from somebody else copies it before writing. */
export class State {
  readonly cells: number[];

  constructor(cells: number[]) {
    this.cells = cells;
  }

  get(place: number): number {
    return this.cells[place] ?? 0;
  }

  set(place: number, value: number): void {
    this.cells[place] = value;
  }

  copy(): State {
    return new State(this.cells.slice());
  }
}
