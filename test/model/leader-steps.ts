import type { Command } from '../../src/store/command.js';
import { toSectionId } from '../../src/model/ids.js';
import { ABSENT, ALIVE, CONFIRMED, DEAD, type State } from './layout.js';
import { answer, isUnready } from './renewal-steps.js';
import { basedOn, callerOf, NOBODY } from './store-values.js';
import { dropRenewal } from './time-steps.js';
import type { DecisionValue, Emit, World } from './world.js';

export const NEW_LEADER = 'another StoreSvr leads';
const MOTIVE = { reason: '', atMs: 0 };

/** What the StoreSvrs do by themselves: another leader, decisions of the arbiter, and what people and supervisors tell them. */
export function leaderSteps(world: World, state: State, emit: Emit): void {
  newLeader(world, state, emit);
  if (isUnready(world, state)) return ready(world, state, emit);
  takeover(world, state, emit);
  decided(world, state, emit);
  lateDecision(world, state, emit);
  giveUnowned(world, state, emit);
  planMove(world, state, emit);
  reportDeath(world, state, emit);
}

/**
 * Another leader, at the moment when it has applied an entry of its own term. What the former one had confirmed it may still answer,
 * from what it had applied; a decision of its that was not taken may come to a log later; one that was taken by then is the same as
 * one that was committed just before.
 */
function newLeader(world: World, state: State, emit: Emit): void {
  const { at, bounds, mutant } = world;
  if (state.get(at.term) === bounds.terms) return;
  const next = state.copy();
  next.set(at.term, state.get(at.term) + 1);
  const disowned = world.decisions.valueOf(state.get(at.decision))?.disowned ?? [];
  for (let run = 0; run < at.runCount; run += 1) {
    for (let slot = 0; slot < bounds.renewals; slot += 1) {
      if (state.get(at.renewal(run, slot)) !== CONFIRMED) continue;
      if (disowned.includes(run) || !world.isNewest(state, run)) dropRenewal(world, next, run, slot);
      else answer(world, next, run, slot);
    }
    next.set(at.waitAge(run), mutant === 'no-wait-new-leader' ? world.waitTicks : 0);
    next.set(at.sinceAnswer(run), 0);
    next.set(at.skew(run), 0);
  }
  // It begins to wait when it first sees the lease.
  next.set(at.settleAge, world.stores.valueOf(state.get(at.store)).isSettling ? 1 : 0);
  next.set(at.staleStore, mutant === 'no-quorum-renewal' ? state.get(at.store) + 1 : 0);
  next.set(at.decision, 0);
  next.set(at.isDecisionCurrent, 0);
  if (state.get(at.decision) === 0) return emit(next, NEW_LEADER);
  if (mutant === 'no-noop') {
    const left = next.copy();
    left.set(at.staleStore, state.get(at.store) + 1);
    world.commit(left, commandOf(world, state, at.decision, at.isDecisionCurrent), state.get(at.term));
    emit(left, `${NEW_LEADER}, whose log has the decision`);
  }
  emit(next, `${NEW_LEADER}, and the decision is lost`);
  const late = next.copy();
  late.set(at.oldDecision, state.get(at.decision));
  late.set(at.isOldCurrent, state.get(at.isDecisionCurrent));
  emit(late, `${NEW_LEADER}, and the decision is still on its way`);
}

/** Of a mutant, which answers before it: the leader has applied its own entry. */
function ready({ at }: World, state: State, emit: Emit): void {
  const next = state.copy();
  next.set(at.staleStore, 0);
  emit(next, 'the leader has applied its own entry');
}

/** The REAL arbiter says what is taken from whom; to whom, only that this one may own: every choice is tried. */
function takeover(world: World, state: State, emit: Emit): void {
  const { at, stores } = world;
  if (state.get(at.decision) !== 0) return;
  const store = state.get(at.store);
  const waitAges = Array.from({ length: at.runCount }, (_, run) => state.get(at.waitAge(run)));
  const found = world.takeovers.of({ store, term: state.get(at.term), waitAges });
  if (found === undefined || found.sections.length === 0) return;
  if (found.sections.some((section) => (stores.valueOf(store).sections[section]?.epoch ?? 0) >= world.epochsMax)) return;
  for (const takers of choices(found.sections.length, ownersToBe(world, state))) {
    const moves = found.sections.map((section, index) => ({ section, to: takers[index] ?? 0 }));
    const decision: DecisionValue = { term: state.get(at.term), moves, disowned: found.disowned };
    const next = state.copy();
    next.set(at.decision, world.decisions.numberOf(decision));
    next.set(at.isDecisionCurrent, 1);
    emit(next, `the wait is over: the arbiter proposes ${moves.map(({ section, to }) => `section ${section} to run ${to}`).join(', ')}`);
  }
}

/** The entry is applied, or refused: its fate is known. */
function decided(world: World, state: State, emit: Emit): void {
  const { at } = world;
  if (state.get(at.decision) === 0) return;
  const next = state.copy();
  next.set(at.decision, 0);
  next.set(at.isDecisionCurrent, 0);
  const { result } = world.commit(next, commandOf(world, state, at.decision, at.isDecisionCurrent));
  emit(next, `the decision is ${result.type === 'refused' ? 'refused' : 'committed'}`);
}

