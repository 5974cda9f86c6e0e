import { createServer, connect, type Server, type Socket } from 'node:net';

/** From where to where, in the words of whoever asks `sourceOf`; one way. */
export interface Way {
  readonly from: string;
  readonly to: string;
}

/** What is wrong with the connections that come to a place. All of it can be changed while they are open. */
export interface ProxyFaults {
  /** In ms: each piece comes so much later, at random between the two. */
  readonly delayMs?: { readonly min: number; readonly max: number };
  /** Each connection ends after so many further bytes, at random below this, in the middle of whatever it was. */
  readonly cutAfterBytes?: number;
  /** With cutAfterBytes: it ends by a reset, and not by an orderly end. */
  readonly isReset?: boolean;
  /** What goes one of these ways is taken in and not passed on, until it is healed: the other end hears nothing. */
  readonly held?: readonly Way[];
}

export interface ProxyCounts {
  readonly delayed: number;
  readonly cut: number;
  readonly held: number;
}

export interface ProxyRoute {
  readonly host: string;
  readonly port: number;
  readonly targetHost: string;
  readonly targetPort: number;
}

/** Connections to one place go through it: delay and jitter, black holes one way, an end in the middle of a message, resets. */
export class Proxy {
  readonly #place: string;
  readonly #sourceOf: (socket: Socket) => string;
  readonly #servers: Server[] = [];
  readonly #links = new Set<Link>();
  readonly #counts = { delayed: 0, cut: 0, held: 0 };
  #faults: ProxyFaults = {};

  /** `sourceOf`: the name of the place that a connection comes from. */
  constructor(options: { readonly place: string; readonly sourceOf: (socket: Socket) => string }) {
    this.#place = options.place;
    this.#sourceOf = options.sourceOf;
  }

  get counts(): ProxyCounts {
    return { ...this.#counts };
  }

  /** Resolves once it listens. Rejects when it cannot. */
  async open({ host, port, targetHost, targetPort }: ProxyRoute): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ host: targetHost, port: targetPort, allowHalfOpen: true });
      const link = new Link({ near, far, source: this.#sourceOf(near), place: this.#place, counts: this.#counts });
      link.apply(this.#faults);
      this.#links.add(link);
      near.once('close', () => this.#links.delete(link));
    });
    this.#servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => resolve());
    });
  }

  /** Replaces all faults; `{}` heals everything. */
  apply(faults: ProxyFaults): void {
    this.#faults = faults;
    for (const link of this.#links) link.apply(faults);
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const link of this.#links) link.end(false);
  }
}

/** One connection: both of its directions. */
class Link {
  readonly #near: Socket;
  readonly #far: Socket;
  readonly #counts: { delayed: number; cut: number; held: number };
  readonly #pipes: readonly Pipe[];
  /** Undefined: it is not going to be cut. */
  #leftBytes: number | undefined;
  #faults: ProxyFaults = {};

  constructor(options: {
    readonly near: Socket;
    readonly far: Socket;
    readonly source: string;
    readonly place: string;
    readonly counts: { delayed: number; cut: number; held: number };
  }) {
    const { near, far, source, place } = options;
    this.#near = near;
    this.#far = far;
    this.#counts = options.counts;
    this.#pipes = [
      new Pipe({ input: near, output: far, way: { from: source, to: place } }),
      new Pipe({ input: far, output: near, way: { from: place, to: source } }),
    ];
    for (const pipe of this.#pipes) {
      pipe.input.setNoDelay(true);
      pipe.input.on('data', (bytes: Buffer) => this.#onData(pipe, bytes));
      pipe.input.on('end', () => pipe.push(undefined, this.#delayMs()));
      pipe.input.on('error', () => this.end(true));
      pipe.input.on('close', (hadError) => hadError || this.end(false));
    }
  }

  apply(faults: ProxyFaults): void {
    if (faults.cutAfterBytes !== this.#faults.cutAfterBytes) {
      this.#leftBytes = faults.cutAfterBytes === undefined ? undefined : Math.floor(Math.random() * faults.cutAfterBytes);
    }
    this.#faults = faults;
    for (const pipe of this.#pipes) pipe.hold(faults.held?.some(({ from, to }) => from === pipe.way.from && to === pipe.way.to) ?? false);
  }

  /** `isReset`: both ends see a reset. */
  end(isReset: boolean): void {
    for (const socket of [this.#near, this.#far]) {
      if (socket.destroyed) continue;
      if (isReset) socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  #onData(pipe: Pipe, bytes: Buffer): void {
    if (pipe.isHeld) this.#counts.held += 1;
    if (this.#leftBytes !== undefined && (this.#leftBytes -= bytes.length) < 0) {
      this.#counts.cut += 1;
      pipe.output.write(bytes.subarray(0, Math.max(0, bytes.length + this.#leftBytes)), () => this.end(this.#faults.isReset ?? false));
      this.#leftBytes = undefined;
      return;
    }
    const delayMs = this.#delayMs();
    if (delayMs > 0) this.#counts.delayed += 1;
    pipe.push(bytes, delayMs);
  }

  #delayMs(): number {
    const { delayMs } = this.#faults;
    return delayMs === undefined ? 0 : delayMs.min + Math.random() * (delayMs.max - delayMs.min);
  }
}

/** One direction. What comes in goes out in the same order. `undefined` in the queue is the end. */
class Pipe {
  readonly input: Socket;
  readonly output: Socket;
  readonly way: Way;
  isHeld = false;
  readonly #queue: { readonly bytes: Buffer | undefined; readonly dueMs: number }[] = [];
  #isWaiting = false;

  constructor(options: { readonly input: Socket; readonly output: Socket; readonly way: Way }) {
    this.input = options.input;
    this.output = options.output;
    this.way = options.way;
  }

  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    if (!isHeld) this.#flush();
  }

  push(bytes: Buffer | undefined, delayMs: number): void {
    this.#queue.push({ bytes, dueMs: performance.now() + delayMs });
    this.#flush();
  }

  #flush(): void {
    while (!this.isHeld && !this.#isWaiting) {
      const first = this.#queue[0];
      if (first === undefined) return;
      const leftMs = first.dueMs - performance.now();
      if (leftMs > 0) {
        this.#isWaiting = true;
        setTimeout(() => {
          this.#isWaiting = false;
          this.#flush();
        }, leftMs);
        return;
      }
      this.#queue.shift();
      if (this.output.destroyed) continue;
      if (first.bytes === undefined) this.output.end();
      else this.output.write(first.bytes);
    }
  }
}
