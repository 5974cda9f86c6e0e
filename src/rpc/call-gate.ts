import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { type Clock, every } from '../base/clock.js';
import type { Observer } from '../base/observe.js';
import { ACCESS, authorize, type Principal } from './access.js';
import { type AuditEvent, summaryOf, whoIs } from './audit.js';
import type { Authenticator } from './authenticator.js';
import type { RemoteEnd } from './connection-gate.js';
import { encodingOf } from './grpc-internals.js';
import { MethodFigures } from './method-figures.js';
import { errorToWire } from './status.js';

/** Calls and streams of one server that are open at the same time, whoever made them. */
export const CALLS_OPEN_MAX = 10_000;
/** Of these, calls whose request has not come whole. Beyond it the one that has taken longest is ended: a request comes with its headers, or soon after. */
export const UNFINISHED_MAX = 256;
/** How long a request may take to come, in ms. */
export const REQUEST_MAX_MS = 10_000;
const SWEEP_EVERY_MS = 1_000;

/** What became of calls, since the server started. */
export interface CallFigures {
  openCount: number;
  refusedCount: number;
  /** Ended because their request did not come. */
  unfinishedCount: number;
  /** Ended because they are compressed. */
  compressedCount: number;
  /** Ended because its caller may not make it, or is not known. */
  deniedCount: number;
}

type Listener = Parameters<ServerInterceptingCallInterface['start']>[0];
type Status = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/**
 * Bounds what open calls hold. grpc-js gives a call memory when its headers come and waits for the request for ever, so that headers alone fill
 * a server; here calls are counted, and a request that does not come ends its call.
 */
export class CallGate {
  readonly figures: CallFigures = { openCount: 0, refusedCount: 0, unfinishedCount: 0, compressedCount: 0, deniedCount: 0 };
  readonly #clock: Clock;
  readonly #authenticator: Authenticator | undefined;
  readonly audit: Observer<AuditEvent> | undefined;
  /** In the order in which they came. */
  readonly #unfinished = new Map<GatedCall, /** When it came. */ number>();
  readonly #stopSweeping: () => void;
  /** By path. Only a method that is served gets here, so there are no more. */
  readonly #methods = new Map<string, MethodFigures>();

  readonly #blame: (end: RemoteEnd) => void;

  /**
   * `definitions`: of what the server serves. `blame` hears of each call that ended before its request was here: it could not be read, was too
   * large, or was taken back. `authenticator`: undefined where everybody may call everything. `audit` hears of
   * every call whose rule says so (access.ts), denied ones included.
   */
  constructor(options: {
    readonly clock: Clock;
    readonly definitions: readonly ServiceDefinition[];
    readonly blame: (end: RemoteEnd) => void;
    readonly authenticator: Authenticator | undefined;
    readonly audit: Observer<AuditEvent> | undefined;
  }) {
    const { clock, definitions, blame, authenticator, audit } = options;
    this.#clock = clock;
    this.#blame = blame;
    this.#authenticator = authenticator;
    this.audit = audit;
    for (const definition of definitions)
      for (const method of Object.values(definition)) this.#methods.set(method.path, new MethodFigures(method.path, method));
    this.#stopSweeping = every(clock, SWEEP_EVERY_MS, () => this.#sweep());
  }

