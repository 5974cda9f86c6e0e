import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { deliverRequest } from '../../../src/rpc/peer-frame.js';
import type * as wire from '../../../src/rpc/gen/seqsvr/v1/raft.js';
import { type FramedMessage, raftFromWire, raftToWire } from '../../../src/rpc/raft-codec.js';
import { offerFromWire, offerToWire } from '../../../src/rpc/snapshot-codec.js';

const envelope = { from: 1, to: 2, term: 9 };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const messages: readonly FramedMessage[] = [
  { ...envelope, type: 'preVote', lastIndex: 5, lastTerm: 8 },
  { ...envelope, type: 'preVoteReply', granted: true },
  { ...envelope, term: 0, type: 'preVoteReply', granted: false },
  { ...envelope, type: 'vote', lastIndex: 0, lastTerm: 0, isTransfer: true },
  { ...envelope, type: 'vote', lastIndex: 2 ** 53 - 1, lastTerm: 9, isTransfer: false },
  { ...envelope, type: 'voteReply', granted: false },
  { ...envelope, type: 'append', previousIndex: 0, previousTerm: 0, commitIndex: 3, entries: [] },
  {
    ...envelope,
    type: 'append',
    previousIndex: 6,
    previousTerm: 4,
    commitIndex: 3,
    entries: [
      { index: 7, term: 4, type: 'normal', data: text('seven') },
      { index: 8, term: 4, type: 'normal', data: text('') },
      { index: 9, term: 4, type: 'confChange', data: text('nine') },
      { index: 10, term: 4, type: 'normal', data: text('ten') },
      { index: 11, term: 9, type: 'normal', data: text('') },
      { index: 12, term: 9, type: 'confChange', data: text('') },
    ],
  },
  { ...envelope, type: 'appendReply', index: 7, rejected: true, hintIndex: 3, hintTerm: 2 },
  { ...envelope, type: 'heartbeat', commitIndex: 4, readRound: 17 },
  { ...envelope, type: 'heartbeatReply', readRound: 17 },
  {
    ...envelope,
    term: 0,
    type: 'propose',
    entries: [
      { type: 'normal', data: text('x') },
      { type: 'confChange', data: text('') },
    ],
  },
  { ...envelope, term: 0, type: 'readIndex', context: 33 },
  { ...envelope, type: 'readIndexReply', context: 33, index: 12 },
  { ...envelope, type: 'transferLeader', transferee: 3 },
  { ...envelope, type: 'timeoutNow' },
];

describe('raft codec', () => {
  for (const message of messages) {
    it(`brings ${message.type} of term ${message.term} back from its bytes as it was`, () => {
      const bytes = deliverRequest.seal({ frame: { $case: 'messages', value: { messages: [raftToWire(message)] } } });
      const { frame } = deliverRequest.open(bytes);
      const back = frame?.$case === 'messages' ? raftFromWire(frame.value.messages[0]!) : undefined;
      expect(plain(back)).to.deep.equal(plain(message));
    });
  }

  it('sends neighbours of one term and type as one run, and neither index nor term with each', () => {
    const entries = Array.from({ length: 256 }, (_, at) => ({ index: at + 1, term: 7, type: 'normal' as const, data: text('12345678') }));
    const { body } = raftToWire({ ...envelope, type: 'append', previousIndex: 0, previousTerm: 0, commitIndex: 0, entries });
    expect(body?.$case === 'append' && body.value.runs.map(({ term, data }) => [term, data.length])).to.deep.equal([[7n, 256]]);
  });

  const base = { from: 1, to: 2, term: 9n };
  const run = (change: Partial<wire.EntryRun> = {}): wire.EntryRun => ({ term: 9n, type: 0, data: [Buffer.from('x')], ...change });
  const appendOf = (...runs: readonly wire.EntryRun[]): wire.RaftMessage => ({
    ...base,
    body: { $case: 'append', value: { previousIndex: 6n, previousTerm: 8n, commitIndex: 0n, runs: [...runs] } },
  });
  const unknownType = 7 as wire.EntryType;
  const heartbeat: wire.RaftMessage = { ...base, body: { $case: 'heartbeat', value: { commitIndex: 0n, readRound: 0n } } };
  const broken: readonly (readonly [string, wire.RaftMessage, string])[] = [
    ['without a sender', { ...heartbeat, from: 0 }, 'without a sender'],
    ['without a receiver', { ...heartbeat, to: 0 }, 'or a receiver'],
    ['without a body', { ...base, body: undefined }, 'that this version does not know'],
    ['of a term that the disk has no room for', { ...heartbeat, term: 2n ** 47n + 1n }, 'term must be at most 2^47, got 140737488355329'],
    ['of term 0 that has one', { ...heartbeat, term: 0n }, 'a message heartbeat with term 0'],
    ['of a term that has none', { ...base, body: { $case: 'readIndex', value: { context: 1n } } }, 'a message readIndex with term 9'],
    ['that grants a pre-vote in term 0', { ...base, term: 0n, body: { $case: 'preVoteReply', value: { granted: true } } }, 'with term 0'],
    [
      'with a pre-vote for a transfer',
      { ...base, body: { $case: 'preVote', value: { lastIndex: 1n, lastTerm: 1n, isTransfer: true } } },
      'a pre-vote for',
    ],
    [
      'with a last entry of no term',
      { ...base, body: { $case: 'vote', value: { lastIndex: 1n, lastTerm: 0n, isTransfer: false } } },
      'last index 1 with last term 0',
    ],
    [
      'with a term of no entry',
      { ...base, body: { $case: 'vote', value: { lastIndex: 0n, lastTerm: 1n, isTransfer: false } } },
      'last index 0 with last term 1',
    ],
    [
      'with a last entry of a later term',
      { ...base, body: { $case: 'vote', value: { lastIndex: 1n, lastTerm: 10n, isTransfer: false } } },
      'in a message of term 9',
    ],
    ['with a run of no entries', appendOf(run({ data: [] })), 'a run without entries'],
    ['with an entry of term 0', appendOf(run({ term: 0n })), 'an entry of term 0'],
    ['with terms that go back', appendOf(run({ term: 9n }), run({ term: 8n })), 'an entry of term 8 after one of term 9'],
    ['with terms that go back behind the previous entry', appendOf(run({ term: 7n })), 'an entry of term 7 after one of term 8'],
    ['with an entry of a later term', appendOf(run({ term: 10n })), 'from a leader of term 9'],
    ['with an entry of an unknown type', appendOf(run({ type: unknownType })), 'entry type 7 is not known'],
    [
      'with a proposal of an unknown type',
      { ...base, term: 0n, body: { $case: 'propose', value: { proposals: [{ type: unknownType, data: Buffer.alloc(0) }] } } },
      'entry type 7',
    ],
    ['that proposes nothing', { ...base, term: 0n, body: { $case: 'propose', value: { proposals: [] } } }, 'a propose without a proposal'],
    ['that names node 0 as the next leader', { ...base, body: { $case: 'transferLeader', value: { transferee: 0 } } }, 'a transfer to node 0'],
    [
      'with entries that the disk has no room for',
      { ...base, body: { $case: 'append', value: { previousIndex: 2n ** 47n + 1n, previousTerm: 8n, commitIndex: 0n, runs: [run()] } } },
      'previous index must be at most 2^47',
    ],
  ];
  for (const [name, message, why] of broken) {
    it(`refuses a message ${name}`, () => refuses(() => raftFromWire(message), why));
  }
});

