import type { Clock } from '../base/clock.js';
import type { Observer } from '../base/observe.js';
import type { NodeId } from '../raft/types.js';
import type { Lane } from '../rpc/gen/seqsvr/v1/raft.js';
import type { StoreEvent } from './events.js';

/** Why a peer, or a stream of it, was not believed. */
export type RefusalReason =
  /** Of another cluster. */
  | 'otherCluster'
  /** It looks for another node, or for another data directory of this one. */
  | 'otherNode'
  /** The cluster knows another data directory for its id: it was wiped or replaced. */
  | 'wrongUuid'
  /** No member. */
  | 'unknownMember'
  /** The cluster has removed it; it was told so. */
  | 'removed'
  /** No version of the peer protocol that both speak. */
  | 'wireVersion'
  /** Bytes that are no frame, or a frame that has no business there. */
  | 'badFrame'
  /** It did not say who it is in time. */
  | 'silent'
  /** As many streams or strangers as this node takes are here already. */
  | 'tooMany';

/** Why a message was not sent: no connection, too much waits, larger than any frame, or an id that nobody has. */
export type DropReason = 'down' | 'full' | 'tooLarge' | 'unknownPeer';

/** Totals since the start. */
export interface PeerCounts {
  readonly refused: Readonly<Record<RefusalReason, number>>;
  /** Messages of believed peers that broke a rule, each dropped alone. */
  readonly badMessages: number;
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** Snapshots of believed peers that were not what they should be, dropped as far as they had come. */
  readonly snapshotsRefused: number;
}

/** What goes on happening is told at once and then at most this often, in ms, each time with how often it happened since. */
const TELL_EVERY_MS = 60_000;
/** Things that go on at once; beyond it the one that was told longest ago is news again when it happens next. */
const SPELLS_MAX = 256;

interface Spell {
  toldAtMs: number;
  untoldCount: number;
}

/** Counts what a peer does wrong and what cannot be sent, and tells each without flooding a log: once for a spell. */
export class PeerNotices {
  readonly #clock: Clock;
  readonly #observe: Observer<StoreEvent>;
  readonly #spells = new Map<string, Spell>();
  readonly #refused: Record<RefusalReason, number> = {
    otherCluster: 0,
    otherNode: 0,
    wrongUuid: 0,
    unknownMember: 0,
    removed: 0,
    wireVersion: 0,
    badFrame: 0,
    silent: 0,
    tooMany: 0,
  };
  readonly #dropped: Record<DropReason, number> = { down: 0, full: 0, tooLarge: 0, unknownPeer: 0 };
  #badMessages = 0;
  #snapshotsRefused = 0;

  constructor(options: { readonly clock: Clock; readonly observe: Observer<StoreEvent> }) {
    this.#clock = options.clock;
    this.#observe = options.observe;
  }

  get counts(): PeerCounts {
    return { refused: { ...this.#refused }, badMessages: this.#badMessages, dropped: { ...this.#dropped }, snapshotsRefused: this.#snapshotsRefused };
  }

  /** `nodeId`: who it says it is; 0 when it did not say. */
  refused(nodeId: NodeId, reason: RefusalReason, why: string): void {
    this.#refused[reason] += 1;
    this.#note(`refused ${nodeId} ${reason}`, 1, (count) => this.#observe({ type: 'peerRefused', nodeId, reason, why, count }));
  }

  badMessage(peerId: NodeId, why: string): void {
    this.#badMessages += 1;
    this.#note(`badMessage ${peerId}`, 1, (count) => this.#observe({ type: 'badMessage', peerId, why, count }));
  }

  dropped(peerId: NodeId, lane: Lane, why: DropReason, messageCount: number): void {
    this.#dropped[why] += messageCount;
    this.#note(`dropped ${peerId} ${lane} ${why}`, messageCount, (count) => this.#observe({ type: 'peerDropped', peerId, lane, why, count }));
  }

  snapshotRefused(peerId: NodeId, why: string): void {
    this.#snapshotsRefused += 1;
    this.#note(`snapshot ${peerId}`, 1, (count) => this.#observe({ type: 'snapshotRefused', peerId, why, count }));
  }

  #note(key: string, count: number, tell: (count: number) => void): void {
    const nowMs = this.#clock.nowMs();
    const spell = this.#spells.get(key);
    if (spell !== undefined && nowMs - spell.toldAtMs < TELL_EVERY_MS) {
      spell.untoldCount += count;
      return;
    }
    // Last in the map is last told.
    this.#spells.delete(key);
    this.#spells.set(key, { toldAtMs: nowMs, untoldCount: 0 });
    const [oldest] = this.#spells.keys();
    if (oldest !== undefined && this.#spells.size > SPELLS_MAX) this.#spells.delete(oldest);
    tell(count + (spell?.untoldCount ?? 0));
  }
}
