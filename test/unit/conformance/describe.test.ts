import { expect } from 'chai';
import { encodeConfChange } from '../../../src/raft/conf-change.js';
import type { Ready } from '../../../src/raft/core.js';
import { EMPTY_CONF_STATE, type Entry } from '../../../src/raft/types.js';
import { confChangeContext, describeConfig, parseSteps } from '../../conformance/conf-text.js';
import { describeEntry, describeMessage, describeProgress, describeReady } from '../../conformance/describe.js';
import { goQuote } from '../../conformance/go-quote.js';
import { Output } from '../../conformance/output.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const normal = (index: number, text: string): Entry => ({ index, term: 2, type: 'normal', data: bytes(text) });
const NO_CONTEXTS = (): Uint8Array => new Uint8Array();
const NOTHING: Ready = { softState: undefined, messages: [], append: undefined, apply: [], reads: [] };

describe('quotes as Go prints them', () => {
  const rows: readonly (readonly [bytes: Uint8Array, quoted: string])[] = [
    [bytes(''), '""'],
    [bytes('plain text'), '"plain text"'],
    [bytes('"back\\slash"'), '"\\"back\\\\slash\\""'],
    [bytes('\x07\b\f\n\r\t\v'), '"\\a\\b\\f\\n\\r\\t\\v"'],
    [bytes('\x00\x1f\x7f'), '"\\x00\\x1f\\x7f"'],
    [bytes('é界😀'), '"é界😀"'],
    [bytes('\u00a0\u200b\ufeff'), '"\\u00a0\\u200b\\ufeff"'],
    [bytes('\u{e0001}'), '"\\U000e0001"'],
    [Uint8Array.of(0x61, 0xff, 0xc3), '"a\\xff\\xc3"'],
    [Uint8Array.of(0xed, 0xa0, 0x80), '"\\xed\\xa0\\x80"'],
    [Uint8Array.of(0xc0, 0x80), '"\\xc0\\x80"'],
    [bytes('\ufffd'), '"\ufffd"'],
  ];
  for (const [given, quoted] of rows)
    it(`turn ${Buffer.from(given).toString('hex') || 'nothing'} into ${quoted}`, () => expect(goQuote(given)).to.equal(quoted));
});

describe('an entry in words', () => {
  const change = (text: string, isV1: boolean): Uint8Array =>
    encodeConfChange({ transition: 'auto', steps: parseSteps(text), context: confChangeContext(isV1) });

  it('has its payload in quotes, also when that is empty', () => {
    expect(describeEntry(normal(7, 'a"b'))).to.equal('2/7 EntryNormal "a\\"b"');
    expect(describeEntry(normal(8, ''))).to.equal('2/8 EntryNormal ""');
  });

  it('tells the two forms of a membership change apart', () => {
    expect(describeEntry({ index: 3, term: 1, type: 'confChange', data: change('v2', true) })).to.equal('1/3 EntryConfChange v2');
    expect(describeEntry({ index: 3, term: 1, type: 'confChange', data: change('v1 l2 r3 u4', false) })).to.equal(
      '1/3 EntryConfChangeV2 v1 l2 r3 u4',
    );
  });

  it('has nothing behind the type when a joint configuration is left', () => {
    expect(describeEntry({ index: 3, term: 1, type: 'confChange', data: new Uint8Array() })).to.equal('1/3 EntryConfChangeV2');
  });

  it('stands at 0/0 while it is only proposed', () => {
    expect(describeEntry({ type: 'normal', data: bytes('x') })).to.equal('0/0 EntryNormal "x"');
  });
});

