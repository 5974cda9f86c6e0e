import type { Instant } from '../base/clock.js';
import { isSame, NO_VERSION, type Version } from '../model/version.js';
import type { Pace, Step } from './decide.js';
import type { Health } from './health.js';
import { hasMoves, type Situation, Survey, takersIn } from './situation.js';

/** On a fresh set, time without a newcomer before sections are dealt out, in ms: so that all who start together get some. */
const SETTLE_MS = 500;
/** The same while some that are registered were not heard yet, in ms. */
const SETTLE_MAX_MS = 3_000;
/** Sections whose counters somebody has wait so long for that one, in ms, from when others could take them: a restart of all takes its time. */
const HEIR_WAIT_MS = 10_000;
/** Living owners keep their sections until no newcomer came and nothing was decided for this long, in ms: no thrashing. */
const REBALANCE_QUIET_MS = 2_000;
/** Once level, differences of load alone do not move anything for this long, in ms. */
const LEVEL_FOR_MS = 60_000;
/** On an unchanged version the living are looked at for imbalance so often, in ms: a plan of a large set is not free. */
const LEVEL_LOOK_EVERY_MS = 5_000;
/** Planned moves of which none was done for this long, in ms, are called off. */
const STUCK_AFTER_MS = 10_000;

/** When it is time for what can wait. Pure: it is told the time. */
export class Rhythm {
  readonly #health: Health;
  /** What the last look saw. */
  #seen: { readonly version: Version; readonly members: string; readonly atMs: number } = { version: NO_VERSION, members: '', atMs: 0 };
  #decidedAtMs = Number.NEGATIVE_INFINITY;
  /** The last decision was one part of several: the next need not wait for quiet. */
  #goesOn = false;
  /** Since when moves are under way and nothing has changed. */
  #stuck: { readonly version: Version; readonly sinceMs: number } | undefined;
  /** Among whom sections were spread last, or placed by an operator: until when that stays. */
  #placed: { readonly members: string; readonly untilMs: number } | undefined;
  /** The last look that found everything level enough. */
  #foundLevel: { readonly version: Version; readonly members: string; readonly atMs: number } | undefined;
  #heirsAwaitedSinceMs: number | undefined;

  constructor(health: Health) {
    this.#health = health;
  }

  /** May what has no owner be dealt out, and is somebody waited for who has the counters of some of it? */
  patienceFor({ view, living }: Pick<Situation, 'view' | 'living'>, now: Instant): { readonly isSettled: boolean; readonly awaitsHeirs: boolean } {
    const isAwaited = view.holdings.some(({ heir }) => heir !== undefined) && view.allocs.some(({ incarnation }) => living.has(incarnation));
    if (!isAwaited) this.#heirsAwaitedSinceMs = undefined;
    else this.#heirsAwaitedSinceMs ??= now.monoMs;
    const awaitsHeirs = this.#heirsAwaitedSinceMs !== undefined && now.monoMs - this.#heirsAwaitedSinceMs < HEIR_WAIT_MS;
    return { isSettled: this.settleLeftMs({ view, living }, now) === 0, awaitsHeirs };
  }

  /** A fresh set: whoever starts at the same time should get a share. Milliseconds until sections are dealt out. */
  settleLeftMs({ view, living }: Pick<Situation, 'view' | 'living'>, now: Instant): number {
    if (view.holdings.some(({ holder }) => holder !== undefined)) return 0;
    const settleMs = view.allocs.every(({ incarnation }) => living.has(incarnation)) ? SETTLE_MS : SETTLE_MAX_MS;
    return Math.max(0, settleMs - this.#health.quietMs(now));
  }

  paceOf(situation: Situation, now: Instant): Pace {
    const seen = { version: situation.view.version, members: membersOf(situation), atMs: now.monoMs };
    this.#seen = seen;
    const isQuiet = this.#health.quietMs(now) >= REBALANCE_QUIET_MS && now.monoMs - this.#decidedAtMs >= REBALANCE_QUIET_MS;
    const found = this.#foundLevel;
    const wasFoundLevel =
      found !== undefined && isSame(found.version, seen.version) && found.members === seen.members && seen.atMs - found.atMs < LEVEL_LOOK_EVERY_MS;
    // Who went and came back did come: as a list it would be the old one again.
    if (this.#placed?.members !== seen.members) this.#placed = undefined;
    const stays = this.#placed !== undefined && seen.atMs < this.#placed.untilMs;
    return { isQuiet: this.#goesOn || (isQuiet && !wasFoundLevel && !stays), isStuck: this.#isStuck(situation, now) };
  }

  /** What was planned at the pace of the last look. */
  planned(step: Step, { isQuiet }: Pace): void {
    if (step.kind !== 'none') return;
    if (isQuiet && !step.goesOn) this.#foundLevel = this.#seen;
    this.#goesOn &&= step.goesOn;
  }

  /** The decision of the last look was applied; `isWish`: an operator's. */
  decided({ goesOn, isLevelling, isWish }: { goesOn: boolean; isLevelling: boolean; isWish: boolean }, nowMs: number): void {
    const { members } = this.#seen;
    this.#decidedAtMs = nowMs;
    this.#goesOn = goesOn && !isWish;
    // What an operator has placed stays until somebody comes or goes.
    if (isWish) this.#placed = { members, untilMs: Number.POSITIVE_INFINITY };
    else if (isLevelling && !goesOn) this.#placed = { members, untilMs: nowMs + LEVEL_FOR_MS };
  }

  #isStuck(situation: Situation, { monoMs }: Instant): boolean {
    const { version } = situation.view;
    if (!hasMoves(situation.view) || new Survey(situation).movingCount === 0) this.#stuck = undefined;
    else if (this.#stuck === undefined || !isSame(this.#stuck.version, version)) this.#stuck = { version, sinceMs: monoMs };
    return this.#stuck !== undefined && monoMs - this.#stuck.sinceMs >= STUCK_AFTER_MS;
  }
}

/** Who could have sections: when somebody comes or goes, it is another list. */
function membersOf(situation: Situation): string {
  return takersIn(situation)
    .map(({ incarnation }) => incarnation)
    .join();
}
