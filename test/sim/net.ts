import type { SeededRandom } from '../unit/seeded-random.js';
import type { World } from './world.js';

/** How the network of a run behaves; probabilities for each message. */
export interface NetRates {
  /** Least delay of a message, and the mean of what is added (exponential), in ms. */
  readonly minMs: number;
  readonly meanMs: number;
  /** A call, an answer or a Raft frame is lost. */
  readonly loss: number;
  /** A call is carried out twice, a Raft frame arrives twice. */
  readonly duplicate: number;
  /** A Raft frame of a while ago arrives again. */
  readonly replay: number;
}

/** A network that does nothing wrong. */
export const CALM: NetRates = { minMs: 0.1, meanMs: 0.3, loss: 0, duplicate: 0, replay: 0 };

/** No message takes longer, in ms, unless its link is cut or clogged. */
const DELAY_MAX_MS = 10_000;

/** What lies between the machines: directed links that delay, lose, and can be cut or clogged one by one. */
export class SimNet {
  rates: NetRates = CALM;
  readonly world: World;
  /** Hears of a call that was carried out and whose caller never heard of it: sent when, at which path, with which request. */
  onUnheard: (sentMs: number, path: string, request: unknown) => void = () => undefined;
  readonly #random: SeededRandom;
  readonly #cuts = new Map<string, number>();
  readonly #clogs = new Map<string, number>();
  readonly #slow = new Map<string, { readonly byMs: number; readonly untilMs: number }>();
  /** No link is clogged or slow after this moment of the world. */
  #slowUntilMs = 0;

  constructor(world: World) {
    this.world = world;
    this.#random = world.fork();
  }

  get random(): SeededRandom {
    return this.#random;
  }

  /** Cuts may lie over one another: each is taken back by itself. */
  cut(from: string, to: string): void {
    const link = linkOf(from, to);
    this.#cuts.set(link, (this.#cuts.get(link) ?? 0) + 1);
  }

  heal(from: string, to: string): void {
    const link = linkOf(from, to);
    const left = (this.#cuts.get(link) ?? 0) - 1;
    if (left > 0) this.#cuts.set(link, left);
    else this.#cuts.delete(link);
  }

  /** What is sent on this link arrives no sooner than in `forMs`. */
  clog(from: string, to: string, forMs: number): void {
    const untilMs = this.world.nowMs + forMs;
    this.#clogs.set(linkOf(from, to), untilMs);
    this.#slowUntilMs = Math.max(this.#slowUntilMs, untilMs);
  }

  /** For so long each message on this link takes so much more. */
  slow(from: string, to: string, { byMs, forMs }: { readonly byMs: number; readonly forMs: number }): void {
    const untilMs = this.world.nowMs + forMs;
    this.#slow.set(linkOf(from, to), { byMs, untilMs });
    this.#slowUntilMs = Math.max(this.#slowUntilMs, untilMs);
  }

  healAll(): void {
    this.#slow.clear();
    this.#cuts.clear();
    this.#clogs.clear();
    this.rates = CALM;
  }

  isOpen(from: string, to: string): boolean {
    return this.#cuts.size === 0 || from === to || !this.#cuts.has(linkOf(from, to));
  }

  delayMs(from: string, to: string): number {
    const { minMs, meanMs } = this.rates;
    const drawn = minMs - Math.log(1 - this.#random.below(1_000_000) / 1_000_000) * meanMs;
    return Math.min(DELAY_MAX_MS, drawn) + (this.world.nowMs < this.#slowUntilMs ? this.#extraMs(linkOf(from, to)) : 0);
  }

  #extraMs(link: string): number {
    const clogMs = (this.#clogs.get(link) ?? 0) - this.world.nowMs;
    const slow = this.#slow.get(link);
    const slowMs = slow !== undefined && slow.untilMs > this.world.nowMs ? slow.byMs : 0;
    return slowMs + Math.max(0, clogMs);
  }

  chance(probability: number): boolean {
    return probability > 0 && this.#random.chance(probability);
  }
}

function linkOf(from: string, to: string): string {
  return `${from}>${to}`;
}
