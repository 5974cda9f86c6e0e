/** Buckets for each doubling: the middle of a bucket is off by less than 1 % of what was recorded. */
const PER_DOUBLING = 64;
/** Up to 2^26 us, about 67 s: what is longer counts as that long. */
const DOUBLINGS = 26;
const US_PER_MS = 1_000;

/** How long things took: 1 us to 67 s, in a fixed few kilobytes however many there are. Recording allocates nothing. */
export class Histogram {
  /** The first PER_DOUBLING are microseconds one by one; then PER_DOUBLING / 2 for each doubling. */
  readonly #counts = new Float64Array(PER_DOUBLING + (DOUBLINGS - Math.log2(PER_DOUBLING)) * (PER_DOUBLING / 2));
  #count = 0;
  #maxMs = 0;

  get count(): number {
    return this.#count;
  }

  /** The longest, exactly; 0: nothing was recorded. */
  get maxMs(): number {
    return this.#maxMs;
  }

  /** Negative counts as 0. */
  record(ms: number): void {
    const place = placeOf(ms * US_PER_MS, this.#counts.length);
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

function placeOf(us: number, placeCount: number): number {
  if (us < PER_DOUBLING) return Math.max(0, Math.floor(us));
  const doubling = Math.floor(Math.log2(us / PER_DOUBLING));
  const within = Math.floor(us / 2 ** (doubling + 1)) - PER_DOUBLING / 2;
  return Math.min(placeCount - 1, PER_DOUBLING + doubling * (PER_DOUBLING / 2) + within);
}

function middleOf(place: number): number {
  if (place < PER_DOUBLING) return place + 0.5;
  const doubling = Math.floor((place - PER_DOUBLING) / (PER_DOUBLING / 2));
  const within = (place - PER_DOUBLING) % (PER_DOUBLING / 2);
  return (within + PER_DOUBLING / 2 + 0.5) * 2 ** (doubling + 1);
}
