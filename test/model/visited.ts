/** A row of numbers that grows: half as long again each time it is full. */
class Row {
  #cells: Uint32Array = new Uint32Array(1 << 16);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#cells.length) {
      const grown = new Uint32Array(Math.floor(this.#length * 1.5));
      grown.set(this.#cells);
      this.#cells = grown;
    }
    this.#cells[this.#length++] = value;
  }

  at(place: number): number {
    return this.#cells[place] ?? 0;
  }
}

/**
 * Which states were seen, and by which one each was found first. Of a state 64 bits of hash are kept: that two of N states share
 * them, so that one is taken for the other, has a chance of about N x N / 2^65 (10 million states: 1 in 370,000).
 */
export class Visited {
  readonly #high = new Row();
  readonly #low = new Row();
  readonly #parents = new Row();
  /** Number + 1 of who has the place; 0: nobody. */
  #places = new Uint32Array(1 << 18);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The state's number, from 0; undefined: it was seen before. */
  add(cells: readonly number[], parent: number): number | undefined {
    const { low, high } = hashOf(cells);
    const place = this.#placeOf(low, high);
    if (this.#places[place] !== 0) return undefined;
    this.#low.push(low);
    this.#high.push(high);
    this.#parents.push(parent);
    this.#places[place] = ++this.#count;
    if (this.#count * 2 > this.#places.length) this.#grow();
    return this.#count - 1;
  }

  /** The number of a state that was seen. */
  numberOf(cells: readonly number[]): number | undefined {
    const { low, high } = hashOf(cells);
    const number = this.#places[this.#placeOf(low, high)] ?? 0;
    return number === 0 ? undefined : number - 1;
  }

  /** The states on the way to this one, the first of all first. */
  pathTo(number: number): readonly number[] {
    const path = [number];
    for (let at = number; at > 0; ) {
      at = this.#parents.at(at);
      path.push(at);
    }
    return path.toReversed();
  }

  #placeOf(low: number, high: number): number {
    const mask = this.#places.length - 1;
    for (let place = low & mask; ; place = (place + 1) & mask) {
      const number = this.#places[place] ?? 0;
      if (number === 0 || (this.#low.at(number - 1) === low && this.#high.at(number - 1) === high)) return place;
    }
  }

  #grow(): void {
    this.#places = new Uint32Array(this.#places.length * 2);
    for (let number = 0; number < this.#count; number += 1) this.#places[this.#placeOf(this.#low.at(number), this.#high.at(number))] = number + 1;
  }
}

function hashOf(cells: readonly number[]): { readonly low: number; readonly high: number } {
  let low = 0x811c9dc5;
  let high = 0x9e3779b9;
  for (const cell of cells) {
    low = mixed(low ^ cell, 0x85ebca6b);
    high = mixed(high ^ (cell + 0x165667b1), 0xc2b2ae35);
  }
  return { low: low >>> 0, high: high >>> 0 };
}

function mixed(value: number, by: number): number {
  const product = Math.imul(value ^ (value >>> 15), by);
  return product ^ (product >>> 13);
}
