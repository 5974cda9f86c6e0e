import { ANSWERED, type State } from './layout.js';
import type { Mutant } from './mutants.js';
import type { World } from './world.js';

/** Of mutants that use what nobody could use otherwise: it is kept for them. */
const KEEPERS: ReadonlySet<Mutant | undefined> = new Set<Mutant>(['former-memory', 'open-twice', 'no-digest', 'install-late', 'base-not-lifted']);

/**
 * Makes states that act alike one and the same: changes `state`. Versions become their places in the order in which one run may
 * see them, what nobody asks about any more becomes nothing, and a wait that waits for nothing is over: time passes where nobody
 * counts it. The last one lets the arbiter do more than it could; all others change nothing of what can happen.
 */
export function tidy(world: World, state: State): void {
  const { at, mutant } = world;
  for (let run = 0; run < at.runCount; run += 1) {
    if (!world.isGranted(state, run)) {
      state.set(at.waitAge(run), world.waitTicks);
      state.set(at.sinceAnswer(run), 0);
      state.set(at.skew(run), 0);
    }
    if (!world.isAlive(state, run)) continue;
    rankVersions(world, state, run);
    for (let slot = 0; slot < at.renewalCount; slot += 1) {
      // A table that is not newer than the newest seen is ignored.
      if (state.get(at.renewal(run, slot)) !== ANSWERED || state.get(at.renewalVersion(run, slot)) > state.get(at.seen(run))) continue;
      const answer = world.answers.valueOf(state.get(at.renewalAnswer(run, slot)));
      state.set(at.renewalVersion(run, slot), 0);
      state.set(at.renewalAnswer(run, slot), world.answers.numberOf({ leaseTicks: answer?.leaseTicks ?? 0, windows: [] }));
    }
    rankVersions(world, state, run);
  }
  if (KEEPERS.has(mutant)) return;
  for (let section = 0; section < at.sectionCount; section += 1) {
    dropUseless(world, state, section);
    for (let uid = 0; uid < at.uidCount; uid += 1) dropPassed(world, state, section, uid);
  }
}

function rankVersions({ at }: World, state: State, run: number): void {
  const seen = state.get(at.seen(run));
  const newest = state.get(at.newest(run));
  const versions = [seen, newest];
  for (let slot = 0; slot < at.renewalCount; slot += 1)
    if (state.get(at.renewal(run, slot)) === ANSWERED) versions.push(state.get(at.renewalVersion(run, slot)));
  const rankOf = (version: number): number => new Set(versions.filter((other) => other < version)).size;
  for (let slot = 0; slot < at.renewalCount; slot += 1)
    if (state.get(at.renewal(run, slot)) === ANSWERED) state.set(at.renewalVersion(run, slot), rankOf(state.get(at.renewalVersion(run, slot))));
  state.set(at.seen(run), rankOf(seen));
  state.set(at.newest(run), rankOf(newest));
}

/** Counters of an epoch are of use while that epoch may still be released, or somebody awaits them. */
function dropUseless(world: World, state: State, section: number): void {
  const { at, bounds, memories } = world;
  const places: number[] = [];
  for (let run = 0; run < at.runCount; run += 1) places.push(at.kept(run, section), at.staged(run, section));
  for (let name = 0; name < bounds.allocs; name += 1) places.push(at.file(name, section));
  for (const place of places) {
    const kept = state.get(place);
    if (kept !== 0 && !isOfUse(world, state, section, memories.kept.valueOf(kept)?.epoch ?? 0)) state.set(place, 0);
  }
}

function isOfUse({ at, memories, stores, answers }: World, state: State, section: number, epoch: number): boolean {
  const committed = stores.valueOf(state.get(at.store)).sections[section];
  if (committed === undefined || committed.epoch === epoch || committed.handoff?.epoch === epoch) return true;
  for (let run = 0; run < at.runCount; run += 1) {
    if (memories.values.valueOf(state.get(at.memory(run, section))).window?.handoff?.epoch === epoch) return true;
    for (let slot = 0; slot < at.renewalCount; slot += 1)
      if (answers.valueOf(state.get(at.renewalAnswer(run, slot)))?.windows[section]?.handoff?.epoch === epoch) return true;
  }
  return false;
}

/** Numbers that were handed out and that nobody can hand out, or hand out one below, any more. */
function dropPassed({ at, bounds, memories, stores, answers }: World, state: State, section: number, uid: number): void {
  const issued = state.get(at.issued(section, uid));
  if (issued === 0) return;
  let least = stores.valueOf(state.get(at.store)).sections[section]?.base ?? 0;
  const meet = (seq: number | undefined): void => {
    if (seq !== undefined && seq < least) least = seq;
  };
  for (let run = 0; run < at.runCount; run += 1) {
    const { allocator, window, opened } = memories.values.valueOf(state.get(at.memory(run, section)));
    if (allocator !== null && !allocator.isSealed) meet(allocator.counters.cur[uid]);
    if (window !== null && window.epoch > opened) meet(window.base);
    meet(memories.kept.valueOf(state.get(at.kept(run, section)))?.counters.cur[uid]);
    meet(memories.kept.valueOf(state.get(at.staged(run, section)))?.counters.cur[uid]);
    for (let slot = 0; slot < at.renewalCount; slot += 1) meet(answers.valueOf(state.get(at.renewalAnswer(run, slot)))?.windows[section]?.base);
  }
  for (let name = 0; name < bounds.allocs; name += 1) meet(memories.kept.valueOf(state.get(at.file(name, section)))?.counters.cur[uid]);
  state.set(at.issued(section, uid), issued & ~((2 << least) - 1));
}
