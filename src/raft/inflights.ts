import { assert } from '../base/assert.js';
import type { Index } from './types.js';

interface Inflight {
  readonly lastIndex: Index;
  readonly bytes: number;
}

export interface InflightLimits {
  /** Appends under way to one follower. */
  readonly messages: number;
  /** Bytes in them; one append may cross it, so that a large entry is not stuck for ever. 0: no limit. */
  readonly bytes: number;
}

/** Appends under way to one follower: the last index and the size of each, oldest first. */
export class Inflights {
  readonly #limits: InflightLimits;
  #list: Inflight[] = [];
  /** Everything before it was freed. */
  #head = 0;
  #bytes = 0;

  constructor(limits: InflightLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#list.length - this.#head;
  }

  get isFull(): boolean {
    const { messages, bytes } = this.#limits;
    return this.count >= messages || (bytes > 0 && this.#bytes >= bytes);
  }

  add(inflight: Inflight): void {
    assert(!this.isFull, 'nothing is added to a full pipeline');
    this.#list.push(inflight);
    this.#bytes += inflight.bytes;
  }

  /** Frees what is under way up to `index`. */
  free(index: Index): void {
    for (let first = this.#list[this.#head]; first !== undefined && first.lastIndex <= index; first = this.#list[this.#head]) {
      this.#bytes -= first.bytes;
      this.#head += 1;
    }
    // Half of the list is past: what that costs was paid by the frees that made it so.
    if (this.#head * 2 < this.#list.length) return;
    this.#list = this.#list.slice(this.#head);
    this.#head = 0;
  }

  clone(): Inflights {
    const copy = new Inflights(this.#limits);
    copy.#list = this.#list.slice(this.#head);
    copy.#bytes = this.#bytes;
    return copy;
  }
}
