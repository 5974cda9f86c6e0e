import { toEpoch, toSectionId, toSeq } from '../../src/model/ids.js';
import { isUnready } from './renewal-steps.js';
import { callerOf, NOBODY } from './store-values.js';
import { ALIVE, type State } from './layout.js';
import { type Emit, Violation, type World } from './world.js';

/** What one run does with its sections: calls, raises, sealing and release, counters that change hands. */
export function sectionSteps(world: World, state: State, run: number, emit: Emit): void {
  const { at, bounds } = world;
  const isRunning = world.isRunning(state, run);
  if (state.get(at.call(run)) > 0) take(world, state, run, emit);
  for (let section = 0; section < bounds.sections; section += 1) {
    if (isRunning) {
      call(world, state, run, section, emit);
      askRaise(world, state, run, section, emit);
      seal(world, state, run, section, emit);
      copy(world, state, run, section, emit);
      install(world, state, run, section, emit);
    }
    commitRaise(world, state, run, section, emit);
    commitRelease(world, state, run, section, emit);
  }
  if (isRunning && state.get(at.stopsLeft) > 0) stop(world, state, run, emit);
}

/** A call begins, as late as it can: when the clock is read. What had been returned by then lies below its number. */
function call(world: World, state: State, run: number, section: number, emit: Emit): void {
  const { at, bounds, memories } = world;
  if (!world.serves(state, run, section)) return;
  for (let uid = 0; uid < bounds.uids; uid += 1) {
    if (memories.take(state.get(at.memory(run, section)), uid) === undefined) continue;
    const next = state.copy();
    next.set(at.call(run), callOf({ section, uid, floor: topBit(state.get(at.issued(section, uid))) }));
    if (bounds.pauses) emit(next, `finds its lease valid for a call of uid ${uid}: run`, run, section);
    else take(world, next, run, emit);
  }
}

/** The number is taken and, as early as it can be, returned. */
function take(world: World, state: State, run: number, emit: Emit): void {
  const { at, memories } = world;
  const { section, uid, floor } = readCall(state.get(at.call(run)));
  const place = at.memory(run, section);
  const next = state.copy();
  next.set(at.call(run), 0);
  const taken = memories.take(state.get(place), uid);
  if (taken === undefined) return;
  const { memory, seq } = taken;
  next.set(place, memory);
  const issued = state.get(at.issued(section, uid));
  if (seq > 15) throw new RangeError('numbers above 15 do not fit a state: choose smaller bounds');
  next.set(at.issued(section, uid), issued | (1 << seq));
  emit(next, `hands out ${seq} for uid ${uid}: run`, run, section);
  if ((issued & (1 << seq)) !== 0) throw new Violation(`0. No number is handed out twice for a uid: ${seq} of uid ${uid} in section ${section}`);
  if (seq <= floor)
    throw new Violation(
      `1. Every number handed out for a uid is greater than every number for that uid whose call had returned before this call began: ${seq} after ${floor}`,
    );
}

/** What was asked before and not answered is forgotten here, and may come to the leader all the same: then it is another epoch's. */
function askRaise(world: World, state: State, run: number, section: number, emit: Emit): void {
  const { at, bounds, memories, raises } = world;
  const memory = state.get(at.memory(run, section));
  if (bounds.seqMax === 0 || !memories.isOpen(memory)) return;
  const { epoch } = memories.values.valueOf(memory).allocator ?? { epoch: 0 };
  // One in flight for each section; a repeat is identical.
  if (raises.valueOf(state.get(at.raise(run, section)))?.epoch === epoch) return;
  const to = memories.raiseDue(memory);
  if (to === 0 || to > bounds.seqMax) return;
  const next = state.copy();
  next.set(at.raise(run, section), raises.numberOf({ epoch, to, answer: 0 }));
  if (world.mutant === 'raise-before-commit') next.set(at.memory(run, section), memories.raised(memory, epoch, to));
  emit(next, `asks for a raise to ${to}: run`, run, section);
}

