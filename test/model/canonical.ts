import { State } from './layout.js';
import { Memo } from './interner.js';
import type { HandoffValue, WindowValue } from './store-values.js';
import { moveCall } from './section-steps.js';
import { tidy } from './tidy.js';
import type { World } from './world.js';

/** AllocSvrs and sections that change places; what stays is where it was. */
interface Swap {
  readonly number: number;
  readonly name: (name: number) => number;
  readonly run: (run: number) => number;
  readonly section: (section: number) => number;
}

/**
 * The one state that stands for all that are the same but for which AllocSvr and which section is which. Sound, for no step and
 * no check prefers one to another: what the planner would pick by its name is tried with every choice (leader-steps.ts).
 */
export class Canonical {
  readonly #world: World;
  readonly #swaps: readonly { readonly swap: Swap; readonly to: State }[];
  readonly #moved = new Memo<number>();

  constructor(world: World) {
    this.#world = world;
    const { allocs, sections } = world.bounds;
    const exchange = (isOn: boolean) => (place: number) => (isOn && place < 2 ? 1 - place : place);
    const both = [false, true];
    this.#swaps = both
      .filter((isOn) => !isOn || sections === 2)
      .flatMap((isSectionOn) =>
        both
          .filter((isOn) => !isOn || allocs === 2)
          .map((isNameOn) => ({
            number: (isSectionOn ? 2 : 0) + (isNameOn ? 1 : 0),
            name: exchange(isNameOn),
            // The first run of each AllocSvr has its number; later ones keep theirs.
            run: exchange(isNameOn),
            section: exchange(isSectionOn),
          })),
      )
      .filter(({ number }) => number > 0)
      .map((swap) => ({ swap, to: new State([]) }));
  }

  /** Changes `state` into one that acts alike. What is returned may be it, and is good until the next call. */
  of(state: State): State {
    tidy(this.#world, state);
    let least = state;
    for (const { swap, to } of this.#swaps) {
      this.#swapInto(to, state, swap);
      if (isBefore(to.cells, least.cells)) least = to;
    }
    return least;
  }

  #swapInto(to: State, state: State, swap: Swap): void {
    const { at, bounds } = this.#world;
    for (let place = 0; place < at.cellCount; place += 1) to.cells[place] = state.get(place);
    to.set(at.store, this.#store(state.get(at.store), swap));
    to.set(at.decision, this.#decision(state.get(at.decision), swap));
    to.set(at.oldDecision, this.#decision(state.get(at.oldDecision), swap));
    const stale = state.get(at.staleStore);
    to.set(at.staleStore, stale === 0 ? 0 : this.#store(stale - 1, swap) + 1);
    for (let run = 0; run < at.runCount; run += 1) this.#moveRun(state, to, run, swap);
    for (let section = 0; section < bounds.sections; section += 1) {
      for (let uid = 0; uid < bounds.uids; uid += 1) to.set(at.issued(swap.section(section), uid), state.get(at.issued(section, uid)));
      for (let name = 0; name < bounds.allocs; name += 1) to.set(at.file(swap.name(name), swap.section(section)), state.get(at.file(name, section)));
    }
  }

  #moveRun(state: State, to: State, run: number, swap: Swap): void {
    const { at, bounds } = this.#world;
    const other = swap.run(run);
    to.set(at.waitAge(other), state.get(at.waitAge(run)));
    const shift = at.status(other) - at.status(run);
    if (shift !== 0) for (let place = at.status(run); place < at.memory(run, 0); place += 1) to.set(place + shift, state.get(place));
    // Which AllocSvr it is of means nothing before it was started.
    to.set(at.name(other), state.get(at.status(run)) === 0 ? 0 : swap.name(state.get(at.name(run))));
    to.set(at.call(other), moveCall(state.get(at.call(run)), swap.section));
    for (let slot = 0; slot < bounds.renewals; slot += 1)
      to.set(at.renewalAnswer(other, slot), this.#answer(state.get(at.renewalAnswer(run, slot)), swap));
    for (let section = 0; section < bounds.sections; section += 1) {
      const moved = swap.section(section);
      to.set(at.memory(other, moved), this.#memory(state.get(at.memory(run, section)), swap));
      to.set(at.kept(other, moved), state.get(at.kept(run, section)));
      to.set(at.staged(other, moved), state.get(at.staged(run, section)));
      to.set(at.raise(other, moved), state.get(at.raise(run, section)));
      to.set(at.release(other, moved), state.get(at.release(run, section)));
    }
  }

  #store(store: number, swap: Swap): number {
    const { stores } = this.#world;
    return this.#moved.get(keyOf(0, store, swap), () => {
      const value = stores.valueOf(store);
      const run = (number: number): number => (number < 0 ? number : swap.run(number));
      return stores.values.numberOf({
        ...value,
        sections: moved(value.sections, swap.section).map((section) => ({
          ...section,
          owner: run(section.owner),
          next: run(section.next),
          handoff: handoffIn(section.handoff, swap),
        })),
        allocs: moved(value.allocs, swap.name).map((alloc) => ({
          ...alloc,
          run: run(alloc.run),
          former: alloc.former.map(run),
          dead: alloc.dead.map(run),
        })),
      });
    });
  }

  #memory(memory: number, swap: Swap): number {
    if (memory === 0) return 0;
    const { values } = this.#world.memories;
    return this.#moved.get(keyOf(1, memory, swap), () => {
      const value = values.valueOf(memory);
      return values.numberOf({ ...value, window: windowIn(value.window, swap) });
    });
  }

  #answer(answer: number, swap: Swap): number {
    if (answer === 0) return 0;
    const { answers } = this.#world;
    return this.#moved.get(keyOf(2, answer, swap), () => {
      const value = answers.valueOf(answer);
      if (value === null) return 0;
      return answers.numberOf({
        ...value,
        windows: value.windows.length === 0 ? [] : moved(value.windows, swap.section).map((window) => windowIn(window, swap)),
      });
    });
  }

  #decision(decision: number, swap: Swap): number {
    if (decision === 0) return 0;
    const { decisions } = this.#world;
    return this.#moved.get(keyOf(3, decision, swap), () => {
      const value = decisions.valueOf(decision);
      if (value === null) return 0;
      const moves = value.moves.map(({ section, to }) => ({ section: swap.section(section), to: swap.run(to) }));
      return decisions.numberOf({
        ...value,
        moves: moves.sort((one, other) => one.section - other.section),
        disowned: value.disowned.map(swap.run).sort((one, other) => one - other),
      });
    });
  }
}

function keyOf(kind: number, number: number, swap: Swap): number {
  return (number * 4 + kind) * 4 + swap.number;
}

function moved<Value>(values: readonly Value[], to: (place: number) => number): readonly Value[] {
  const result = [...values];
  for (const [place, value] of values.entries()) result[to(place)] = value;
  return result;
}

function windowIn(window: WindowValue | null, swap: Swap): WindowValue | null {
  if (window === null) return null;
  return { ...window, next: window.next < 0 ? window.next : swap.name(window.next), handoff: handoffIn(window.handoff, swap) };
}

function handoffIn(handoff: HandoffValue | null, swap: Swap): HandoffValue | null {
  return handoff === null ? null : { ...handoff, from: swap.name(handoff.from) };
}

function isBefore(one: readonly number[], other: readonly number[]): boolean {
  for (let place = 0; place < one.length; place += 1) {
    const difference = (one[place] ?? 0) - (other[place] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