  readonly interceptor: ServerInterceptor = (method, call) =>
    new GatedCall({ call, gate: this, figures: this.#figuresOf(method), clock: this.#clock, method });

  /** Live. */
  get methods(): readonly MethodFigures[] {
    return [...this.#methods.values()];
  }

  close(): void {
    this.#stopSweeping();
  }

  /** False: there are too many. */
  opened(call: GatedCall): boolean {
    this.figures.openCount += 1;
    if (this.figures.openCount > CALLS_OPEN_MAX) {
      this.figures.refusedCount += 1;
      return false;
    }
    this.#unfinished.set(call, call.startedMs);
    if (this.#unfinished.size > UNFINISHED_MAX) this.#endOldest(`${UNFINISHED_MAX} requests of calls are not here yet`);
    return true;
  }

  /** Why its caller may not make it; undefined: they may. Once for a call or a stream, never for what travels in it. */
  refusalOf(call: GatedCall, metadata: Metadata): Status | undefined {
    if (this.#authenticator === undefined) return undefined;
    const [authorization] = metadata.get('authorization');
    const certificate = call.getAuthContext().sslPeerCertificate;
    try {
      // Known also when it is refused: the audit trail says who tried.
      call.principal = this.#authenticator.identify({ certificate, authorization: authorization?.toString() });
      authorize(call.method, call.principal);
      return undefined;
    } catch (error) {
      this.figures.deniedCount += 1;
      // Nobody is to blame for a request that was not waited for.
      this.#unfinished.delete(call);
      return errorToWire(error);
    }
  }

  /** Its request is here, or the first message of its stream. */
  heard(call: GatedCall): void {
    this.#unfinished.delete(call);
  }

  over(call: GatedCall): void {
    this.figures.openCount -= 1;
    if (this.#unfinished.delete(call)) this.#blame(call.getConnectionInfo());
  }

  /** A stream was ended because of what it said. */
  misused(call: GatedCall): void {
    this.#blame(call.getConnectionInfo());
  }

  #figuresOf(method: Parameters<ServerInterceptor>[0]): MethodFigures {
    const known = this.#methods.get(method.path);
    if (known !== undefined) return known;
    const figures = new MethodFigures(method.path, method);
    this.#methods.set(method.path, figures);
    return figures;
  }

  #sweep(): void {
    const dueMs = this.#clock.nowMs() - REQUEST_MAX_MS;
    for (const cameMs of this.#unfinished.values()) {
      if (cameMs > dueMs) return;
      this.#endOldest(`the request did not come within ${REQUEST_MAX_MS} ms`);
    }
  }

  #endOldest(why: string): void {
    const [oldest] = this.#unfinished.keys();
    if (oldest === undefined) return;
    this.#unfinished.delete(oldest);
    this.figures.unfinishedCount += 1;
    this.#blame(oldest.getConnectionInfo());
    oldest.end(why);
  }
}

interface GatedCallParts {
  readonly call: ServerInterceptingCallInterface;
  readonly gate: CallGate;
  readonly figures: MethodFigures;
  readonly clock: Clock;
  /** `requestStream`: its caller sends a stream. */
  readonly method: { readonly path: string; readonly requestStream: boolean };
}

/** One call on its way through the gate; everything but its beginning and its end goes straight through. */
class GatedCall extends ServerInterceptingCall {
  readonly #call: ServerInterceptingCallInterface;
  readonly #gate: CallGate;
  readonly #figures: MethodFigures;
  readonly #clock: Clock;
  readonly #startedMs: number;
  readonly #isStream: boolean;
  /** Its path on the wire. */
  readonly method: string;
  #isHandled = false;
  /** Undefined: nobody asked, or nobody knows. */
  principal: Principal | undefined;
  /** Told of its end. Undefined: it is not audited, or its end is told. */
  #audit: Observer<AuditEvent> | undefined;
  /** Kept only while it is audited. */
  #request: unknown;

  constructor({ call, gate, figures, clock, method: { path, requestStream } }: GatedCallParts) {
    super(call);
    this.method = path;
    this.#audit = gate.audit === undefined || ACCESS.get(path)?.isAudited !== true ? undefined : gate.audit;
    this.#call = call;
    this.#gate = gate;
    this.#figures = figures;
    this.#clock = clock;
    this.#isStream = requestStream;
    this.#startedMs = clock.nowMs();
  }

  get startedMs(): number {
    return this.#startedMs;
  }

  override start(listener: Listener): void {
    this.#figures.started();
    const hasRoom = this.#gate.opened(this);
    let isIn = hasRoom;
    let isBegun = false;
    this.#call.start({
      onReceiveMetadata: (metadata) => {
        isBegun = true;
        if (!isIn) return;
        const refusal = this.#gate.refusalOf(this, metadata);
        if (refusal === undefined) return listener.onReceiveMetadata(metadata);
        isIn = false;
        // It came as it should; that its request is not waited for is no fault of its caller.
        this.#gate.heard(this);
        this.sendStatus(refusal);
      },
      onReceiveMessage: (message) => {
        this.#gate.heard(this);
        if (this.#audit !== undefined) this.#request = message;
        if (isIn) listener.onReceiveMessage(message);
      },
      // No request has come by it: a call that is taken back has this end too.
      onReceiveHalfClose: () => {
        if (isIn) listener.onReceiveHalfClose();
      },
      onCancel: () => {
        this.#gate.over(this);
        // It comes for every call that is over; one that has no status by then was given up by its caller.
        this.#handled(status.CANCELLED);
        this.#tell({ code: status.CANCELLED, details: 'its caller went away; whether it was done is not known' });
        if (isIn) listener.onCancel();
      },
    });
    // Taken back in the same breath: grpc-js begins it no more, and says nothing of its end either.
    if (!isBegun) {
      this.#gate.over(this);
      return this.#handled(status.CANCELLED);
    }
    if (!hasRoom) return this.end(`${CALLS_OPEN_MAX} calls are open already`);
    if (!isIn) return;
    // What is small on the wire and large in memory is nothing that this service needs.
    if (encodingOf(this.#call) === 'identity') return;
    this.#gate.figures.compressedCount += 1;
    this.sendStatus({ code: status.UNIMPLEMENTED, details: 'compressed requests are not taken' });
  }

  /** With a status that says why. */
  end(why: string): void {
    this.sendStatus({ code: status.RESOURCE_EXHAUSTED, details: why });
  }

  /** Once for a call. */
  #handled(code: number): void {
    if (this.#isHandled) return;
    this.#isHandled = true;
    this.#figures.handled(code, this.#clock.nowMs() - this.#startedMs);
  }

  #tell({ code, details }: Status): void {
    this.#audit?.({
      type: 'audit',
      method: this.method,
      ...whoIs(this.principal),
      from: this.getPeer(),
      arguments: summaryOf(this.#request),
      outcome: status[code ?? status.OK],
      details: details ?? '',
    });
    this.#audit = undefined;
    this.#request = undefined;
  }

  // The way back is grpc-js' own, without the closures that its class makes for each message.

  override sendMetadata(metadata: Metadata): void {
    this.#call.sendMetadata(metadata);
  }

  override sendMessage(message: unknown, callback: () => void): void {
    this.#call.sendMessage(message, callback);
  }

  override sendStatus(end: Status): void {
    this.#handled(end.code ?? status.UNKNOWN);
    this.#tell(end);
    // A call fails alone, whoever's fault it is; a stream is ended only when its caller does not keep to the protocol.
    if (this.#isStream && (end.code === status.INVALID_ARGUMENT || end.code === status.INTERNAL)) this.#gate.misused(this);
    this.#call.sendStatus(end);
  }
}
