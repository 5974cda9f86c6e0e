import { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { RaftCore } from './core.js';
import type { ReadState } from './read-queue.js';
import type { Index } from './types.js';

/** Reads that wait; more are refused. */
const PENDING_MAX = 10_000;

interface Read {
  /** Only this node itself may answer, by leading. */
  readonly mustLead: boolean;
  readonly resolve: (index: Index) => void;
  readonly reject: (error: SeqError) => void;
}

interface AskedReads {
  readonly reads: readonly Read[];
  readonly askedTick: number;
}

/** Reads of this node that wait: for the next turn, then for proof of leadership, then for this node to have applied enough. */
export class PendingReads {
  #new: Read[] = [];
  readonly #asked = new Map<number, AskedReads>();
  #confirmed: { readonly index: Index; readonly reads: readonly Read[] }[] = [];
  /** Neither resolved nor rejected. */
  #count = 0;
  #nextContext: number;

  constructor(random: Random) {
    // A leader may answer late what a former run of this process asked: that must not be taken for an answer to this one.
    this.#nextContext = random.below(2 ** 30) * 2 ** 20;
  }

  add({ mustLead }: { readonly mustLead: boolean }): Promise<Index> {
    return new Promise((resolve, reject) => {
      if (this.#count >= PENDING_MAX) return reject(new SeqError('RESOURCE_EXHAUSTED', `${PENDING_MAX} reads are waiting`, { retryAfterMs: 50 }));
      this.#count += 1;
      this.#new.push({ mustLead, resolve, reject });
    });
  }

  /** All reads of this turn share one context and one round. */
  ask(core: RaftCore, tick: number): void {
    if (this.#new.length === 0) return;
    const isLeader = core.role === 'leader';
    const reads = this.#new.filter(({ mustLead }) => isLeader || !mustLead);
    this.#reject(
      this.#new.filter(({ mustLead }) => !isLeader && mustLead),
      notLed(),
    );
    this.#new = [];
    if (reads.length === 0) return;
    const context = this.#nextContext++;
    if (core.readIndex(context)) this.#asked.set(context, { reads, askedTick: tick });
    else this.#reject(reads, notLed());
  }

  confirmed({ context, index }: ReadState): void {
    const asked = this.#asked.get(context);
    this.#asked.delete(context);
    if (asked !== undefined) this.#confirmed.push({ index, reads: asked.reads });
  }

  /** Resolves what is confirmed up to `appliedIndex`. */
  answer(appliedIndex: Index): void {
    if (this.#confirmed.length === 0) return;
    const ready = this.#confirmed.filter(({ index }) => index <= appliedIndex);
    this.#confirmed = this.#confirmed.filter(({ index }) => index > appliedIndex);
    for (const { index, reads } of ready) {
      this.#count -= reads.length;
      for (const { resolve } of reads) resolve(index);
    }
  }

  /** A question or its answer may be lost on the way to a leader elsewhere: after this many ticks it is given up. */
  expire(tick: number, afterTicks: number): void {
    for (const [context, { reads, askedTick }] of this.#asked) {
      // In the order in which they were asked: what follows is younger.
      if (tick - askedTick < afterTicks) return;
      this.#asked.delete(context);
      this.#reject(reads, notLed());
    }
  }

  /** Whoever led when they were asked does not any more. Nothing was read. */
  rejectAll(): void {
    const reads = [
      ...this.#new,
      ...[...this.#asked.values()].flatMap(({ reads: asked }) => asked),
      ...this.#confirmed.flatMap(({ reads: done }) => done),
    ];
    this.#new = [];
    this.#asked.clear();
    this.#confirmed = [];
    this.#reject(reads, notLed());
  }

  #reject(reads: readonly Read[], error: SeqError): void {
    this.#count -= reads.length;
    for (const { reject } of reads) reject(error);
  }
}

function notLed(): SeqError {
  return new SeqError('NOT_LEADER', 'no leadership was confirmed for this read');
}
