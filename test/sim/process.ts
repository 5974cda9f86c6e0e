import type { Clock, Instant } from '../../src/base/clock.js';
import type { SeededRandom } from '../unit/seeded-random.js';
import type { World, WorldEvent } from './world.js';

/** No timer takes less, in ms, though it was set for a fraction of it: a real one takes a millisecond, and time must go on. */
const TIMER_MIN_MS = 1e-3;
/** Machines began at some moment of 2025, and were up for a while. */
const WALL_START_MS = 1_750_000_000_000;
const UPTIME_START_MS = 50_000;

/** The clocks of one machine. Rates are relative to the world's time: 1.01 gains a hundredth. */
export class MachineClock {
  readonly #world: World;
  readonly rate: number;
  #wallMs: number;
  #suspendedMs = 0;

  constructor(world: World, options: { readonly rate: number; readonly wallOffMs: number }) {
    this.#world = world;
    this.rate = options.rate;
    this.#wallMs = WALL_START_MS + options.wallOffMs;
  }

  get monoMs(): number {
    return this.#world.nowMs * this.rate - this.#suspendedMs;
  }

  get wallMs(): number {
    return this.#wallMs + this.#world.nowMs * this.rate;
  }

  now(): Instant {
    return { monoMs: this.monoMs, wallMs: this.wallMs, uptimeMs: UPTIME_START_MS + this.#world.nowMs * this.rate };
  }

  /** Somebody sets the date. */
  jump(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** The monotonic clock stood still for so long. */
  suspended(forMs: number): void {
    this.#suspendedMs += forMs * this.rate;
  }
}

/**
 * One run of one process: its clock, its dice, and what is due in it. Killed, nothing of it happens any more. Paused, all that comes
 * due waits; when it goes on it reads its sockets BEFORE it gets to its timers, as libuv does (reliability.md finding 3).
 */
export class SimProcess {
  readonly name: string;
  /** Of the machine that it runs on: links are between hosts. */
  readonly host: string;
  readonly world: World;
  readonly random: SeededRandom;
  readonly machine: MachineClock;
  readonly clock: Clock;
  #isAlive = true;
  #isPaused = false;
  #waiting: { readonly isInput: boolean; readonly kind: string; readonly run: () => void }[] = [];
  readonly #onEnd = new Set<() => void>();
  /** What its events are called, by their kind. */
  readonly #labels = new Map<string, string>();

  constructor(options: { readonly name: string; readonly host: string; readonly world: World; readonly machine: MachineClock }) {
    this.name = options.name;
    this.host = options.host;
    this.world = options.world;
    this.random = options.world.fork();
    this.machine = options.machine;
    this.clock = {
      nowMs: () => this.machine.monoMs,
      now: () => this.machine.now(),
      wallMs: () => this.machine.wallMs,
      after: (delayMs, fire) => this.#timer(delayMs, fire),
      defer: (fire) => this.world.defer(() => this.take(false, 'defer', fire)),
    };
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Input: something arrives from outside, after `delayMs` of the world. */
  input(delayMs: number, kind: string, run: () => void): WorldEvent {
    return this.due(delayMs, kind, true, run);
  }

  due(delayMs: number, kind: string, isInput: boolean, run: () => void): WorldEvent {
    return this.world.after(delayMs, this.#labelOf(kind), () => this.take(isInput, kind, run));
  }

  /** It happens in this process now; a paused one gets to it later, a dead one never. */
  take(isInput: boolean, kind: string, run: () => void): void {
    if (!this.#isAlive) return;
    this.world.touched = this.host;
    if (this.#isPaused) this.#waiting.push({ isInput, kind, run });
    else run();
  }

  /** Called when it is killed. The returned function forgets it. */
  onEnd(handle: () => void): () => void {
    this.#onEnd.add(handle);
    return () => void this.#onEnd.delete(handle);
  }

  kill(): void {
    if (!this.#isAlive) return;
    this.#isAlive = false;
    this.#waiting = [];
    for (const handle of this.#onEnd) handle();
    this.#onEnd.clear();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const isInput of [true, false])
      for (const one of waiting) if (one.isInput === isInput) this.due(0, `${one.kind} after a pause`, isInput, one.run);
  }

  /** A timer runs on the monotonic clock, which a suspend stops: then it is late by the world's time. */
  #timer(delayMs: number, fire: () => void): () => void {
    const { machine } = this;
    const dueMono = machine.monoMs + Math.max(0, delayMs);
    let isOff = false;
    const onDue = (): void => {
      if (isOff) return;
      const leftMs = dueMono - machine.monoMs;
      if (leftMs > 1e-3) event = arm(leftMs);
      else fire();
    };
    const arm = (leftMs: number): WorldEvent => this.due(leftMs > 0 ? Math.max(TIMER_MIN_MS, leftMs / machine.rate) : 0, 'timer', false, onDue);
    let event = arm(Math.max(0, delayMs));
    return () => {
      isOff = true;
      event.run = undefined;
    };
  }

  #labelOf(kind: string): string {
    let label = this.#labels.get(kind);
    if (label === undefined) {
      label = `${this.name} ${kind}`;
      this.#labels.set(kind, label);
    }
    return label;
  }
}