describe('snapshot codec', () => {
  const offer = {
    term: 7,
    at: { index: 90, term: 4 },
    confState: { voters: [1, 2], votersOutgoing: [2, 3], learners: [70_000], learnersNext: [3], autoLeave: true },
    totalBytes: 1_000,
    sha256: Buffer.alloc(32, 5),
    transferId: 'a'.repeat(32),
  };
  const good = offerToWire(offer);
  const conf = good.confState!;

  it('brings an offer back as it was', () => {
    expect(offerFromWire(good)).to.deep.equal(offer);
  });

  const broken: readonly (readonly [string, Partial<wire.SnapshotOffer>, string])[] = [
    ['of nothing', { snapshotIndex: 0n }, 'a snapshot at index 0'],
    ['of no term', { snapshotTerm: 0n }, 'of term 0'],
    ['of a later term than its leader', { snapshotTerm: 8n }, 'from a leader of term 7'],
    ['of a size past 2^53', { totalBytes: 2n ** 60n }, 'total bytes must be at most'],
    ['with half a hash', { sha256: Buffer.alloc(16) }, 'a sha256 of 16 bytes'],
    ['without a transfer id', { transferId: '' }, 'a transfer id must be'],
    ['without members', { confState: undefined }, 'without its members'],
    ['without voters', { confState: { ...conf, voters: [] } }, 'without voters'],
    ['with a member twice', { confState: { ...conf, voters: [1, 1] } }, 'must ascend from 1, got 1 after 1'],
    ['with member 0', { confState: { ...conf, learners: [0] } }, 'must ascend from 1, got 0'],
    ['with a learner that votes', { confState: { ...conf, learners: [2] } }, 'node 2 is a voter and a learner'],
    ['with a next learner that does not leave', { confState: { ...conf, learnersNext: [1] } }, 'is no outgoing voter'],
    ['that leaves what is not joint', { confState: { ...conf, votersOutgoing: [], learnersNext: [] } }, 'is not joint'],
    ['with more members than there can be', { confState: { ...conf, learners: Array.from({ length: 1_001 }, (_, at) => at + 10) } }, 'at most 1000'],
  ];
  for (const [name, change, why] of broken) {
    it(`refuses an offer ${name}`, () => refuses(() => offerFromWire({ ...good, ...change }), why));
  }
});

/** Buffers and other byte arrays are the same to a reader. */
function plain(message: FramedMessage | undefined): unknown {
  if (message?.type !== 'append' && message?.type !== 'propose') return message;
  return { ...message, entries: message.entries.map((entry) => ({ ...entry, data: Buffer.from(entry.data).toString('hex') })) };
}

function refuses(act: () => unknown, why: string): void {
  expect(act)
    .to.throw(SeqError, why)
    .that.satisfies(({ code }: SeqError) => code === 'PROTOCOL');
}
