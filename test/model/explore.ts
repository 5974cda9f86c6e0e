import { InvariantError } from '../../src/base/assert.js';
import type { Bounds } from './bounds.js';
import { Canonical } from './canonical.js';
import { checkState, checkStep } from './checks.js';
import { State } from './layout.js';
import type { Mutant } from './mutants.js';
import { getsWell } from './recovery.js';
import { stepsFrom } from './steps.js';
import { tidy } from './tidy.js';
import { Visited } from './visited.js';
import { type Emit, Violation, World } from './world.js';

export interface Exploration {
  readonly stateCount: number;
  readonly stepCount: number;
  /** The longest of all shortest ways to a state. */
  readonly depth: number;
  /** States from which nothing comes any more. */
  readonly stuckCount: number;
  /** States of which it was shown that they can get well again. */
  readonly recoveredCount: number;
  /** Undefined: nothing that is forbidden is reachable. */
  readonly violation: { readonly what: string; readonly trace: readonly string[] } | undefined;
  /** False: it was ended by `statesMax`. */
  readonly isWhole: boolean;
}

export interface ExploreOptions {
  readonly bounds: Bounds;
  readonly mutant?: Mutant | undefined;
  /** Of so many states one is asked whether it can get well again; absent: all. */
  readonly recoverEvery?: number;
  /** Gives up beyond that many states. */
  readonly statesMax?: number;
  /** Told after each level. */
  readonly onLevel?: (progress: { readonly depth: number; readonly stateCount: number; readonly waitingCount: number }) => void;
}

function textOf({ cells }: State): string {
  return String.fromCharCode(...cells);
}

function stateOf(text: string): State {
  return new State(Array.from({ length: text.length }, (_, place) => text.charCodeAt(place)));
}

/** Visits every state that can be reached within the bounds, nearest first. Stops at the first that breaks a promise. */
export function explore({ bounds, mutant, recoverEvery = 1, statesMax = 1e8, onLevel }: ExploreOptions): Exploration {
  const world = new World(bounds, mutant);
  const canonical = new Canonical(world);
  const visited = new Visited();
  let stepCount = 0;
  let stuckCount = 0;
  let recoveredCount = 0;
  let depth = 0;
  // As text, for that is the smallest that a row of small numbers can be.
  let level: { readonly cells: string; readonly number: number }[] = [];
  const first = canonical.of(world.first());
  level.push({ cells: textOf(first), number: visited.add(first.cells, 0) ?? 0 });
  const done = (rest: Pick<Exploration, 'violation' | 'isWhole'>): Exploration => ({
    stateCount: visited.count,
    stepCount,
    depth,
    stuckCount,
    recoveredCount,
    ...rest,
  });

  while (level.length > 0) {
    onLevel?.({ depth, stateCount: visited.count, waitingCount: level.length });
    const following: typeof level = [];
    for (const { cells, number } of level) {
      const state = stateOf(cells);
      const before = stepCount;
      try {
        stepsFrom(world, state, (next) => {
          stepCount += 1;
          checkStep(world, state, next);
          const found = canonical.of(next);
          const added = visited.add(found.cells, number);
          if (added === undefined) return;
          following.push({ cells: textOf(found), number: added });
          checkState(world, found);
          // Not of mutants: their violations are others.
          if (mutant !== undefined || added % recoverEvery !== 0) return;
          recoveredCount += 1;
          if (!getsWell(world, found)) throw new Violation('with no fault any more no way leads back to a state in which every section is served');
        });
      } catch (error) {
        if (!(error instanceof Violation) && !(error instanceof InvariantError)) throw error;
        return done({ violation: { what: error.message, trace: traceOf(world, canonical, visited, number) }, isWhole: false });
      }
      if (stepCount === before) stuckCount += 1;
      if (visited.count > statesMax) return done({ violation: undefined, isWhole: false });
    }
    level = following;
    if (level.length > 0) depth += 1;
  }
  return done({ violation: undefined, isWhole: true });
}

/**
 * The steps of a way, in words, and the one that broke a promise. Along the way nothing changes places, so that a name means the same
 * all the time.
 */
function traceOf(world: World, canonical: Canonical, visited: Visited, to: number): readonly string[] {
  const trace: string[] = [];
  let state = world.first();
  tidy(world, state);
  for (const number of visited.pathTo(to).slice(1)) {
    let found: { readonly next: State; readonly words: string } | undefined;
    stepsFrom(world, state, (next, ...about) => {
      if (found === undefined && visited.numberOf(canonical.of(next).cells) === number) found = { next, words: wordsOf(about) };
    });
    if (found === undefined) throw new RangeError('every state on the way came from the one before');
    trace.push(found.words);
    state = found.next;
  }
  return [...trace, lastOf(world, state)];
}

/** The step that broke a promise. */
function lastOf(world: World, state: State): string {
  let words = '';
  try {
    stepsFrom(world, state, (next, ...about) => {
      words = wordsOf(about);
      checkStep(world, state, next);
      checkState(world, next);
      if (world.mutant === undefined && !getsWell(world, next)) throw new Violation('it does not get well');
    });
  } catch (error) {
    if (error instanceof Violation) return words;
    if (error instanceof InvariantError) return 'an assert of the product fails';
  }
  throw new RangeError('the last step breaks a promise');
}

function wordsOf([what, run = -1, section = -1]: Parameters<Emit> extends [unknown, ...infer About] ? About : never): string {
  return `${what}${run < 0 ? '' : ` ${run}`}${section < 0 ? '' : `, section ${section}`}`;
}
