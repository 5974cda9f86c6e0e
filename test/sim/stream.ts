import { EventEmitter } from 'node:events';
import { type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { UnheardFrames } from './unheard-frames.js';
import { encode, type Ends, hostOf, type SimChannel, type SimServer, statusError, type StreamHandler } from './wire.js';

/** A stream whose link was cut for so long is broken, as keepalive finds it, in ms. */
const KEEPALIVE_MS = 15_000;
/** How soon what waits on a cut link is tried again, in ms; TCP's own retransmission. */
const RETRANSMIT_MS = 250;
/** Frames that a socket takes before its writer has to wait. */
const SOCKET_FRAMES = 64;
/** Raft frames of a while ago that may come again. */
const REPLAYABLE_FRAMES = 32;
/** A third of what queueMicrotask costs. */
const TAKEN = Promise.resolve();

/** Raft frames may be lost or come again one by one; in all other streams order is kept, or the stream breaks. */
const isRaft = (path: string): boolean => path.endsWith('/Deliver');

/** One direction of a stream: frames in order, as TCP keeps them. */
class Lane {
  readonly #from: Ends;
  readonly #to: Ends;
  readonly #isRaft: boolean;
  readonly #deliver: (bytes: Buffer) => void;
  readonly #onBroken: () => void;
  readonly #queue: { readonly bytes: Buffer | undefined; readonly run: (() => void) | undefined; readonly onTaken: (() => void) | undefined }[] = [];
  readonly #recent: Buffer[] = [];
  /** What its arrivals are called in the trace. */
  readonly #label: string;
  #isMoving = false;
  #isOver = false;

  constructor(options: { from: Ends; to: Ends; path: string; deliver: (bytes: Buffer) => void; onBroken: () => void }) {
    this.#from = options.from;
    this.#to = options.to;
    this.#isRaft = isRaft(options.path);
    this.#label = `${options.from.process.name}>${options.to.process.name} frame`;
    this.#deliver = options.deliver;
    this.#onBroken = options.onBroken;
  }

  get waitingCount(): number {
    return this.#queue.length;
  }

  send(bytes: Buffer, onTaken?: () => void): void {
    if (this.#isOver) return;
    const { net } = this.#from;
    const { loss, duplicate, replay } = net.rates;
    const isFirst = this.#recent.length === 0;
    // The hello is what makes a stream: without it nothing else means anything.
    if (this.#isRaft && !isFirst && net.chance(loss)) {
      onTaken?.();
      return;
    }
    if (this.#isRaft) this.#remember(bytes);
    const isTaken = this.#queue.length < SOCKET_FRAMES;
    this.#queue.push({ bytes, run: undefined, onTaken: isTaken ? undefined : onTaken });
    if (isTaken && onTaken !== undefined) void TAKEN.then(onTaken);
    if (this.#isRaft && !isFirst && net.chance(duplicate)) this.#queue.push({ bytes, run: undefined, onTaken: undefined });
    if (this.#isRaft && this.#recent.length > 1 && net.chance(replay)) {
      const old = this.#recent[1 + net.random.below(this.#recent.length - 1)];
      this.#queue.push({ bytes: old, run: undefined, onTaken: undefined });
    }
    this.#move();
  }

  /** In its place behind what was sent before. */
  last(run: () => void): void {
    if (this.#isOver) return;
    this.#queue.push({ bytes: undefined, run, onTaken: undefined });
    this.#move();
  }

  end(): void {
    this.#isOver = true;
    this.#queue.length = 0;
  }

  #remember(bytes: Buffer): void {
    this.#recent.push(bytes);
    // The first one, the hello, stays where it is.
    if (this.#recent.length > REPLAYABLE_FRAMES) this.#recent.splice(1, 1);
  }

  #move(): void {
    if (this.#isMoving || this.#queue.length === 0) return;
    this.#isMoving = true;
    this.#try(this.#from.net.delayMs(this.#from.process.host, this.#to.process.host), 0);
  }

  #try(delayMs: number, blockedMs: number): void {
    const { net, process } = this.#from;
    const to = this.#to.process;
    process.world.after(delayMs, this.#label, () => {
      if (this.#isOver) return;
      if (!net.isOpen(process.host, to.host)) {
        if (blockedMs >= KEEPALIVE_MS) return this.#onBroken();
        return this.#try(RETRANSMIT_MS, blockedMs + RETRANSMIT_MS);
      }
      // All that waits arrives together.
      const frames = this.#queue.splice(0);
      this.#isMoving = false;
      for (const { bytes, run, onTaken } of frames) {
        if (onTaken !== undefined) process.due(0, 'taken', true, onTaken);
        to.take(true, 'frame', () => {
          // What has arrived is read, also when its sender went away meanwhile: a process that was paused reads it much later.
          if (bytes !== undefined) this.#deliver(bytes);
          else if (!this.#isOver) run?.();
        });
      }
      this.#move();
    });
  }
}

/** What the client holds of a stream. */
class ClientStream extends EventEmitter {
  onWrite: (message: unknown, onTaken?: () => void) => void = () => undefined;
  onEnd: () => void = () => undefined;
  onCancel: () => void = () => undefined;

  write(message: unknown, taken?: () => void): boolean {
    this.onWrite(message, taken);
    return true;
  }

  end(): void {
    this.onEnd();
  }

  cancel(): void {
    this.onCancel();
  }
}

/** What a handler holds of a stream. */
class ServerStream extends EventEmitter {
  readonly request: unknown;
  cancelled = false;
  destroyed = false;
  lane: Lane | undefined;
  onWrite: (message: unknown, onTaken: () => void) => void = () => undefined;
  onFinish: (error: ServiceError | undefined) => void = () => undefined;
  #isPaused = false;
  readonly #held: (() => void)[] = [];

  constructor(request: unknown) {
    super();
    this.request = request;
  }

  get writableLength(): number {
    return this.lane?.waitingCount ?? 0;
  }

  /** False: the socket is full, and 'drain' follows. */
  write(message: unknown): boolean {
    if (this.destroyed) return true;
    const isFull = this.writableLength >= SOCKET_FRAMES;
    this.onWrite(message, () => {
      if (isFull) this.emit('drain');
    });
    return !isFull;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    while (!this.#isPaused) {
      const next = this.#held.shift();
      if (next === undefined) return;
      next();
    }
  }

  /** What comes in waits while it is paused. */
  receive(deliver: () => void): void {
    if (this.#isPaused) this.#held.push(deliver);
    else deliver();
  }

  end(): void {
    this.onFinish(undefined);
  }

  /** As in grpc-js, a handler ends its stream with a status by emitting it. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'error') return super.emit(event, ...args);
    this.onFinish(args[0] as ServiceError);
    return true;
  }
}

/** Opens a stream from the channel's process to whoever listens at its address. */
export function openStream(channel: SimChannel, method: MethodDefinition<unknown, unknown>, request: unknown): ClientStream {
  const { ends, address } = channel;
  const client = new ClientStream();
  const unheard = method.path.endsWith('/Exchange') ? new UnheardFrames((sentMs, ops) => ends.net.onUnheard(sentMs, method.path, ops)) : undefined;
  let isOver = false;
  let reach: { readonly up: Lane; readonly down: Lane; readonly stream: ServerStream; readonly close: () => void } | undefined;

  const over = (error: ServiceError | undefined): void => {
    if (isOver) return;
    isOver = true;
    unheard?.over();
    reach?.up.end();
    reach?.down.end();
    client.emit('status', { code: error?.code ?? status.OK });
    if (error === undefined) client.emit('end');
    else client.emit('error', error);
  };
  /** The other side hears, in time, that this one is gone. */
  const gone = (): void => {
    if (reach === undefined) return;
    const { stream, close } = reach;
    close();
    const server = reach.stream;
    if (server.destroyed) return;
    server.destroyed = true;
    server.cancelled = true;
    reach.up.end();
    reach.down.end();
    serverOf(reach).process.input(0, 'cancelled', () => {
      stream.emit('cancelled', 'cancelled');
      stream.emit('close');
    });
  };
  const waiting: { readonly message: unknown; readonly onTaken: (() => void) | undefined }[] = [];
  const write = (message: unknown, onTaken: (() => void) | undefined): void => {
    if (isOver) return;
    unheard?.sent(message as Buffer, ends.process.world.nowMs);
    if (reach === undefined) return void waiting.push({ message, onTaken });
    reach.up.send(encode(method.requestSerialize(message), ends.dialect, method.path), onTaken);
  };
  client.onWrite = write;
  client.onEnd = () => reach?.up.last(() => reach?.stream.receive(() => reach?.stream.emit('end')));
  client.onCancel = () => {
    if (isOver) return;
    isOver = true;
    unheard?.over();
    reach?.up.end();
    ends.process.due(0, 'cancel', true, () => {
      client.emit('status', { code: status.CANCELLED });
      client.emit('error', statusError(status.CANCELLED, 'Cancelled on client'));
    });
    const server = reach;
    if (server !== undefined) afterOpen(ends, serverOf(server), gone);
  };
  const unlisten = ends.process.onEnd(() => {
    isOver = true;
    unheard?.over();
    if (reach !== undefined) afterOpen(ends, serverOf(reach), gone);
  });
  client.once('status', unlisten);

  connect(ends, address, {
    isOver: () => isOver,
    refused: (error) => over(error),
    opened: (server) => {
      reach = accept({ server, ends, method, request, client, isOver: () => isOver, over, gone, unheard });
      for (const { message, onTaken } of waiting.splice(0))
        reach.up.send(encode(method.requestSerialize(message), ends.dialect, method.path), onTaken);
    },
  });
  return client;
}

function serverOf({ stream }: { readonly stream: ServerStream & { ends?: Ends } }): Ends {
  return stream.ends as Ends;
}

/** Runs once the way is open, and after a while also when it is not: keepalive tells. */
function afterOpen(from: Ends, to: Ends, run: () => void, waitedMs = 0): void {
  const { net, process } = from;
  const isOpen = net.isOpen(process.host, to.process.host) || waitedMs >= KEEPALIVE_MS;
  if (isOpen) process.world.after(net.delayMs(process.host, to.process.host), `${process.name} reset`, run);
  else process.world.after(RETRANSMIT_MS, `${process.name} reset waits`, () => afterOpen(from, to, run, waitedMs + RETRANSMIT_MS));
}

/** A connection is made when both ways are open; on a cut link the attempt hangs until whoever made it gives up. */
function connect(ends: Ends, address: string, way: { isOver(): boolean; refused(error: ServiceError): void; opened(server: SimServer): void }): void {
  const { net, process, listeners } = ends;
  const to = hostOf(address);
  process.world.after(net.delayMs(process.host, to), `${process.name}>${address} connect`, () => {
    if (way.isOver() || !process.isAlive) return;
    if (!net.isOpen(process.host, to) || !net.isOpen(to, process.host)) {
      process.world.after(RETRANSMIT_MS, `${process.name} connects again`, () => connect(ends, address, way));
      return;
    }
    const server = listeners.get(address);
    if (server !== undefined) return way.opened(server);
    process.input(net.delayMs(to, process.host), 'refused', () => way.refused(statusError(status.UNAVAILABLE, `connect ECONNREFUSED ${address}`)));
  });
}

function accept(parts: {
  server: SimServer;
  ends: Ends;
  method: MethodDefinition<unknown, unknown>;
  request: unknown;
  client: ClientStream;
  over: (error: ServiceError | undefined) => void;
  isOver: () => boolean;
  gone: () => void;
  unheard: UnheardFrames | undefined;
}): { up: Lane; down: Lane; stream: ServerStream; close: () => void } {
  const { server, ends, method, request, client, isOver, over, unheard } = parts;
  const found = server.methodAt(method.path);
  const definition = found?.definition ?? method;
  const stream: ServerStream & { ends?: Ends } = new ServerStream(
    request === undefined ? undefined : definition.requestDeserialize(encode(method.requestSerialize(request), ends.dialect, method.path)),
  );
  stream.ends = server.ends;
  const broken = (): void => {
    ends.process.input(0, 'broken', () => over(statusError(status.UNAVAILABLE, 'keepalive timeout')));
    parts.gone();
  };
  const down = new Lane({
    from: server.ends,
    to: ends,
    path: method.path,
    deliver: (bytes) => {
      if (isOver()) return;
      unheard?.heard(bytes);
      client.emit('data', method.responseDeserialize(bytes));
    },
    onBroken: broken,
  });
  const up = new Lane({
    from: ends,
    to: server.ends,
    path: method.path,
    deliver: (bytes) =>
      stream.receive(() => {
        if (stream.destroyed) return;
        unheard?.taken(bytes);
        stream.emit('data', definition.requestDeserialize(bytes));
      }),
    onBroken: broken,
  });
  stream.lane = down;
  const close = server.opened(() => {
    stream.destroyed = true;
    up.end();
    down.end();
    afterOpen(server.ends, ends, () => ends.process.input(0, 'reset', () => over(statusError(status.UNAVAILABLE, 'read ECONNRESET'))));
  });
  stream.onWrite = (message, onTaken) => down.send(encode(definition.responseSerialize(message), server.ends.dialect, method.path), onTaken);
  stream.onFinish = (error) => {
    if (stream.destroyed) return;
    stream.destroyed = true;
    close();
    up.end();
    down.last(() => over(error));
  };
  server.ends.process.input(0, `stream ${method.path}`, () => {
    if (found === undefined) return stream.onFinish(statusError(status.UNIMPLEMENTED, `no method ${method.path}`));
    (found.handle as StreamHandler)(stream);
  });
  return { up, down, stream, close };
}
