import type { FramedMessage } from '../../../src/rpc/raft-codec.js';
import type { SeededRandom } from '../../unit/seeded-random.js';

/** A message of node 1 to node 2, of any type that needs no log to make sense. */
export function raftWords(random: SeededRandom): FramedMessage {
  const envelope = { from: 1, to: 2, term: 1 + random.below(9) };
  const granted = random.chance(0.5);
  switch (random.below(9)) {
    case 0:
      return { ...envelope, type: 'preVote', lastIndex: 1, lastTerm: 1 };
    case 1:
      return { ...envelope, type: 'vote', lastIndex: 1, lastTerm: 1, isTransfer: granted };
    case 2:
      return { ...envelope, type: random.pick(['voteReply', 'preVoteReply']), granted };
    case 3:
      return { ...envelope, type: 'appendReply', index: 1, rejected: granted, hintIndex: 0, hintTerm: 0 };
    case 4:
      return { ...envelope, type: 'heartbeatReply', readRound: random.below(3) };
    case 5:
      return { ...envelope, type: 'readIndexReply', context: 1, index: 1 };
    case 6:
      return { ...envelope, term: 0, type: 'propose', entries: [{ type: 'normal', data: Uint8Array.of(1) }] };
    case 7:
      return { ...envelope, term: 0, type: 'readIndex', context: 1 };
    default:
      return granted ? { ...envelope, type: 'timeoutNow' } : { ...envelope, type: 'transferLeader', transferee: 3 };
  }
}
