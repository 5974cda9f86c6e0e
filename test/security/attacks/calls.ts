import { once } from 'node:events';
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import { connect as dial } from 'node:net';
import { ABUSER_ADDRESS, type Target } from '../attack.js';

const HEADERS = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' };
/** grpc's names for numbers, as far as an abuser meets them. */
const STATUSES: Readonly<Record<string, string>> = {
  '0': 'OK',
  '1': 'CANCELLED',
  '3': 'INVALID_ARGUMENT',
  '4': 'DEADLINE_EXCEEDED',
  '8': 'RESOURCE_EXHAUSTED',
  '11': 'OUT_OF_RANGE',
  '12': 'UNIMPLEMENTED',
  '13': 'INTERNAL',
  '14': 'UNAVAILABLE',
};

/** A gRPC message: whether it is compressed, how long it says it is, and its bytes. */
export function message(bytes: Uint8Array, { isCompressed = false, length = bytes.length } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(isCompressed ? 1 : 0, 0);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** A connection that keeps to HTTP/2, whatever the calls on it are. Undefined: refused. */
export async function openSession(target: Target, settings: { readonly initialWindowSize?: number } = {}): Promise<ClientHttp2Session | undefined> {
  const createConnection = () => dial({ host: target.host, port: target.port, localAddress: ABUSER_ADDRESS });
  const session = connect(`http://${target.host}:${target.port}`, { settings, createConnection });
  // 'close' says the same.
  session.on('error', () => undefined);
  await Promise.race([once(session, 'connect').catch(() => undefined), over(session)]);
  target.note(session.destroyed ? 'refused' : 'opened');
  if (session.destroyed) return undefined;
  session.once('close', () => target.note('cut'));
  return session;
}

/** A call whose status is noted. `reads`: what comes is read and thrown away. */
export function openCall(
  session: ClientHttp2Session,
  path: string,
  { target, reads = true, more = {} }: { readonly target: Target; readonly reads?: boolean; readonly more?: Readonly<Record<string, string>> },
): ClientHttp2Stream {
  const call = session.request({ ...HEADERS, ...more, ':path': path }, { endStream: false });
  const note = (headers: NodeJS.Dict<unknown>): void => {
    const status = headers['grpc-status'];
    if (typeof status === 'string') target.note(STATUSES[status] ?? `status ${status}`);
  };
  call
    .on('error', () => undefined)
    .on('response', note)
    .on('trailers', note);
  if (reads) call.resume();
  return call;
}

/** One promise for each: who waits anew for every message would leave a listener each time. */
const ends = new WeakMap<object, Promise<void>>();

/** Resolves when it is over, whoever ended it. */
export function over(end: ClientHttp2Session | ClientHttp2Stream): Promise<void> {
  let known = ends.get(end);
  if (known === undefined) {
    known = end.destroyed ? Promise.resolve() : new Promise((resolve) => (end as ClientHttp2Stream).once('close', () => resolve()));
    ends.set(end, known);
  }
  return known;
}

/** Resolves when it may send more, or will never. */
export async function send(call: ClientHttp2Stream, bytes: Uint8Array): Promise<void> {
  if (call.destroyed || call.closed) return;
  if (call.write(bytes)) return new Promise((resolve) => setImmediate(resolve));
  await Promise.race([new Promise((resolve) => call.once('drain', resolve)), over(call)]);
}