function commitRaise(world: World, state: State, run: number, section: number, emit: Emit): void {
  const { at, bounds, memories, raises } = world;
  const place = at.raise(run, section);
  const raise = raises.valueOf(state.get(place));
  if (raise === null) return;
  const { epoch, to, answer } = raise;
  if (answer > 0) {
    if (!world.isRunning(state, run)) return;
    const next = state.copy();
    next.set(at.memory(run, section), memories.raised(state.get(at.memory(run, section)), epoch, answer));
    next.set(place, 0);
    return emit(next, `hears that ${answer} is committed: run`, run, section);
  }
  if (isUnready(world, state)) return;
  const next = state.copy();
  const caller = callerOf(run, state.get(at.name(run)));
  const items = [{ section: toSectionId(section), epoch: toEpoch(epoch), to: toSeq(BigInt(to)) }];
  const { result } = world.commit(next, { type: 'raise', ...caller, raises: items });
  const outcome = result.type === 'raises' ? result.outcomes[0] : undefined;
  if (bounds.repeats && next.get(at.store) !== state.get(at.store))
    emit(next.copy(), `a raise to ${to} is committed, and its answer lost: run`, run, section);
  const isAnswered = outcome?.type === 'raised' && world.isAlive(state, run);
  next.set(place, isAnswered ? raises.numberOf({ epoch, to, answer: Number(outcome.maxSeq) }) : 0);
  emit(next, `a raise to ${to} is ${outcome?.type ?? 'refused'}: run`, run, section);
}

/** The counters of a section that is to leave are sealed, and kept for the successor; their release is on its way. */
function seal(world: World, state: State, run: number, section: number, emit: Emit): void {
  const { at, memories, mutant } = world;
  const memory = memories.values.valueOf(state.get(at.memory(run, section)));
  if (mutant === 'seal-opens-again' && memory.allocator?.isSealed && state.get(at.release(run, section)) > 0) {
    const next = state.copy();
    next.set(at.memory(run, section), memories.values.numberOf({ ...memory, allocator: { ...memory.allocator, isSealed: false } }));
    emit(next, 'opens again what it sealed: run', run, section);
  }
  if (!memories.isOpen(state.get(at.memory(run, section))) || memory.window?.next === undefined || memory.window.next === NOBODY) return;
  const next = state.copy();
  sealInto(world, next, run, section);
  emit(next, 'seals, and asks to release: run', run, section);
}

function sealInto({ at, memories, releases }: World, next: State, run: number, section: number): void {
  const sealed = memories.seal(next.get(at.memory(run, section)));
  const kept = memories.keptOf(sealed);
  const value = memories.kept.valueOf(kept);
  next.set(at.memory(run, section), sealed);
  next.set(at.kept(run, section), kept);
  if (value === null) return;
  const { epoch, counters } = value;
  next.set(at.release(run, section), releases.numberOf({ epoch, trueMax: counters.trueMax, digest: memories.digestOf(kept) ?? null }));
}

function commitRelease(world: World, state: State, run: number, section: number, emit: Emit): void {
  const { at, bounds, releases, stores } = world;
  const place = at.release(run, section);
  const release = releases.valueOf(state.get(place));
  if (release === null || isUnready(world, state)) return;
  const { epoch, trueMax, digest } = release;
  const next = state.copy();
  const item = { firstSection: toSectionId(section), sectionCount: 1, epoch: toEpoch(epoch), trueMax: toSeq(BigInt(trueMax)) };
  const releasesOf = [digest === null ? item : { ...item, digest }];
  const { result } = world.commit(next, { type: 'release', ...callerOf(run, state.get(at.name(run))), generation: 1, releases: releasesOf });
  const isDone = result.type === 'released' && result.releasedCount === 1;
  if (bounds.repeats && isDone) emit(next.copy(), 'a release is committed, and its answer lost: run', run, section);
  next.set(place, 0);
  // Refused, and the newest table still names this very epoch of this run: it ends.
  const { owner, epoch: newest } = stores.valueOf(state.get(at.store)).sections[section] ?? { owner: NOBODY, epoch: 0 };
  if (!isDone && owner === run && newest === epoch && state.get(at.status(run)) === ALIVE) world.end(next, run);
  emit(next, `a release is ${isDone ? 'committed' : 'refused'}: run`, run, section);
}

