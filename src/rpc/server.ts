import type { ServerHttp2Session } from 'node:http2';
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import type { Version } from '../model/version.js';
import type { Observer } from '../base/observe.js';
import type { AuditEvent } from './audit.js';
import type { Authenticator } from './authenticator.js';
import { CallGate } from './call-gate.js';
import { ConnectionGate } from './connection-gate.js';
import { FAULTS_MAX, FaultLedger } from './fault-ledger.js';
import { boundHeaders, http2ServersOf } from './grpc-internals.js';
import { keepOutTakenBack, watchSession, watchTakenBack } from './session-watch.js';
import { NO_FIGURES, type ServerFigures } from './server-figures.js';
import { errorToWire } from './status.js';
import { TlsDoor } from './tls-door.js';
import type { TlsIdentity } from './tls-identity.js';

/** Server limits. grpc-js' own defaults are open; each of these is a decision (ecosystem: hardening). */
const SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  'grpc.max_send_message_length': 16 * 1024 * 1024,
  // Of one connection.
  'grpc.max_concurrent_streams': 100,
  // MiB that one connection may hold, answers above all that it does not read.
  'grpc-node.max_session_memory': 16,
  // A connection without a call; clients come back by themselves.
  'grpc.max_connection_idle_ms': 300_000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.enable_channelz': 0,
};

/** The headers of a call: its path, a deadline, a token, a trace. */
export const HEADERS_MAX_BYTES = 16 * 1024;
/** How long open calls may take to end when a server closes, in ms; after it they are cut. */
const CLOSE_GRACE_MS = 2_000;
/** What a call without a deadline of its own gets, in ms: nothing waits for ever. */
const DEADLINE_DEFAULT_MS = 10_000;
/** No call is waited for longer than this, in ms, whatever its deadline: a timer set for 2^31 ms or more would fire at once. */
const DEADLINE_MAX_MS = 600_000;

/** What a handler may ask about the call it serves. */
export interface CallContext {
  /** Moment on the Clock's monotonic axis after which nobody waits for the answer; at most DEADLINE_MAX_MS away. */
  readonly deadlineMs: number;
  /** True once the caller has gone away. */
  isCancelled(): boolean;
  /** Address and port of the caller, as grpc-js writes it. Absent: a network that a test made. */
  readonly caller?: string;
}

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/** How a server knows who calls. */
export interface ServerSecurity {
  readonly identity: TlsIdentity;
  readonly isCertificateRequired: boolean;
  readonly authenticator: Authenticator;
  /** Hears why a connection was cut in its handshake. */
  readonly onRefused?: ((why: string) => void) | undefined;
}

export interface ServeOptions {
  readonly address: string;
  readonly services: readonly Service[];
  readonly clock: Clock;
  /** The largest message it takes, in bytes. Default 4 MiB. */
  readonly maxRequestBytes?: number;
  /** Undefined: plain, and everybody may call everything. */
  readonly security?: ServerSecurity | undefined;
  /** Hears of every call that changes the cluster on somebody's word. */
  readonly audit?: Observer<AuditEvent> | undefined;
}

/** A server on one address. */
export interface RpcServer {
  /** `host:port` as bound: the port is the real one also when 0 was asked for. */
  readonly address: string;
  /** Live. Absent: a network that a test made, which has no gates. */
  readonly figures?: ServerFigures | undefined;
  /** Takes no new calls, lets the open ones end for a while, then cuts them. */
  close(): Promise<void>;
  /** Cuts every call and connection at once. */
  cut(): void;
}

/** A gRPC server behind two gates, for grpc-js' own limits leave connections and half-made calls open without bound. */
export class GrpcServer implements RpcServer {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #calls: CallGate;
  readonly #injector: ReturnType<Server['createConnectionInjector']>;
  #connections: ConnectionGate | undefined;
  readonly #door: TlsDoor | undefined;
  #address = '';

  private constructor({ clock, maxRequestBytes, services, security, audit }: ServeOptions) {
    const limits = maxRequestBytes === undefined ? {} : { 'grpc.max_receive_message_length': maxRequestBytes };
    this.#clock = clock;
    this.#calls = new CallGate({
      clock,
      definitions: services.map(({ definition }) => definition),
      blame: (end) => this.#connections?.blame(end),
      authenticator: security?.authenticator,
      audit,
    });
    this.#server = new Server({ ...SERVER_OPTIONS, ...limits, interceptors: [this.#calls.interceptor] });
    for (const { definition, implementation } of services) this.#server.addService(definition, implementation);
    boundHeaders(this.#server, HEADERS_MAX_BYTES);
    // TLS ends at the door, which says what it takes and can exchange its certificate; what comes here is HTTP/2 in any case.
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    for (const http2 of http2ServersOf(this.#server)) {
      http2.on('session', (session) => this.#watch(session));
      keepOutTakenBack(http2);
    }
    if (security !== undefined) this.#door = this.#doorOf(security);
  }

  /** Binds and serves. Throws INVALID_ARGUMENT when the address cannot be had: in use, or not of this machine. */
  static async start(options: ServeOptions): Promise<GrpcServer> {
    const { address, clock } = options;
    const { host } = splitAddress(address);
    const server = new GrpcServer(options);
    try {
      server.#connections = await ConnectionGate.listen({
        address,
        clock,
        isSecure: options.security !== undefined,
        ledger: new FaultLedger(clock),
        admit: (socket) => (server.#door === undefined ? server.#injector.injectConnection(socket) : server.#door.take(socket)),
      });
    } catch (error) {
      server.#calls.close();
      throw error;
    }
    server.#address = `${host}:${server.#connections.port}`;
    return server;
  }

  #watch(session: ServerHttp2Session): void {
    const { remoteAddress, remotePort } = session.socket;
    const end = { remoteAddress, remotePort };
    this.#connections?.speaksBy(session, end);
    watchTakenBack(session, () => this.#connections?.blame(end));
    watchSession(session, this.#clock, () => this.#connections?.blame(end, FAULTS_MAX));
  }

  get address(): string {
    return this.#address;
  }

  get figures(): ServerFigures {
    return { connections: this.#connections?.figures ?? NO_FIGURES.connections, calls: this.#calls.figures, methods: this.#calls.methods };
  }

  async close(): Promise<void> {
    this.#connections?.close();
    this.#door?.close();
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(CLOSE_GRACE_MS, () => this.cut());
      this.#server.tryShutdown(() => {
        cancel();
        resolve();
      });
    });
    this.#calls.close();
  }

  cut(): void {
    this.#connections?.close();
    this.#door?.close();
    this.#calls.close();
    // forceShutdown() alone ends no session while channelz is off (grpc-js 1.14.7); drain() does.
    this.#injector.drain(0);
    this.#server.forceShutdown();
  }

  #doorOf({ identity, isCertificateRequired, onRefused = () => undefined }: ServerSecurity): TlsDoor {
    return new TlsDoor({
      identity,
      isCertificateRequired,
      protocols: ['h2'],
      onRefused,
      admit: (socket) => {
        // Who does not ask for it speaks something else.
        if (socket.alpnProtocol === 'h2') return this.#injector.injectConnection(socket);
        onRefused('NO_H2');
        socket.destroy();
      },
    });
  }
}