describe('a message in words', () => {
  it('names nodes in hexadecimal, and nobody as None', () => {
    expect(describeMessage({ from: 10, to: 255, type: 'MsgApp', term: 1 })).to.equal('a->ff MsgApp Term:1 Log:0/0');
    expect(describeMessage({ from: 0, to: 1, type: 'MsgHup', term: 0 })).to.equal('None->1 MsgHup Term:0 Log:0/0');
  });

  it('says rejected with its hint, commit and vote in this order', () => {
    const view = { from: 1, to: 2, type: 'MsgAppResp', term: 3, logTerm: 2, index: 9, rejectHint: 0, commit: 5, vote: 6 } as const;
    expect(describeMessage(view)).to.equal('1->2 MsgAppResp Term:3 Log:2/9 Rejected (Hint: 0) Commit:5 Vote:6');
  });

  it('has one entry in its line, and several in lines of their own', () => {
    const view = { from: 1, to: 2, type: 'MsgApp', term: 2 } as const;
    expect(describeMessage({ ...view, entries: [normal(1, 'a')] })).to.equal('1->2 MsgApp Term:2 Log:0/0 Entries:[2/1 EntryNormal "a"]');
    expect(describeMessage({ ...view, entries: [normal(1, 'a'), normal(2, 'b')] }, '  ')).to.equal(
      '  1->2 MsgApp Term:2 Log:0/0 Entries:[\n    2/1 EntryNormal "a"\n    2/2 EntryNormal "b"\n  ]',
    );
  });

  it('has snapshot and responses below it, moved in', () => {
    const snapshot = { index: 5, term: 2, confState: { ...EMPTY_CONF_STATE, voters: [1, 16], learners: [3] }, data: bytes('') };
    const response = { from: 'AppendThread', to: 1, type: 'MsgStorageAppendResp', term: 2 } as const;
    const view = { from: 1, to: 'AppendThread', type: 'MsgStorageAppend', term: 2, snapshot, responses: [response] } as const;
    expect(describeMessage(view)).to.equal(
      [
        '1->AppendThread MsgStorageAppend Term:2 Log:0/0',
        '  Snapshot: Index:5 Term:2 ConfState:Voters:[1 16] VotersOutgoing:[] Learners:[3] LearnersNext:[] AutoLeave:false Responses:[',
        '  AppendThread->1 MsgStorageAppendResp Term:2 Log:0/0',
        ']',
      ].join('\n'),
    );
  });
});

describe('a Ready in words', () => {
  it('is empty, or says what is there in a fixed order', () => {
    expect(describeReady(NOTHING, [], NO_CONTEXTS)).to.equal('<empty Ready>');
    const ready: Ready = {
      softState: { role: 'preCandidate', leaderId: undefined },
      messages: [],
      append: {
        entries: [normal(4, 'e')],
        hardState: { term: 2, votedFor: undefined, commitIndex: 3 },
        snapshot: undefined,
        mustSync: true,
        replies: [],
        ack: undefined,
      },
      apply: [normal(3, 'c')],
      reads: [
        { index: 3, context: 1 },
        { index: 4, context: 2 },
      ],
    };
    expect(describeReady(ready, [{ from: 1, to: 2, type: 'MsgApp', term: 2 }], (context) => bytes(context === 1 ? 'ab' : ''))).to.equal(
      [
        'Ready MustSync=true:',
        'Lead:0 State:StatePreCandidate',
        'HardState Term:2 Commit:3',
        'ReadStates [{3 [97 98]} {4 []}]',
        'Entries:',
        '2/4 EntryNormal "e"',
        'CommittedEntries:',
        '2/3 EntryNormal "c"',
        'Messages:',
        '1->2 MsgApp Term:2 Log:0/0',
        '',
      ].join('\n'),
    );
  });
});

describe('members and progress in words', () => {
  it('print both halves of a joint configuration, ascending and hexadecimal', () => {
    const conf = { voters: [10, 2], votersOutgoing: [1], learners: [3], learnersNext: [1], autoLeave: true };
    expect(describeConfig(conf)).to.equal('voters=(2 a)&&(1) learners=(3) learners_next=(1) autoleave');
    expect(describeConfig({ ...EMPTY_CONF_STATE, voters: [1] })).to.equal('voters=(1)');
  });

  it('print of a progress only what is out of the ordinary', () => {
    const plain = {
      state: 'replicate',
      match: 4,
      next: 9,
      isLearner: false,
      isPaused: false,
      pendingSnapshot: 0,
      isActive: true,
      inflightCount: 0,
      isFull: false,
    } as const;
    expect(describeProgress(plain)).to.equal('StateReplicate match=4 next=9');
    expect(
      describeProgress({ ...plain, isLearner: true, isPaused: true, pendingSnapshot: 8, isActive: false, inflightCount: 2, isFull: true }),
    ).to.equal('StateReplicate match=4 next=9 learner paused pendingSnap=8 inactive inflight=2[full]');
  });
});

describe('what a command prints', () => {
  it('is moved in by two blanks with a line break at its end', () => {
    const output = new Output();
    output.write('> 1 handling Ready\n');
    output.indented(() => output.write('<empty Ready>'));
    output.indented(() => undefined);
    expect(output.text).to.equal('> 1 handling Ready\n  <empty Ready>\n');
  });

  it('is nothing at level NONE', () => {
    const output = new Output();
    output.level = 'NONE';
    output.indented(() => output.write('text'));
    expect(output.text).to.equal('');
  });
});