function lateDecision(world: World, state: State, emit: Emit): void {
  const { at } = world;
  if (state.get(at.oldDecision) === 0) return;
  const next = state.copy();
  next.set(at.oldDecision, 0);
  next.set(at.isOldCurrent, 0);
  const { result } = world.commit(next, commandOf(world, state, at.oldDecision, at.isOldCurrent));
  emit(next, `the decision of a former term comes to the log and is ${result.type === 'refused' ? 'refused' : 'committed'}`);
}

function commandOf({ at, decisions }: World, state: State, place: number, isCurrentPlace: number): Command {
  const decision = decisions.valueOf(state.get(place));
  const runs = (decision?.moves ?? []).map(({ section, to }) => runOf(state.get(at.name(to)), section, to));
  return { type: 'assign', arbiterTerm: decision?.term ?? 0, basedOn: basedOn(state.get(isCurrentPlace) === 1), runs, ...MOTIVE };
}

/** Nothing is waited for where nobody owns a section: the entry is proposed and committed in one step. */
function giveUnowned(world: World, state: State, emit: Emit): void {
  for (const [section, { owner, epoch }] of sectionsOf(world, state)) {
    if (owner !== NOBODY || epoch >= world.epochsMax) continue;
    for (const run of ownersToBe(world, state)) decide(world, state, { type: 'assign', section, run }, emit);
  }
}

/** A planned move, or, to the owner itself, its end. */
function planMove(world: World, state: State, emit: Emit): void {
  if (state.get(world.at.movesLeft) === 0) return;
  for (const [section, { owner, epoch, next: planned }] of sectionsOf(world, state)) {
    if (owner === NOBODY || epoch >= world.epochsMax) continue;
    for (const run of ownersToBe(world, state))
      if (run === owner ? planned !== NOBODY : planned !== run) decide(world, state, { type: 'planMove', section, run }, emit);
  }
}

function decide(
  world: World,
  state: State,
  { type, section, run }: { readonly type: 'assign' | 'planMove'; readonly section: number; readonly run: number },
  emit: Emit,
): void {
  const { at } = world;
  const next = state.copy();
  if (type === 'planMove') next.set(at.movesLeft, state.get(at.movesLeft) - 1);
  const runs = [runOf(state.get(at.name(run)), section, run)];
  world.commit(next, { type, arbiterTerm: state.get(at.term), basedOn: basedOn(true), runs, ...MOTIVE });
  emit(next, type === 'assign' ? 'is given what nobody owns: run' : 'is to have by a planned move: run', run, section);
}

/** A supervisor saw its own child end. */
function reportDeath(world: World, state: State, emit: Emit): void {
  const { at, stores } = world;
  for (let run = 0; run < at.runCount; run += 1) {
    const name = state.get(at.name(run));
    if (state.get(at.status(run)) !== DEAD || stores.valueOf(state.get(at.store)).allocs[name]?.dead.includes(run)) continue;
    const next = state.copy();
    world.commit(next, { type: 'reportDeath', ...callerOf(run, name), ...MOTIVE });
    emit(next, 'is reported dead: run', run);
  }
}

/** What happens to processes: they crash, stop cleanly, and start anew while their former run may still be there. */
export function processSteps(world: World, state: State, emit: Emit): void {
  const { at } = world;
  for (let run = 0; run < at.runCount; run += 1) {
    if (!world.isAlive(state, run) || state.get(at.crashesLeft) === 0) continue;
    const next = state.copy();
    world.end(next, run);
    next.set(at.crashesLeft, state.get(at.crashesLeft) - 1);
    emit(next, 'crashes: run', run);
  }
  if (state.get(at.spawnsLeft) > 0) for (let name = 0; name < world.bounds.allocs; name += 1) spawn(world, state, name, emit);
}

/** A new run registers. It knows the counters that a former run of it left in its file. */
function spawn(world: World, state: State, name: number, emit: Emit): void {
  const { at, bounds } = world;
  const run = Array.from({ length: at.runCount }, (_, each) => each).find((each) => state.get(at.status(each)) === ABSENT);
  if (run === undefined) return;
  const next = state.copy();
  const caller = callerOf(run, name);
  world.commit(next, { type: 'register', ...caller, address: `${caller.allocId}:1`, zone: '' });
  next.set(at.spawnsLeft, state.get(at.spawnsLeft) - 1);
  next.set(at.status(run), ALIVE);
  next.set(at.name(run), name);
  next.set(at.leaseAge(run), bounds.lease);
  next.set(at.newest(run), 1);
  for (let section = 0; section < bounds.sections; section += 1) next.set(at.kept(run, section), state.get(at.file(name, section)));
  emit(next, `a new run of AllocSvr ${name} registers: run`, run);
}

/** Newest runs that may be given sections, whether they were heard or not. */
function ownersToBe({ at, stores }: World, state: State): readonly number[] {
  return stores.valueOf(state.get(at.store)).allocs.flatMap(({ run, state: standing }) => (standing === 'joined' ? [run] : []));
}

function sectionsOf({ at, stores }: World, state: State) {
  return stores.valueOf(state.get(at.store)).sections.entries();
}

function runOf(name: number, section: number, run: number) {
  return { firstSection: toSectionId(section), sectionCount: 1, ...callerOf(run, name) };
}

function choices(count: number, from: readonly number[]): readonly (readonly number[])[] {
  if (count === 0) return [[]];
  return choices(count - 1, from).flatMap((rest) => from.map((one) => [one, ...rest]));
}