/** Adapts handlers to grpc-js: errors become statuses with our trailer, deadlines become moments of the Clock. */
export class Handlers {
  readonly #clock: Clock;
  readonly #routingVersion: () => Version | undefined;
  readonly #onBug: (error: unknown) => void;

  /** `onBug` hears everything a handler throws that is not a SeqError. */
  constructor(options: { readonly clock: Clock; readonly onBug: (error: unknown) => void; readonly routingVersion?: () => Version | undefined }) {
    this.#clock = options.clock;
    this.#onBug = options.onBug;
    this.#routingVersion = options.routingVersion ?? (() => undefined);
  }

  /** The handler may answer at once or later; an answer at once costs no promise. */
  unary<Request, Response>(handle: (request: Request, context: CallContext) => Response | Promise<Response>): handleUnaryCall<Request, Response> {
    return (call, callback) => {
      try {
        const answer = handle(call.request, new UnaryContext(call, this.#clock));
        if (answer instanceof Promise) {
          answer.then(
            (value) => callback(null, value),
            (error: unknown) => callback(this.#toWire(error)),
          );
        } else callback(null, answer);
      } catch (error) {
        callback(this.#toWire(error));
      }
    };
  }

  /** The handler owns the stream until it ends it; what it throws ends the stream with a status. */
  serverStream<Request, Response>(
    handle: (request: Request, stream: ServerWritableStream<Request, Response>) => void,
  ): handleServerStreamingCall<Request, Response> {
    return (call) => {
      try {
        handle(call.request, call);
      } catch (error) {
        call.emit('error', this.#toWire(error));
      }
    };
  }

  /** The handler reads and writes the stream until it ends it; what it throws ends the stream with a status. */
  duplex<Request, Response>(handle: (stream: ServerDuplexStream<Request, Response>) => void): handleBidiStreamingCall<Request, Response> {
    return (call) => {
      // A peer that goes away in the middle is no news; without a listener it would end the process.
      call.on('error', () => call.end());
      try {
        handle(call);
      } catch (error) {
        call.emit('error', this.#toWire(error));
      }
    };
  }

  /** Ends a stream with a refusal. */
  refuse(call: { emit(event: 'error', error: unknown): boolean }, error: unknown): void {
    call.emit('error', this.#toWire(error));
  }

  /** The status for anything thrown; reports bugs. */
  #toWire(error: unknown) {
    if (!(error instanceof SeqError)) this.#onBug(error);
    return errorToWire(error, this.#routingVersion());
  }
}

/** Works the deadline out when somebody is about to wait: most calls are answered at once. */
class UnaryContext implements CallContext {
  readonly #call: ServerUnaryCall<unknown, unknown>;
  readonly #clock: Clock;
  #deadlineMs: number | undefined;

  constructor(call: ServerUnaryCall<unknown, unknown>, clock: Clock) {
    this.#call = call;
    this.#clock = clock;
  }

  get deadlineMs(): number {
    if (this.#deadlineMs === undefined) {
      const deadline = this.#call.getDeadline();
      const wallMs = deadline instanceof Date ? deadline.getTime() : deadline;
      // grpc hands the deadline out on the wall clock; only its distance from now means anything.
      const leftMs = Number.isFinite(wallMs) ? wallMs - this.#clock.wallMs() : DEADLINE_DEFAULT_MS;
      this.#deadlineMs = this.#clock.nowMs() + Math.min(leftMs, DEADLINE_MAX_MS);
    }
    return this.#deadlineMs;
  }

  get caller(): string {
    return this.#call.getPeer();
  }

  isCancelled(): boolean {
    return this.#call.cancelled;
  }
}

/**
 * Keeps grpc-js from writing to stderr by itself: a program says in its own words what went wrong. For programs only,
 * never called by the client library, whose user owns the process. Who asks grpc-js to talk, by its own variables, is heard.
 */
export function quietGrpc(): void {
  const asked = process.env['GRPC_VERBOSITY'] ?? process.env['GRPC_NODE_VERBOSITY'];
  if (asked === undefined) setLogVerbosity(logVerbosity.NONE);
}
