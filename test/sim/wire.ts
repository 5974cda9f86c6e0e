import { Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';
import { SeqError } from '../../src/base/errors.js';
import type { CallOptions, Channel } from '../../src/rpc/channel.js';
import type { RpcServer, ServeOptions } from '../../src/rpc/server.js';
import { errorFromWire } from '../../src/rpc/status.js';
import type { Wire } from '../../src/rpc/wire.js';
import type { SimNet } from './net.js';
import type { SimProcess } from './process.js';
import { openStream } from './stream.js';

/** What an upgraded program may send besides what this one knows: an unknown field of every message, ignored by whoever does not know it. */
const FIELD_OF_LATER = Buffer.from([0xfa, 0x7d, 0x03, 0x6e, 0x65, 0x77]);

/** How the wire of one process differs from the others'. */
export interface Dialect {
  /** It runs a later version of the program, whose messages have a field more. */
  readonly isUpgraded: boolean;
}

/** Everything that listens, by `host:port`. */
export type Listeners = Map<string, SimServer>;

type UnaryHandler = (call: object, callback: (error: ServiceError | null, value?: unknown) => void) => void;
type StreamHandler = (call: unknown) => void;

/** The wire of one process: real messages, encoded and decoded by the real code, over a network that does what a seed says. */
export function simWire(process: SimProcess, net: SimNet, listeners: Listeners, dialect: Dialect): Wire {
  return {
    channel: ({ address }) => new SimChannel({ address, process, net, listeners, dialect }),
    serve: (options) => Promise.resolve(SimServer.start(options, { process, net, listeners, dialect })),
  };
}

export interface Ends {
  readonly process: SimProcess;
  readonly net: SimNet;
  readonly listeners: Listeners;
  readonly dialect: Dialect;
}

export class SimServer implements RpcServer {
  readonly address: string;
  readonly ends: Ends;
  readonly #methods = new Map<string, { readonly definition: MethodDefinition<unknown, unknown>; readonly handle: unknown }>();
  /** What is to be told when this server is cut: whoever waits for an answer. */
  readonly #open = new Set<() => void>();
  #isListening = true;

  private constructor(options: ServeOptions, ends: Ends) {
    this.address = options.address;
    this.ends = ends;
    for (const { definition, implementation } of options.services)
      for (const [name, method] of Object.entries(definition)) this.#methods.set(method.path, { definition: method, handle: implementation[name] });
  }

  static start(options: ServeOptions, ends: Ends): SimServer {
    const { listeners, process } = ends;
    if (listeners.has(options.address)) throw new SeqError('INVALID_ARGUMENT', `cannot listen on ${options.address}: in use`);
    const server = new SimServer(options, ends);
    listeners.set(options.address, server);
    process.onEnd(() => server.cut());
    return server;
  }

  methodAt(path: string): { readonly definition: MethodDefinition<unknown, unknown>; readonly handle: unknown } | undefined {
    return this.#methods.get(path);
  }

  /** `onCut` is called if this server ends before the returned function was. */
  opened(onCut: () => void): () => void {
    this.#open.add(onCut);
    return () => void this.#open.delete(onCut);
  }

  close(): Promise<void> {
    this.#unlisten();
    return new Promise((resolve) => {
      this.ends.process.due(50, 'close', false, () => {
        this.cut();
        resolve();
      });
    });
  }

  cut(): void {
    this.#unlisten();
    const open = [...this.#open];
    this.#open.clear();
    for (const onCut of open) onCut();
  }

  #unlisten(): void {
    if (!this.#isListening) return;
    this.#isListening = false;
    this.ends.listeners.delete(this.address);
  }
}

export class SimChannel implements Channel {
  readonly address: string;
  readonly ends: Ends;
  #isClosed = false;
  readonly #streams = new Set<{ cancel(): void }>();

  constructor(options: Ends & { readonly address: string }) {
    this.address = options.address;
    this.ends = options;
  }

  call<Request, Response>(method: MethodDefinition<Request, Response>, request: Request, options: CallOptions): Promise<Response> {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      if (this.#isClosed) return reject(new SeqError('CLOSED', `the channel to ${this.address} is closed`));
      if (signal?.aborted) return reject(new SeqError('ABORTED', 'the call was aborted by its signal', { definite: true, cause: signal.reason }));
      const { process } = this.ends;
      let isOver = false;
      const end = (settle: () => void): void => {
        if (isOver) return;
        isOver = true;
        cancelTimer();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const fail = (error: ServiceError): void => end(() => reject(errorFromWire(error, this.address)));
      const onAbort = (): void =>
        end(() => reject(new SeqError('ABORTED', 'the call was aborted by its signal', { definite: false, cause: signal?.reason })));
      const cancelTimer = process.clock.after(Math.max(1, options.timeoutMs), () => fail(statusError(status.DEADLINE_EXCEEDED, 'Deadline exceeded')));
      signal?.addEventListener('abort', onAbort, { once: true });
      const bytes = encode(method.requestSerialize(request), this.ends.dialect, method.path);
      this.#send(method as MethodDefinition<unknown, unknown>, bytes, process.clock.nowMs() + options.timeoutMs, {
        isOver: () => isOver,
        fail,
        answer: (answer) => end(() => resolve(method.responseDeserialize(answer))),
      });
    });
  }

  /** One request on its way: it may be lost, late, or carried out twice. */
  #send(method: MethodDefinition<unknown, unknown>, bytes: Buffer, deadlineMs: number, caller: Caller): void {
    const { process, net } = this.ends;
    const to = hostOf(this.address);
    const copies = net.chance(net.rates.duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (!net.isOpen(process.host, to) || net.chance(net.rates.loss)) continue;
      const sentMs = net.world.nowMs;
      net.world.after(net.delayMs(process.host, to), `${process.name}>${this.address} call`, () =>
        this.#arrive(method, bytes, { sentMs, deadlineMs }, copy === 0 ? caller : { ...caller, isOver: () => true, fail: () => undefined }),
      );
    }
  }

  #arrive(method: MethodDefinition<unknown, unknown>, bytes: Buffer, times: { sentMs: number; deadlineMs: number }, caller: Caller): void {
    const { process, net, listeners } = this.ends;
    const server = listeners.get(this.address);
    const back = (run: () => void): boolean => {
      const from = hostOf(this.address);
      if (!net.isOpen(from, process.host) || net.chance(net.rates.loss)) return false;
      process.input(net.delayMs(from, process.host), 'answer', run);
      return true;
    };
    if (server === undefined) return void back(() => caller.fail(statusError(status.UNAVAILABLE, `connect ECONNREFUSED ${this.address}`)));
    const found = server.methodAt(method.path);
    if (found === undefined) return void back(() => caller.fail(statusError(status.UNIMPLEMENTED, `no method ${method.path}`)));
    const { definition, handle } = found;
    const close = server.opened(() => void back(() => caller.fail(statusError(status.UNAVAILABLE, 'read ECONNRESET'))));
    const unheard = (): void => net.onUnheard(times.sentMs, method.path, definition.requestDeserialize(bytes));
    const serving = server.ends.process;
    serving.take(true, `call ${method.path}`, () => {
      // What is left until the caller's deadline, on the clock of whoever serves; gRPC hands it out as a date.
      const leftMs = times.deadlineMs - process.clock.nowMs();
      if (leftMs <= 0) return close();
      const call = {
        request: definition.requestDeserialize(bytes),
        getDeadline: () => new Date(serving.clock.wallMs() + leftMs),
        get cancelled() {
          return caller.isOver();
        },
      };
      (handle as UnaryHandler)(call, (error, value) => {
        close();
        if (error !== null) return void back(() => caller.fail(error));
        if (!serving.isAlive) return unheard();
        const answer = encode(definition.responseSerialize(value), server.ends.dialect, method.path);
        const isOnItsWay = back(() => {
          if (caller.isOver()) unheard();
          else caller.answer(answer);
        });
        if (!isOnItsWay) unheard();
      });
    });
  }

  serverStream<Request, Response>(method: MethodDefinition<Request, Response>, request: Request): never {
    const stream = openStream(this, method as MethodDefinition<unknown, unknown>, request);
    this.#streams.add(stream);
    return stream as never;
  }

  duplexStream<Request, Response>(method: MethodDefinition<Request, Response>): never {
    const stream = openStream(this, method as MethodDefinition<unknown, unknown>, undefined);
    this.#streams.add(stream);
    return stream as never;
  }

  errorOf(error: ServiceError): SeqError {
    return errorFromWire(error, this.address);
  }

  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) stream.cancel();
    this.#streams.clear();
  }
}

interface Caller {
  isOver(): boolean;
  fail(error: ServiceError): void;
  answer(bytes: Buffer): void;
}

export type { StreamHandler };

export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}

/** Frames between StoreSvrs end with their checksum and are versioned by their hello: nothing is added to them. */
export function encode(bytes: Uint8Array, { isUpgraded }: Dialect, path: string): Buffer {
  const own = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return isUpgraded && !path.includes('PeerService') ? Buffer.concat([own, FIELD_OF_LATER]) : own;
}

/** What gRPC itself says of a call that failed: no trailer of ours. */
export function statusError(code: status, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}
