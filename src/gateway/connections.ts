import type { Socket } from 'node:net';
import type { Exchange } from './exchange.js';
import type { GatewayLimits } from './limits.js';

/** What became of connections, since the gateway started. */
export interface HttpFigures {
  openCount: number;
  /** Above one of the bounds in number. */
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

  constructor(limits: GatewayLimits) {
    this.#limits = limits;
  }

  /** Cuts a connection that is one too many. */
  admit(socket: Socket): void {
    const from = socket.remoteAddress ?? '';
    const ofOne = this.#countOf.get(from) ?? 0;
    if (this.figures.openCount >= this.#limits.connectionsMax || ofOne >= this.#limits.connectionsOfOneMax) {
      this.figures.refusedCount += 1;
      socket.destroy();
      return;
    }
    this.figures.openCount += 1;
    this.#countOf.set(from, ofOne + 1);
    this.#exchangesOf.set(socket, new Set());
    socket.once('close', () => this.#onClose(socket, from));
  }

  /** False: it is one too many to be served; it is to be refused, and counts all the same until it is over. */
  begin(exchange: Exchange): boolean {
    const ofOne = this.#exchangesOf.get(exchange.socket);
    // Its connection was cut in this very turn.
    if (ofOne === undefined) return false;
    const isAdmitted = this.#inFlightCount < this.#limits.inFlightMax && ofOne.size < this.#limits.inFlightOfOneMax;
    ofOne.add(exchange);
    this.#inFlightCount += 1;
    exchange.onOver(() => {
      if (ofOne.delete(exchange)) this.#inFlightCount -= 1;
    });
    return isAdmitted;
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
    this.#inFlightCount -= exchanges.size;
    for (const exchange of exchanges) exchange.abort();
    // What ends later is not counted again.
    exchanges.clear();
    this.figures.openCount -= 1;
    const left = (this.#countOf.get(from) ?? 0) - 1;
    if (left > 0) this.#countOf.set(from, left);
    else this.#countOf.delete(from);
  }
}
