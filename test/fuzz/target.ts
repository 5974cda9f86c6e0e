import { DamageError } from '../../src/store/damage.js';
import { SeqError } from '../../src/base/errors.js';
import type { SeededRandom } from '../unit/seeded-random.js';

/** What one input came to: begins with `ok` when it was taken, or is the code and the rule of what refused it. */
export type Outcome = string;

/** What one input came to, step by step when it has several. */
export type Fed = Outcome | readonly Outcome[];

/** How an input is made, so that a mutation can change one part of it and leave the rest whole. */
export interface Shape {
  /** one: the input is one payload. frames: several, as frames.ts packs them. */
  readonly parts: 'one' | 'frames';
  /** proto: payloads are messages, changed field by field too. text: words and signs move. */
  readonly payload: 'raw' | 'proto' | 'text';
  /** Makes checksums right again after a mutation, or only those would ever be tested. Must take any bytes. */
  readonly seal?: (payload: Uint8Array) => Uint8Array;
  /** Words that mean something to the target. */
  readonly words?: readonly string[];
}

/** One door of the program that bytes from outside come through. */
export interface Target {
  readonly name: string;
  /** What the bytes are, and where they go. */
  readonly about: string;
  readonly shape: Shape;
  /** A valid input, or one that nearly is. */
  generate(random: SeededRandom): Uint8Array;
  /**
   * Feeds one input to a stage of its own, so that the bytes alone replay it. Throws what must not happen: anything that is no
   * documented error, and every invariant that does not hold. Several outcomes when the input is several steps.
   */
  feed(input: Uint8Array): Fed | Promise<Fed>;
}

/** A rule of a target was broken. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

export function mustHold(condition: boolean, rule: string | (() => string)): asserts condition {
  if (!condition) throw new Broken(typeof rule === 'string' ? rule : rule());
}

/** Runs it; a SeqError is an answer, and so is a DamageError where the door documents one. */
export function outcomeOf(run: () => Outcome | undefined, documented: 'SeqError' | 'DamageError too' = 'SeqError'): Outcome {
  try {
    return run() ?? 'ok';
  } catch (error) {
    return refusalOf(error, documented);
  }
}

/** The outcome that an error is; throws it again when nobody said that it may come. */
export function refusalOf(error: unknown, documented: 'SeqError' | 'DamageError too' = 'SeqError'): Outcome {
  if (error instanceof SeqError) return `${error.code} ${error.message}`;
  if (error instanceof DamageError && documented === 'DamageError too') return `DAMAGE ${error.message}`;
  throw error;
}
