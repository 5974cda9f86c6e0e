import { ANSWERED, NO_RENEWAL, type State } from './layout.js';
import type { Emit, World } from './world.js';

/** Clocks move, each for itself, as far as the skew lets them. */
export function timeSteps(world: World, state: State, emit: Emit): void {
  leaderTicks(world, state, emit);
  for (let run = 0; run < world.at.runCount; run += 1) if (world.isCounting(state, run)) runTicks(world, state, run, emit);
}

/**
 * The leader's clock may run ahead of each AllocSvr's by `skew` ticks, counted from its last answer to it, for as long
 * as something that was granted still counts. The other way round nothing is bounded: an AllocSvr whose clock is fast only stops earlier.
 */
function leaderTicks(world: World, state: State, emit: Emit): void {
  const { at, bounds, waitTicks } = world;
  const next = state.copy();
  for (let run = 0; run < at.runCount; run += 1) {
    next.set(at.waitAge(run), Math.min(state.get(at.waitAge(run)) + 1, waitTicks));
    if (!world.isGranted(state, run)) continue;
    const isFromAny = bounds.leaseChanges > 0;
    const ahead = isFromAny ? state.get(at.skew(run)) : state.get(at.waitAge(run)) - state.get(at.sinceAnswer(run));
    if (ahead >= bounds.skew) return;
    if (isFromAny) next.set(at.skew(run), ahead + 1);
  }
  if (state.get(at.settleAge) > 0) next.set(at.settleAge, Math.min(state.get(at.settleAge) + 1, waitTicks + 1));
  emit(next, 'a tick of the leader');
}

function runTicks(world: World, state: State, run: number, emit: Emit): void {
  const { at, bounds, mutant } = world;
  const next = state.copy();
  const leaseAge = state.get(at.leaseAge(run)) + 1;
  if (leaseAge >= state.get(at.leaseTicks(run))) {
    next.set(at.leaseAge(run), bounds.lease);
    if (mutant !== 'lease-by-timer') next.set(at.leaseTicks(run), 0);
  } else next.set(at.leaseAge(run), leaseAge);
  for (let slot = 0; slot < bounds.renewals; slot += 1) {
    const stage = state.get(at.renewal(run, slot));
    if (stage === NO_RENEWAL) continue;
    const age = Math.min(state.get(at.renewalAge(run, slot)) + 1, bounds.lease);
    next.set(at.renewalAge(run, slot), age);
    // What can bring no lease any more is a table that comes late: that is a push of its own, unless every step counts.
    if (age === bounds.lease && !(bounds.isFine && stage === ANSWERED)) dropRenewal(world, next, run, slot);
  }
  next.set(at.skew(run), Math.max(0, state.get(at.skew(run)) - 1));
  next.set(at.sinceAnswer(run), Math.min(state.get(at.sinceAnswer(run)) + 1, bounds.lease));
  emit(next, 'a tick of AllocSvr run', run);
}

export function dropRenewal({ at }: World, next: State, run: number, slot: number): void {
  next.set(at.renewal(run, slot), NO_RENEWAL);
  next.set(at.renewalAge(run, slot), 0);
  next.set(at.renewalVersion(run, slot), 0);
  next.set(at.renewalAnswer(run, slot), 0);
}
