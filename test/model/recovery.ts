import { TICK_MS } from './bounds.js';
import { ANSWERED, NO_RENEWAL, type State } from './layout.js';
import { NEW_LEADER } from './leader-steps.js';
import { stepsFrom } from './steps.js';
import { tidy } from './tidy.js';
import type { World } from './world.js';

/** States that are looked at before a state is said not to get well. */
const STATES_MAX = 2_000;
/** The steps that lead back to work soonest come first; what is not among them comes last. */
const URGENT = [
  /^hands out/,
  /^the decision/,
  /^a release is/,
  /^is reported dead/,
  /^(installs|gives up)/,
  /^receives the answer/,
  /^sees the newest/,
  /^the leader/,
  /^a quorum/,
  /^sends a renewal/,
  /^seals/,
  /^is given/,
  /^the wait is over/,
];

/**
 * With no fault any more, is there a way on which every section is served again? Searched greedily, past the bounds on epochs. True as
 * well where no AllocSvr is left that could: then there is none.
 */
export function getsWell(world: World, from: State): boolean {
  const first = from.copy();
  const { at } = world;
  for (const place of [at.movesLeft, at.crashesLeft, at.spawnsLeft, at.stopsLeft, at.leaseChangesLeft]) first.set(place, 0);
  const runs = Array.from({ length: at.runCount }, (_, run) => run);
  if (!runs.some((run) => world.isAlive(first, run) && world.isNewest(first, run))) return true;
  const { epochsMax } = world;
  world.epochsMax = Number.POSITIVE_INFINITY;
  try {
    return search(world, first);
  } finally {
    world.epochsMax = epochsMax;
  }
}

function search(world: World, first: State): boolean {
  const seen = new Set<string>([first.cells.join()]);
  const waiting: State[] = [first];
  for (let state = waiting.pop(); state !== undefined && seen.size < STATES_MAX; state = waiting.pop()) {
    if (isWell(world, state)) return true;
    const steps: { readonly next: State; readonly urgency: number }[] = [];
    stepsFrom(world, state, (next, what, run = -1) => {
      if (what.startsWith(NEW_LEADER) || what.includes('answer lost') || isRenewedAlready(world, state, what, run)) return;
      const found = next.copy();
      tidy(world, found);
      const key = found.cells.join();
      if (seen.has(key)) return;
      seen.add(key);
      const urgency = URGENT.findIndex((pattern) => pattern.test(what));
      steps.push({ next: found, urgency: urgency < 0 ? URGENT.length : urgency });
    });
    // The most urgent one is taken from the end.
    steps.sort((one, other) => other.urgency - one.urgency);
    waiting.push(...steps.map(({ next }) => next));
  }
  return false;
}

/** A renewal on its way that will bring a lease is waited for, and a lease that holds needs none. */
function isRenewedAlready(world: World, state: State, what: string, run: number): boolean {
  const isSend = /^(sends a renewal|the leader, confirmed)/.test(what);
  return isSend && (world.hasLease(state, run) || willBringLease(world, state, run));
}

function willBringLease({ at, answers, stores }: World, state: State, run: number): boolean {
  const stage = state.get(at.renewal(run, 0));
  if (stage === NO_RENEWAL) return false;
  const answered = answers.valueOf(state.get(at.renewalAnswer(run, 0)))?.leaseTicks;
  const ticks = stage === ANSWERED ? (answered ?? 0) : stores.valueOf(state.get(at.store)).leaseMs / TICK_MS;
  return state.get(at.renewalAge(run, 0)) < ticks;
}

function isWell(world: World, state: State): boolean {
  const { at } = world;
  return Array.from({ length: at.sectionCount }, (_, section) => section).every((section) =>
    Array.from({ length: at.runCount }, (_, run) => run).some((run) => world.serves(state, run, section) && world.isNewest(state, run)),
  );
}
