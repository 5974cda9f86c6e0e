import type { Http2Server, ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Clock } from '../base/clock.js';

/**
 * PING and SETTINGS frames of one connection in one turn of the event loop. Each is answered in that turn, and who measures a link has one PING under way
 * at a time, so that no client has reason to come near it, however fast the link is.
 */
export const IDLE_FRAMES_PER_TURN_MAX = 32;

/** A call that came and was taken back in one read of its connection: Node tells of it when it is over already. */
function isTakenBack({ destroyed, closed }: ServerHttp2Stream): boolean {
  return destroyed || closed;
}

/**
 * Keeps calls from grpc-js that were taken back in the same breath (CVE-2023-44487): it would begin each, at a price of many times what it costs to send
 * one, and never say that it ended.
 */
export function keepOutTakenBack(server: Http2Server): void {
  const listeners = server.listeners('stream');
  server.removeAllListeners('stream');
  server.on('stream', (stream, ...rest) => {
    if (isTakenBack(stream)) return;
    for (const listener of listeners) listener.call(server, stream, ...rest);
  });
}

/** Calls `onTakenBack` for each of them: the call itself does not know its connection any more. */
export function watchTakenBack(session: ServerHttp2Session, onTakenBack: () => void): void {
  session.on('stream', (stream) => {
    if (isTakenBack(stream)) onTakenBack();
  });
}

/** Calls `onFlood`, once, when a connection sends more frames that want nothing but an answer than any client has reason to. */
export function watchSession(session: ServerHttp2Session, clock: Clock, onFlood: () => void): void {
  let ofThisTurn = 0;
  let isTold = false;
  const onFrame = (): void => {
    ofThisTurn += 1;
    if (ofThisTurn === 1) clock.defer(() => (ofThisTurn = 0));
    if (ofThisTurn <= IDLE_FRAMES_PER_TURN_MAX || isTold) return;
    isTold = true;
    onFlood();
  };
  session.on('ping', onFrame).on('remoteSettings', onFrame);
}
