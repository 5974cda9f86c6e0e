import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.js';
import type { Exchange } from './exchange.js';
import type { GatewayLimits } from './limits.js';

/** What became of connections, since the gateway started. */
export interface HttpFigures {
  openCount: number;
  /** Above one of the bounds in number, of connections or of the requests of one. */
  refusedCount: number;
  /** Did not send a request in time. */
  lateCount: number;
  /** Did not read an answer. */
  unreadCount: number;
  /** Sent what is no HTTP, or headers that are too long. */
  brokenCount: number;
}

/** Who is connected, and what each waits for. */
export class Connections {
  readonly figures: HttpFigures = { openCount: 0, refusedCount: 0, lateCount: 0, unreadCount: 0, brokenCount: 0 };
  readonly #limits: GatewayLimits;
  readonly #countOf = new Map<string, number>();
  readonly #exchangesOf = new Map<Socket, Set<Exchange>>();
  #inFlightCount = 0;
  #bodyBytesInFlight = 0;
  /** By address, in the order in which they were cut: until when none of it is taken. */
  readonly #coolUntilMs = new Map<string, number>();
  readonly #clock: Pick<Clock, 'nowMs'>;

  constructor(limits: GatewayLimits, clock: Pick<Clock, 'nowMs'>) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Cuts a connection that is one too many. */
  admit(socket: Socket): void {
    const from = socket.remoteAddress ?? '';
    const ofOne = this.#countOf.get(from) ?? 0;
    if (this.figures.openCount >= this.#limits.connectionsMax || ofOne >= this.#limits.connectionsOfOneMax || this.#isCooling(from)) {
      this.figures.refusedCount += 1;
      socket.destroy();
      return;
    }
    this.figures.openCount += 1;
    this.#countOf.set(from, ofOne + 1);
    this.#exchangesOf.set(socket, new Set());
    socket.once('close', () => this.#onClose(socket, from));
  }

  /** Undefined: its connection is cut, for it was too far ahead. False: it is one too many to be served; refused, it counts until it is over. */
  begin(exchange: Exchange): boolean | undefined {
    const ofOne = this.#exchangesOf.get(exchange.socket);
    if (ofOne === undefined || ofOne.size >= this.#limits.inFlightOfOneMax) {
      this.figures.refusedCount += 1;
      this.#cool(exchange.socket.remoteAddress ?? '');
      exchange.socket.destroy();
      return undefined;
    }
    const isAdmitted =
      this.#inFlightCount < this.#limits.inFlightMax && this.#bodyBytesInFlight + this.#bodyBytesOf(exchange) <= this.#limits.bodyBytesInFlightMax;
    ofOne.add(exchange);
    this.#inFlightCount += 1;
    this.#bodyBytesInFlight += this.#bodyBytesOf(exchange);
    exchange.onOver(() => this.#end(exchange, ofOne));
    return isAdmitted;
  }

  #cool(from: string): void {
    this.#coolUntilMs.delete(from);
    this.#coolUntilMs.set(from, this.#clock.nowMs() + this.#limits.coolingMs);
    const [first] = this.#coolUntilMs.keys();
    if (first !== undefined && this.#coolUntilMs.size > this.#limits.coolingMax) this.#coolUntilMs.delete(first);
  }

  #isCooling(from: string): boolean {
    const untilMs = this.#coolUntilMs.get(from);
    if (untilMs === undefined) return false;
    if (untilMs > this.#clock.nowMs()) return true;
    this.#coolUntilMs.delete(from);
    return false;
  }

  /** Once for each exchange, whatever ends it first. */
  #end(exchange: Exchange, ofOne: Set<Exchange>): void {
    if (!ofOne.delete(exchange)) return;
    this.#inFlightCount -= 1;
    this.#bodyBytesInFlight -= this.#bodyBytesOf(exchange);
  }

  /** A body that is longer is not read. */
  #bodyBytesOf({ bodyBytes }: Exchange): number {
    return Math.min(bodyBytes, this.#limits.bodyBytesMax);
  }

  /** True when an answer is on its way on that connection: nothing may be written between. */
  isAnswering(socket: Socket): boolean {
    return [...(this.#exchangesOf.get(socket) ?? [])].some((exchange) => exchange.isAnswered);
  }

  /** Cuts the connections whose answers are not read. */
  cutLate(): void {
    for (const [socket, exchanges] of this.#exchangesOf) {
      const late = [...exchanges].filter((exchange) => exchange.isLate(this.#limits.lateChecksMax));
      if (late.length === 0) continue;
      this.figures.unreadCount += 1;
      socket.destroy();
    }
  }

  #onClose(socket: Socket, from: string): void {
    const exchanges = this.#exchangesOf.get(socket) ?? new Set();
    this.#exchangesOf.delete(socket);
    for (const exchange of exchanges) {
      exchange.abort();
      this.#end(exchange, exchanges);
    }
    this.figures.openCount -= 1;
    const left = (this.#countOf.get(from) ?? 0) - 1;
    if (left > 0) this.#countOf.set(from, left);
    else this.#countOf.delete(from);
  }
}
