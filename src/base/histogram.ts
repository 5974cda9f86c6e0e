/** Buckets for each doubling: each is 1/64 as wide as where the doubling begins, so its middle is off by less than 0.8 % of what was recorded. */
const PER_DOUBLING = 64;
/** From 1 us up to 2^26 us, about 67 s. What is shorter counts as 1 us; what is longer, as 67 s, but for the longest of all. */
const DOUBLINGS = 26;
const US_END = 2 ** DOUBLINGS;
const US_PER_MS = 1_000;

/** How long things took: 1 us to 67 s, in 13 kB however many there are. Recording allocates nothing. */
export class Histogram {
  readonly #counts = new Float64Array(DOUBLINGS * PER_DOUBLING);
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  /** The longest, exactly; 0: nothing was recorded. */
  get maxMs(): number {
    return this.#maxMs;
  }

  record(ms: number): void {
    const place = placeOf(ms * US_PER_MS);
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#count += 1;
    if (ms > this.#maxMs) this.#maxMs = ms;
  }

  merge(other: Histogram): void {
    for (const [place, count] of other.#counts.entries()) this.#counts[place] = (this.#counts[place] ?? 0) + count;
    this.#count += other.#count;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  /** What `part` of all, in [0, 1], took at most; 0 when nothing was recorded. */
  percentileMs(part: number): number {
    let left = Math.ceil(this.#count * part);
    if (left >= this.#count) return this.#maxMs;
    for (const [place, count] of this.#counts.entries()) {
      left -= count;
      if (left <= 0 && count > 0) return Math.min(this.#maxMs, middleOf(place) / US_PER_MS);
    }
    return this.#maxMs;
  }
}

function placeOf(us: number): number {
  if (us < 1) return 0;
  if (us >= US_END) return DOUBLINGS * PER_DOUBLING - 1;
  // clz32 takes the whole microseconds; a logarithm takes ten times as long, and may be off by one at the edges.
  const doubling = 31 - Math.clz32(us);
  return doubling * PER_DOUBLING + Math.floor((us / (1 << doubling) - 1) * PER_DOUBLING);
}

function middleOf(place: number): number {
  const doubling = Math.floor(place / PER_DOUBLING);
  return (1 + ((place % PER_DOUBLING) + 0.5) / PER_DOUBLING) * (1 << doubling);
}
