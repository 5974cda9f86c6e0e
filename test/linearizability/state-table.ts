import type { State } from './model.js';

/** States by number, so that a configuration has a fixed size. A Map compares whole values: equal numbers are equal states. */
export class StateTable<S extends State> {
  readonly #numbers = new Map<S, number>();
  readonly #states: S[] = [];
  /** Roughly: two bytes a character. */
  sizeBytes = 0;

  numberOf(state: S): number {
    const known = this.#numbers.get(state);
    if (known !== undefined) return known;
    const number = this.#states.push(state) - 1;
    this.#numbers.set(state, number);
    this.sizeBytes += ENTRY_BYTES + (typeof state === 'string' ? state.length * 2 : 0);
    return number;
  }

  stateOf(number: number): S {
    return this.#states[number] as S;
  }
}

const ENTRY_BYTES = 64;
