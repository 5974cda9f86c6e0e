import { SeededRandom } from '../unit/seeded-random.js';

/** Something that is to happen at a moment of the world. */
export interface WorldEvent {
  readonly atMs: number;
  readonly order: number;
  /** For the trace hash and for people: what kind of thing it is, and where. */
  readonly kind: string;
  run: (() => void) | undefined;
}

/** The last events of a run are kept for whoever reads about a failure. */
const KEPT_EVENTS = 400;
/** Events at one moment; a world with more stands still, and would for ever. Thousands of calls that fail at once stay far below. */
const EVENTS_AT_A_MOMENT_MAX = 200_000;

/** Somebody asks again and again for what takes no time, so no later moment ever comes. */
export class TimeStandsStill extends Error {}

/** FNV-1a, for 32 bits. */
const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/**
 * One virtual time for a whole cluster: events in the order of their moments, those of one moment in the order they came. Between
 * two events every promise that can go on does. The same seed gives the same events and the same hash.
 */
export class World {
  readonly #random: SeededRandom;
  readonly #heap: WorldEvent[] = [];
  readonly #recent: { atMs: number; kind: string }[] = [];
  #deferred: (() => void)[] = [];
  #nowMs = 0;
  #order = 0;
  #hash = FNV_START;
  /** Of each kind of event, once. */
  readonly #kindHashes = new Map<string, number>();
  #eventCount = 0;

  /** The host in whose process the last event was; undefined: it was nobody's. */
  touched: string | undefined;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  /** Since the beginning of the world, in ms; a fraction. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  /** Of everything that happened so far. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }

  /** The last events, oldest first. */
  get recent(): readonly { readonly atMs: number; readonly kind: string }[] {
    return [...this.#recent.slice(this.#eventCount % KEPT_EVENTS), ...this.#recent.slice(0, this.#eventCount % KEPT_EVENTS)];
  }

  /** Dice of its own for one part of the world: what one part draws changes nothing for the others. */
  fork(): SeededRandom {
    return new SeededRandom(this.#random.below(2 ** 32));
  }

  /** The returned event is called off by clearing its `run`. */
  after(delayMs: number, kind: string, run: () => void): WorldEvent {
    const event: WorldEvent = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, kind, run };
    this.#push(event);
    return event;
  }

  /** Runs after the event that is under way, when its promises have gone on: the next turn of that process's event loop. */
  defer(run: () => void): void {
    this.#deferred.push(run);
  }

  /** A note in the trace, and in its hash. */
  note(kind: string, value = 0): void {
    this.#mix(kind, value);
  }

  /**
   * Runs everything that is due within `forMs`; after each event, when all promises have gone on, calls `check`. Ends early when it returns true.
   * Throws TimeStandsStill.
   */
  async run(forMs: number, check: () => boolean): Promise<void> {
    const untilMs = this.#nowMs + forMs;
    let atMoment = 0;
    for (let event = this.#heap[0]; event !== undefined && event.atMs <= untilMs; event = this.#heap[0]) {
      this.#pop();
      const { run } = event;
      if (run === undefined) continue;
      atMoment = event.atMs === this.#nowMs ? atMoment + 1 : 0;
      if (atMoment > EVENTS_AT_A_MOMENT_MAX) throw new TimeStandsStill(`time stands still at ${this.#nowMs} ms, the last event is ${event.kind}`);
      this.#nowMs = event.atMs;
      this.#mix(event.kind, event.atMs);
      this.#recent[this.#eventCount % KEPT_EVENTS] = event;
      this.#eventCount += 1;
      this.touched = undefined;
      run();
      await settled();
      while (this.#deferred.length > 0) {
        const turn = this.#deferred;
        this.#deferred = [];
        for (const deferred of turn) deferred();
        await settled();
      }
      if (check()) return;
    }
    this.#nowMs = untilMs;
  }

  #mix(kind: string, value: number): void {
    let kindHash = this.#kindHashes.get(kind);
    if (kindHash === undefined) {
      kindHash = hashOf(kind);
      this.#kindHashes.set(kind, kindHash);
    }
    this.#hash = Math.imul(Math.imul(this.#hash ^ kindHash, FNV_PRIME) ^ Math.floor(value * 1000), FNV_PRIME);
  }

  #push(event: WorldEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent] as WorldEvent;
      if (!isBefore(event, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop() as WorldEvent;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const least = right < heap.length && isBefore(heap[right] as WorldEvent, heap[left] as WorldEvent) ? right : left;
      if (!isBefore(heap[least] as WorldEvent, last)) break;
      heap[at] = heap[least] as WorldEvent;
      at = least;
    }
    heap[at] = last;
  }
}

function hashOf(text: string): number {
  let hash = FNV_START;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), FNV_PRIME);
  return hash;
}

function isBefore(one: WorldEvent, other: WorldEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}

/** Node runs a tick only when no promise can go on any more. */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