/** A successor copies what an owner serves, or has sealed; early and late, whole as it seems: only the digest tells. */
function copy(world: World, state: State, run: number, section: number, emit: Emit): void {
  const { at, memories } = world;
  for (let owner = 0; owner < at.runCount; owner += 1) {
    if (owner === run || !world.isAlive(state, owner)) continue;
    const memory = state.get(at.memory(owner, section));
    const { window, allocator } = memories.values.valueOf(memory);
    const isLeaving = window?.next === state.get(at.name(run)) && allocator !== null && !allocator.isSealed;
    const sources = [isLeaving ? memories.keptOf(memory) : 0, state.get(at.kept(owner, section))];
    for (const found of new Set(sources)) {
      if (found === 0 || found === state.get(at.staged(run, section)) || !isOfUse(world, state, run, section, found)) continue;
      const next = state.copy();
      next.set(at.staged(run, section), found);
      emit(next, `copies the counters of run ${owner}: run`, run, section);
    }
  }
}

/** Counters of an epoch before the one that it has are never asked for. */
function isOfUse({ at, memories }: World, state: State, run: number, section: number, found: number): boolean {
  const { window, opened } = memories.values.valueOf(state.get(at.memory(run, section)));
  const { epoch } = memories.kept.valueOf(found) ?? { epoch: 0 };
  return epoch >= Math.max(opened, (window?.epoch ?? 0) - 1);
}

/** With counters that have the committed digest, or without for good: before the first answer. */
function install(world: World, state: State, run: number, section: number, emit: Emit): void {
  const { at, memories, mutant } = world;
  const place = at.memory(run, section);
  const memory = state.get(place);
  if (mutant === 'install-late') installLate(world, state, run, section, emit);
  if (!memories.isAwaited(memory)) return;
  const handoff = memories.values.valueOf(memory).window?.handoff;
  for (const found of new Set([state.get(at.staged(run, section)), state.get(at.kept(run, section))])) {
    const isFit = memories.kept.valueOf(found)?.epoch === handoff?.epoch && (mutant === 'no-digest' || memories.digestOf(found) === handoff?.digest);
    if (found !== 0 && isFit) into(found, 'installs the counters that were handed over: run');
  }
  into(0, 'gives up waiting for counters: run');

  function into(found: number, what: string): void {
    const next = state.copy();
    next.set(place, memories.install(memory, found));
    next.set(at.staged(run, section), 0);
    emit(next, what, run, section);
  }
}

/** Of a mutant: counters that come when the epoch serves already. */
function installLate({ at, memories }: World, state: State, run: number, section: number, emit: Emit): void {
  const { allocator, ...memory } = memories.values.valueOf(state.get(at.memory(run, section)));
  const found = memories.kept.valueOf(state.get(at.staged(run, section)));
  if (allocator === null || allocator.isSealed || found?.epoch !== allocator.epoch - 1) return;
  const { defaultSeq, cur } = found.counters;
  const counters = { ...allocator.counters, defaultSeq, cur };
  const next = state.copy();
  next.set(at.memory(run, section), memories.values.numberOf({ ...memory, allocator: { ...allocator, counters } }));
  emit(next, 'installs counters although it serves already: run', run, section);
}

/** A clean stop: all sealed in one turn and saved, then released, and the process ends. */
function stop(world: World, state: State, run: number, emit: Emit): void {
  const { at, bounds, memories } = world;
  const next = state.copy();
  for (let section = 0; section < bounds.sections; section += 1) {
    if (memories.isOpen(next.get(at.memory(run, section)))) sealInto(world, next, run, section);
    const kept = next.get(at.kept(run, section));
    if (memories.digestOf(kept) !== undefined) next.set(at.file(state.get(at.name(run)), section), kept);
  }
  next.set(at.stopsLeft, state.get(at.stopsLeft) - 1);
  world.end(next, run);
  emit(next, 'stops: all sealed, saved and about to be released: run', run);
}

const FLOORS = 16;
const UIDS = 4;

function callOf({ section, uid, floor }: { readonly section: number; readonly uid: number; readonly floor: number }): number {
  return 1 + floor + FLOORS * (uid + UIDS * section);
}

export function readCall(call: number): { readonly section: number; readonly uid: number; readonly floor: number } {
  const rest = call - 1;
  return { floor: rest % FLOORS, uid: Math.floor(rest / FLOORS) % UIDS, section: Math.floor(rest / FLOORS / UIDS) };
}

export function moveCall(call: number, sectionTo: (section: number) => number): number {
  if (call === 0) return 0;
  const { section, ...rest } = readCall(call);
  return callOf({ ...rest, section: sectionTo(section) });
}

function topBit(mask: number): number {
  return mask === 0 ? 0 : 31 - Math.clz32(mask);
}
