import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { RAISES_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { OwnedSection, StoreCall } from '../store/client.js';

/** However many callers claim to know better, ownership is confirmed no more than once in this time, in ms. */
export const FENCE_EVERY_MS = 1_000;
const CONFIRM_TIMEOUT_MS = 1_000;

/** A section that we serve, as the fence sees it. */
export interface Suspect extends OwnedSection {
  /** False: it is not served any more, so that there is nothing to fence. */
  readonly isOpen: boolean;
}

export interface SelfFenceOptions<Served extends Suspect> {
  readonly clock: Clock;
  readonly confirm: (sections: readonly OwnedSection[], call: StoreCall) => Promise<readonly boolean[]>;
  readonly onError: (error: SeqError) => void;
  /** The store says, definitely, that a section which we serve is not ours: this incarnation must not go on. */
  readonly onDisowned: (served: Served) => void;
}

/**
 * A caller that has seen a higher number than we handed out lies, or there is a second owner. Which of the two it is the
 * store says, once a second at most; a lying client must not take a section down, and an answer that does not come changes
 * nothing (DESIGN 3.5).
 */
export class SelfFence<Served extends Suspect> {
  readonly #options: SelfFenceOptions<Served>;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  readonly #suspects = new Set<Served>();
  #isScheduled = false;
  #startedAtMs = Number.NEGATIVE_INFINITY;
  #cancel: () => void = () => {};

  constructor(options: SelfFenceOptions<Served>) {
    this.#options = options;
    this.#clock = options.clock;
  }

  /** Somebody claims to know better of this section. No more are kept than one confirmation holds; a real one is claimed again. */
  suspect(served: Served): void {
    if (this.#suspects.size >= RAISES_PER_REQUEST_MAX || this.#abort.signal.aborted) return;
    this.#suspects.add(served);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const waitMs = this.#startedAtMs + FENCE_EVERY_MS - this.#clock.nowMs();
    if (waitMs <= 0) void this.#confirm();
    else this.#cancel = this.#clock.after(waitMs, () => void this.#confirm());
  }

  stop(): void {
    this.#abort.abort(new SeqError('CLOSED', 'the AllocSvr stops'));
    this.#cancel();
    this.#suspects.clear();
  }

  async #confirm(): Promise<void> {
    this.#isScheduled = false;
    this.#startedAtMs = this.#clock.nowMs();
    const suspects = [...this.#suspects].filter(({ isOpen }) => isOpen);
    this.#suspects.clear();
    if (suspects.length === 0) return;
    try {
      const owned = await this.#options.confirm(suspects, { timeoutMs: CONFIRM_TIMEOUT_MS, signal: this.#abort.signal });
      // What was sealed or lost while the answer was on its way is nobody's concern any more.
      const disowned = suspects.find(({ isOpen }, index) => owned[index] === false && isOpen);
      if (disowned !== undefined && !this.#abort.signal.aborted) this.#options.onDisowned(disowned);
    } catch (error) {
      if (!SeqError.is(error)) throw error;
      if (!this.#abort.signal.aborted) this.#options.onError(error);
    }
  }
}
