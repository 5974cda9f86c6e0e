import type { State } from './layout.js';
import { Violation, type World } from './world.js';

/** What must hold in every state. Invariants 0 and 1 are checked by each call (section-steps.ts). Throws a Violation. */
export function checkState(world: World, state: State): void {
  const { at, memories, stores } = world;
  const { sections } = stores.valueOf(state.get(at.store));
  for (const [section, { owner, epoch, base, maxSeq }] of sections.entries()) {
    let holderCount = 0;
    for (let run = 0; run < at.runCount; run += 1) {
      const { allocator } = memories.values.valueOf(state.get(at.memory(run, section)));
      if (allocator === null) continue;
      if (world.serves(state, run, section)) holderCount += 1;
      // What an open allocator may hand out was committed for its epoch; a later epoch begins above it.
      const isPresent = owner === run && allocator.epoch === epoch;
      if (!allocator.isSealed && allocator.counters.maxSeq > (isPresent ? maxSeq : base))
        throw new Violation(
          `2. curSeq <= maxSeq in memory <= maxSeq committed by Raft: run ${run} has ${allocator.counters.maxSeq} in section ${section}`,
        );
    }
    if (holderCount > 1) throw new Violation(`3. At most one AllocSvr holds a valid lease on a section: ${holderCount} do on section ${section}`);
  }
}

/** What must hold of every step. */
export function checkStep({ at, stores }: World, state: State, next: State): void {
  if (state.get(at.store) === next.get(at.store)) return;
  const before = stores.valueOf(state.get(at.store)).sections;
  for (const [section, after] of stores.valueOf(next.get(at.store)).sections.entries()) {
    const was = before[section];
    if (was === undefined) continue;
    const isRetired = after.epoch > was.epoch || (after.owner < 0 && was.owner >= 0);
    if (after.epoch < was.epoch || after.base < was.base || (after.maxSeq < was.maxSeq && !isRetired))
      throw new Violation(
        '4. Within a generation, `epoch` and `routingVersion` never go back, and `maxSeq` never does except in the release entry that retires an epoch',
      );
  }
}
