import type { ServerHttp2Session } from 'node:http2';
import type { Clock } from '../base/clock.js';

/**
 * PING and SETTINGS frames of one connection in one turn of the event loop. Each is answered in that turn, and who measures a link has one PING under way
 * at a time, so that no client has reason to come near it, however fast the link is.
 */
export const IDLE_FRAMES_PER_TURN_MAX = 32;

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
