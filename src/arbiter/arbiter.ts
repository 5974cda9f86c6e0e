import { SeqError } from '../base/errors.js';
import type { AllocId, Incarnation } from '../model/ids.js';
import { type Outlook, outlookOf } from './decide.js';
import type { SectionLoad } from './loads.js';
import { type SectionRun, type Wish, wishToLevel, wishToMove } from './operator.js';
import type { ArbiterOptions } from './port.js';
import { Reign, type ReignStatus } from './reign.js';
import type { Situation } from './situation.js';
import type { Move } from './view.js';

/** What an operator wants done, and whether it is only to be said what that would be. */
export interface WishOptions {
  readonly reason: string;
  readonly isDryRun?: boolean;
}

/**
 * The article's arbiter, as a role that the Raft leader plays: hears AllocSvrs by their renewals, gives the sections
 * of the silent to the living, but only after their lease is surely over. Everything that it knows of one term is in a
 * Reign and ends with it, so that nothing of a former term counts in a later one.
 */
export class Arbiter {
  readonly #options: ArbiterOptions;
  /** Undefined while this node does not lead. */
  #reign: Reign | undefined;

  constructor(options: ArbiterOptions) {
    this.#options = options;
  }

  /** This node leads and has applied an entry of its own term. */
  lead(): void {
    this.#reign?.end();
    this.#reign = new Reign(this.#options);
    this.#reign.wake();
  }

  /** This node no longer leads. */
  stop(): void {
    this.#reign?.end();
    this.#reign = undefined;
  }

  /** May a renewal of this run be answered now? Ask again after each wait. */
  mayRenew(incarnation: Incarnation): boolean {
    return this.#reign?.mayRenew(incarnation) ?? false;
  }

  /** A renewal of this run is being answered, in this very turn. `loads`: its hottest sections, as it says. */
  heard(incarnation: Incarnation, loads: readonly SectionLoad[] = []): void {
    this.#reign?.heard(incarnation, loads);
  }

  heardMsAgo(incarnation: Incarnation): number | undefined {
    return this.#reign?.heardMsAgo(incarnation);
  }

  /** Milliseconds until a run's lease is surely over; 0: it is. Undefined while this node does not lead. */
  waitLeftMs(incarnation: Incarnation): number | undefined {
    return this.#reign?.waitLeftMs(incarnation);
  }

  callsPerSecond(incarnation: Incarnation): number {
    return this.#reign?.callsPerSecond(incarnation) ?? 0;
  }

  /** Something changed: look in this turn and not at the next tick (DESIGN 3.3, speed comes from events). */
  wake(): void {
    this.#reign?.wake();
  }

  /** Why nothing is decided, in words; undefined: nothing holds it back. */
  get heldBy(): string | undefined {
    return this.#reign?.heldBy;
  }

  /** Undefined while this node does not lead. */
  status(): ReignStatus | undefined {
    return this.#reign?.status();
  }

  /** What plans rest on at this moment; undefined while this node does not lead. */
  situation(): Situation | undefined {
    return this.#reign?.situation();
  }

  /** What it would do now, were it not paused. Does nothing. Throws UNAVAILABLE while this node does not lead. */
  plan(): Outlook {
    return outlookOf(this.#leading().situation);
  }

  /**
   * These sections to one AllocSvr, as an operator wants it: also while paused. Resolves with all that is moved, once the first
   * part is committed; the rest follows as `movesInFlightMax` allows. Rejects as `wishToMove` says, with UNAVAILABLE
   * while this node does not lead or when the term ends first, with RESOURCE_EXHAUSTED when too many wait.
   */
  move(run: SectionRun, to: AllocId, { reason, isDryRun = false }: WishOptions): Promise<readonly Move[]> {
    return this.#grant(wishToMove(run, to, reason), isDryRun);
  }

  /** Everybody level now, however little is out of it: also while paused, and under `primary-standby`. Resolves and rejects as `move`. */
  rebalance({ reason, isDryRun = false }: WishOptions): Promise<readonly Move[]> {
    return this.#grant(wishToLevel(reason), isDryRun);
  }

  async #grant(wish: Wish, isDryRun: boolean): Promise<readonly Move[]> {
    const { reign, situation } = this.#leading();
    const moves = wish.all(situation);
    if (!isDryRun && moves.length > 0) await reign.grant(wish);
    return moves;
  }

  #leading(): { readonly reign: Reign; readonly situation: Situation } {
    const reign = this.#reign;
    const situation = reign?.situation();
    if (reign === undefined || situation === undefined) throw new SeqError('UNAVAILABLE', 'this node does not play the arbiter', { definite: true });
    return { reign, situation };
  }
}
