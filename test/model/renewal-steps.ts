import { ANSWERED, CONFIRMED, SENT, type State } from './layout.js';
import { TICK_MS } from './bounds.js';
import { dropRenewal } from './time-steps.js';
import type { Emit, World } from './world.js';

/** Renewals of one run: sent, confirmed by a quorum, answered, received; each of them late, never, or past another one. */
export function renewalSteps(world: World, state: State, run: number, emit: Emit): void {
  const { at, bounds } = world;
  for (let slot = 0; slot < bounds.renewals; slot += 1) {
    const stage = state.get(at.renewal(run, slot));
    if (world.isRunning(state, run)) send(world, state, run, slot, emit);
    if (stage === SENT) confirm(world, state, run, slot, emit);
    if (stage === CONFIRMED && mayAnswer(world, state, run)) {
      const next = state.copy();
      answer(world, next, run, slot);
      emit(next, 'the leader answers the renewal of run', run);
    }
    if (stage === ANSWERED && world.isRunning(state, run)) receive(world, state, run, slot, emit);
  }
  push(world, state, run, emit);
}

/** A slot that is used is used again: what was on its way there was lost, or is not waited for any more. */
function send(world: World, state: State, run: number, slot: number, emit: Emit): void {
  const { at } = world;
  if (state.get(at.renewal(run, slot)) === SENT && state.get(at.renewalAge(run, slot)) === 0) return;
  const next = state.copy();
  dropRenewal(world, next, run, slot);
  next.set(at.renewal(run, slot), SENT);
  if (world.bounds.isFine) return emit(next, 'sends a renewal: run', run);
  confirm(world, next, run, slot, emit);
}

/**
 * A quorum round that began after the renewal came says that nobody leads in a later term. When the renewal came is no step of
 * its own: it could only be refused then. With `isFine` the renewal may be late, and the leader may be deposed before it answers;
 * otherwise it is sent, confirmed and answered in one step: what is late only makes the lease shorter.
 */
function confirm(world: World, state: State, run: number, slot: number, emit: Emit): void {
  const { at, bounds } = world;
  if (world.mutant === 'no-quorum-renewal' || world.mutant === 'no-noop') answerStale(world, state, run, slot, emit);
  if (isUnready(world, state) || !mayAnswer(world, state, run)) return;
  const next = state.copy();
  if (bounds.isFine) next.set(at.renewal(run, slot), CONFIRMED);
  else answer(world, next, run, slot);
  emit(
    next,
    bounds.isFine ? 'a quorum confirms the leader for the renewal of run' : 'the leader, confirmed by a quorum, answers the renewal of run',
    run,
  );
}

/** Of a mutant: the leader that was deposed, or is not ready, answers from the state that it has. */
function answerStale(world: World, state: State, run: number, slot: number, emit: Emit): void {
  const { at } = world;
  const stale = state.get(at.staleStore);
  if (stale === 0) return;
  const next = state.copy();
  next.set(at.renewal(run, slot), ANSWERED);
  next.set(at.renewalVersion(run, slot), 0);
  next.set(at.renewalAnswer(run, slot), answerOf(world, stale - 1, run, state.get(at.name(run))));
  emit(next, 'a leader that must not answers the renewal of run', run);
}

export function isUnready({ at, mutant }: World, state: State): boolean {
  return mutant === 'no-noop' && state.get(at.staleStore) > 0;
}

/** The newest run of its AllocSvr, and not being disowned. */
function mayAnswer(world: World, state: State, run: number): boolean {
  const disowned = world.decisions.valueOf(state.get(world.at.decision))?.disowned ?? [];
  return world.isNewest(state, run) && (world.mutant === 'no-disowning' || !disowned.includes(run));
}

/** From the state as applied now. The wait for this run begins again. */
export function answer(world: World, next: State, run: number, slot: number): void {
  const { at } = world;
  next.set(at.waitAge(run), 0);
  next.set(at.sinceAnswer(run), 0);
  next.set(at.renewal(run, slot), ANSWERED);
  next.set(at.renewalVersion(run, slot), next.get(at.newest(run)));
  next.set(at.renewalAnswer(run, slot), answerOf(world, next.get(at.store), run, next.get(at.name(run))));
}

function answerOf({ stores, answers }: World, store: number, run: number, name: number): number {
  return answers.numberOf({ windows: stores.windowsOf(store, run, name), leaseTicks: stores.valueOf(store).leaseMs / TICK_MS });
}

/** The table BEFORE the lease; and the lease counts from the send, of the renewal that was sent last. */
function receive(world: World, state: State, run: number, slot: number, emit: Emit): void {
  const { at, mutant } = world;
  const found = world.answers.valueOf(state.get(at.renewalAnswer(run, slot)));
  if (found === null) return;
  const next = state.copy();
  const age = mutant === 'lease-from-reply' ? 0 : state.get(at.renewalAge(run, slot));
  const version = state.get(at.renewalVersion(run, slot));
  dropRenewal(world, next, run, slot);
  if (mutant !== 'lease-before-table') world.adopt(next, run, found.windows, version);
  if (world.isAlive(next, run) && age < found.leaseTicks && age <= state.get(at.leaseAge(run))) {
    next.set(at.leaseAge(run), age);
    next.set(at.leaseTicks(run), found.leaseTicks);
  }
  emit(next, 'receives the answer to its renewal: run', run);
}

/** The newest table comes on the stream; it extends no lease. */
function push(world: World, state: State, run: number, emit: Emit): void {
  const { at, stores } = world;
  if (!world.isRunning(state, run) || state.get(at.seen(run)) === state.get(at.newest(run)) || isUnready(world, state)) return;
  const next = state.copy();
  world.adopt(next, run, stores.windowsOf(state.get(at.store), run, state.get(at.name(run))), state.get(at.newest(run)));
  emit(next, 'sees the newest table: run', run);
}
