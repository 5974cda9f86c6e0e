import { SeqError } from '../base/errors.js';
import type { ConfState, EntryId, NodeId, Term } from '../raft/types.js';
import { numberFromWire, placeFromWire } from './codec.js';
import type * as wire from './gen/seqsvr/v1/raft.js';

/** Members in one list of a ConfState, far more than a Raft group can use; a longer one is refused. */
const MEMBERS_MAX = 1_000;
const SHA256_BYTES = 32;

/** A snapshot that is about to be sent: everything about it but its bytes. */
export interface Offer {
  /** The leader's. */
  readonly term: Term;
  readonly at: EntryId;
  readonly confState: ConfState;
  readonly totalBytes: number;
  readonly sha256: Buffer;
  /** Kept when the stream is made anew, 32 hex digits. */
  readonly transferId: string;
}

export function offerToWire({ term, at, confState, totalBytes, sha256, transferId }: Offer): wire.SnapshotOffer {
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = confState;
  return {
    term: BigInt(term),
    snapshotIndex: BigInt(at.index),
    snapshotTerm: BigInt(at.term),
    confState: {
      voters: [...voters],
      votersOutgoing: [...votersOutgoing],
      learners: [...learners],
      learnersNext: [...learnersNext],
      autoLeave,
    },
    totalBytes: BigInt(totalBytes),
    sha256,
    transferId,
  };
}

/** Throws PROTOCOL with the value and the rule when the offer cannot be meant. */
export function offerFromWire(offer: wire.SnapshotOffer): Offer {
  const at = { index: placeFromWire(offer.snapshotIndex, 'snapshot index'), term: placeFromWire(offer.snapshotTerm, 'snapshot term') };
  const term = placeFromWire(offer.term, 'term');
  if (at.index === 0 || at.term === 0 || at.term > term)
    throw protocol(`a snapshot at index ${at.index} of term ${at.term}, from a leader of term ${term}`);
  if (offer.sha256.length !== SHA256_BYTES) throw protocol(`a sha256 of ${offer.sha256.length} bytes`);
  if (!/^[0-9a-f]{32}$/.test(offer.transferId)) throw protocol('a transfer id must be 32 hex digits');
  const confState = confStateFromWire(offer.confState);
  return { term, at, confState, totalBytes: numberFromWire(offer.totalBytes, 'total bytes'), sha256: offer.sha256, transferId: offer.transferId };
}

function confStateFromWire(wire: wire.ConfState | undefined): ConfState {
  if (wire === undefined) throw protocol('a snapshot without its members');
  const { voters, votersOutgoing, learners, learnersNext, autoLeave } = wire;
  for (const list of [voters, votersOutgoing, learners, learnersNext]) checkAscends(list);
  if (voters.length === 0) throw protocol('a snapshot of a group without voters');
  const decides = new Set([...voters, ...votersOutgoing]);
  const learner = learners.find((id) => decides.has(id));
  if (learner !== undefined) throw protocol(`node ${learner} is a voter and a learner`);
  const next = learnersNext.find((id) => !votersOutgoing.includes(id));
  if (next !== undefined) throw protocol(`node ${next} becomes a learner when the joint configuration is left, and is no outgoing voter of it`);
  if (autoLeave && votersOutgoing.length === 0) throw protocol('a configuration that is left by itself and is not joint');
  return { voters, votersOutgoing, learners, learnersNext, autoLeave };
}

function checkAscends(ids: readonly NodeId[]): void {
  if (ids.length > MEMBERS_MAX) throw protocol(`a list of ${ids.length} members, at most ${MEMBERS_MAX} are taken`);
  let last = 0;
  for (const id of ids) {
    if (id <= last) throw protocol(`member ids must ascend from 1, got ${id} after ${last}`);
    last = id;
  }
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message);
}
