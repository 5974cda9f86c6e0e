import type { Clock, Instant } from '../base/clock.js';
import { every } from '../base/clock.js';
import type { Observer } from '../base/observe.js';
import type { AllocEvent } from './events.js';
import { Notices } from './notices.js';
import { TIME_GUARD_EVERY_MS, TimeGuard, type TimeUpset } from './time-guard.js';

/** Keeps a TimeGuard going, tells what it finds, and says each time that nothing granted before counts any more. */
export class ClockWatch {
  readonly #observe: Observer<AllocEvent>;
  readonly #onUpset: () => void;
  readonly #guard: TimeGuard;
  readonly #lags: Notices;
  readonly #stop: () => void;

  constructor(options: {
    readonly clock: Clock;
    /** Until setMargin() says otherwise. */
    readonly marginMs: number;
    readonly observe: Observer<AllocEvent>;
    readonly onUpset: () => void;
    /** With each turn of the timer: for what is only told, never for what is decided. */
    readonly onTick: (now: Instant) => void;
  }) {
    const { clock, marginMs, observe, onUpset, onTick } = options;
    this.#observe = observe;
    this.#onUpset = onUpset;
    this.#lags = new Notices({ clock });
    this.#guard = new TimeGuard({ now: clock.now(), marginMs });
    this.#stop = every(clock, TIME_GUARD_EVERY_MS, () => {
      const now = clock.now();
      this.#tell(this.#guard.tick(now));
      onTick(now);
    });
  }

  /** Call with every reading that a request is served by, BEFORE the lease is asked. */
  check(now: Instant): void {
    const upsets = this.#guard.check(now);
    if (upsets.length > 0) this.#tell(upsets);
  }

  setMargin(marginMs: number): void {
    this.#guard.marginMs = marginMs;
  }

  stop(): void {
    this.#stop();
  }

  #tell(upsets: readonly TimeUpset[]): void {
    for (const upset of upsets) {
      if (upset.type === 'jump') this.#observe({ type: 'clockJumped', kind: upset.kind, ms: Math.round(upset.ms) });
      else this.#lags.tell((leftOutCount) => this.#observe({ type: 'eventLoopLagged', ms: Math.round(upset.ms), leftOutCount }));
    }
    if (upsets.length > 0) this.#onUpset();
  }
}
