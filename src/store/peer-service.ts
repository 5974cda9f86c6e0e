import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { type Hello } from '../rpc/gen/seqsvr/v1/raft.js';
import { peerServiceOf } from '../rpc/peer-frame.js';
import type { Handlers, Service } from '../rpc/server.js';
import type { PeerAdmission } from './peer-admission.js';
import { type Guest, type GuestHost, type GuestMethod, PeerGuest } from './peer-guest.js';
import type { PeerInbox } from './peer-inbox.js';
import type { PeerNotices, RefusalReason } from './peer-notices.js';

/** Streams that have not said hello yet; the next one is refused. Room for all members that come back at once. */
const UNGREETED_MAX = 64;

export interface PeerReceptionOptions {
  readonly admission: PeerAdmission;
  readonly inbox: PeerInbox;
  /** A peer was believed. */
  readonly onWelcome: (hello: Hello) => void;
  readonly notices: PeerNotices;
  readonly clock: Clock;
}

/** Takes in the streams of other nodes: nobody is heard before its hello, and a member has one stream in each lane. */
export class PeerReception implements GuestHost {
  readonly #options: PeerReceptionOptions;
  readonly #ungreeted = new Set<Guest>();
  /** By node id and lane. */
  readonly #guests = new Map<string, Guest>();
  #isClosed = false;

  constructor(options: PeerReceptionOptions) {
    this.#options = options;
  }

  service(handlers: Handlers): Service {
    const { clock, inbox } = this.#options;
    const serve = <Body extends { readonly $case: string }>(method: GuestMethod<Body>) =>
      handlers.duplex<Buffer, Buffer>((stream) => this.#onGuest(new PeerGuest({ stream, method, handlers, host: this, clock })));
    return peerServiceOf({ deliver: serve(inbox.deliver), installSnapshot: serve(inbox.installSnapshot) });
  }

  /** Asks again about everybody who is here: who is no member any more, or another data directory's by now, is cut. */
  refresh(): void {
    for (const guest of this.#guests.values()) {
      const { hello } = guest;
      if (hello !== undefined) this.#admits(guest, hello);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const guest of [...this.#ungreeted, ...this.#guests.values()]) guest.cut('this node is closed');
  }

  onHello(guest: Guest, hello: Hello): void {
    if (!this.#admits(guest, hello)) return;
    const { admission, onWelcome } = this.#options;
    admission.welcome(hello);
    const key = keyOf(hello);
    // The former stream is half of a dead connection, or of a process that is no more: what it still says is stale.
    this.#guests.get(key)?.cut('the same node has opened a newer stream');
    this.#ungreeted.delete(guest);
    this.#guests.set(key, guest);
    guest.welcome(hello, admission.hello(hello.nodeId, hello.lane));
    onWelcome(hello);
  }

  onRefused({ hello }: Guest, reason: RefusalReason, { message }: SeqError): void {
    this.#options.notices.refused(hello?.nodeId ?? 0, reason, message);
  }

  onGone(guest: Guest): void {
    this.#ungreeted.delete(guest);
    const { hello } = guest;
    if (hello !== undefined && this.#guests.get(keyOf(hello)) === guest) this.#guests.delete(keyOf(hello));
  }

  #onGuest(guest: Guest): void {
    if (this.#isClosed) return guest.cut('this node is closed');
    if (this.#ungreeted.size >= UNGREETED_MAX)
      return guest.refuse('tooMany', new SeqError('RESOURCE_EXHAUSTED', `${UNGREETED_MAX} streams are here that have not said hello`));
    this.#ungreeted.add(guest);
  }

  /** Tells whoever is not admitted why, and ends its stream. */
  #admits(guest: Guest, hello: Hello): boolean {
    const { admission, notices } = this.#options;
    const verdict = admission.judge(hello);
    if (verdict.type === 'accepted') return true;
    if (verdict.type === 'removed') {
      notices.refused(hello.nodeId, 'removed', `data directory ${hello.nodeUuid} was removed from the cluster`);
      guest.sayRemoved(admission.removed(hello.nodeUuid));
    } else {
      guest.refuse(verdict.reason, verdict.error);
    }
    return false;
  }
}

function keyOf({ nodeId, lane }: Hello): string {
  return `${nodeId} ${lane}`;
}
