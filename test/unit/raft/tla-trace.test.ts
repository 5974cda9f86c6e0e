import { expect } from 'chai';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TlaLine, tlaLineOf } from '../../../src/raft/tla-trace.js';
import type { TraceEvent } from '../../../src/raft/trace.js';
import { Cluster } from './cluster.js';
import { acknowledge, leading, membersOf, settled, snapshotAt, TestNode, type TestNodeOptions } from './test-node.js';

const PLAIN = { preVote: false, checkQuorum: false } as const;
const SOURCES = 'src/raft';

type Event = TlaLine['event'];

/** A node and the lines of its trace so far; `lines` is emptied by a test to see only what follows. */
function traced(make: (options: TestNodeOptions) => TestNode, options: TestNodeOptions = {}): { node: TestNode; lines: Event[] } {
  const lines: Event[] = [];
  const node = make({
    ...PLAIN,
    ...options,
    trace: (event, core) => {
      const line = tlaLineOf(event, core);
      if (line !== undefined) lines.push(line.event);
    },
  });
  return { node, lines };
}

const fresh = (options: TestNodeOptions): TestNode => new TestNode(options);

function namesOf(lines: readonly Event[]): readonly string[] {
  return lines.map(({ name, msg }) => (msg === undefined ? name : `${name} ${msg.type} ${msg.from}>${msg.to}`));
}

describe('the TLA+ trace of etcd', () => {
  it('begins with one InitState that shows what was found on disk, and nothing else', () => {
    const { lines } = traced(fresh, { terms: [1, 2], hardState: { term: 2, votedFor: 3, commitIndex: 1 } });
    expect(lines).to.deep.equal([
      { name: 'InitState', nid: '1', state: { term: 2, vote: '3', commit: 1 }, role: 'StateFollower', log: 2, conf: [['1', '2', '3'], []] },
    ]);
  });

  it('has another InitState after a restart, of what is there then', () => {
    const { node, lines } = traced(fresh);
    node.hear({ from: 2, term: 4, type: 'vote', lastIndex: 0, lastTerm: 0, isTransfer: false });
    lines.length = 0;
    node.restart();
    expect(lines.map(({ name, state }) => [name, state.term, state.vote])).to.deep.equal([['InitState', 4, '2']]);
  });

  it('is tagged, and is written as JSON with ids as text', () => {
    const node = new TestNode({ confState: membersOf({ voters: [1], votersOutgoing: [1, 2] }) });
    expect(JSON.stringify(tlaLineOf({ name: 'Commit' }, node.core))).to.equal(
      '{"tag":"trace","event":{"name":"Commit","nid":"1","state":{"term":0,"vote":"0","commit":0},"role":"StateFollower","log":0,"conf":[["1"],["1","2"]]}}',
    );
  });

  it('tells an election step by step: the own vote takes the way of all', () => {
    const { node, lines } = traced(fresh);
    node.campaign();
    node.hear({ from: 2, term: 1, type: 'voteReply', granted: true });
    expect(namesOf(lines)).to.deep.equal([
      'InitState',
      'BecomeCandidate',
      'SendRequestVoteResponse MsgVoteResp 1>1',
      'SendRequestVoteRequest MsgVote 1>2',
      'SendRequestVoteRequest MsgVote 1>3',
      'Ready',
      'ReceiveRequestVoteResponse MsgVoteResp 1>1',
      'ReceiveRequestVoteResponse MsgVoteResp 2>1',
      'BecomeLeader',
      'Replicate',
      'SendAppendEntriesResponse MsgAppResp 1>1',
      'SendAppendEntriesRequest MsgApp 1>2',
      'SendAppendEntriesRequest MsgApp 1>3',
      'Ready',
      'ReceiveAppendEntriesResponse MsgAppResp 1>1',
      'Commit',
    ]);
    // BecomeLeader and Replicate come before the no-op is in the log.
    expect(lines.filter(({ name }) => name === 'BecomeLeader' || name === 'Replicate').map(({ log, role }) => [log, role])).to.deep.equal([
      [0, 'StateLeader'],
      [0, 'StateLeader'],
    ]);
  });

  it('tells the fields of each kind of message', () => {
    const { node, lines } = traced(settled, { terms: [1, 1], hardState: { term: 1 } });
    lines.length = 0;
    node.propose('a');
    node.tick();
    const sent = (type: string) => lines.find(({ msg }) => msg?.type === type && msg.to === '2');
    const ends = { term: 2, from: '1', to: '2', vote: '0', reject: false, rejectHint: 0 };
    expect(sent('MsgApp')!.msg).to.deep.equal({ ...ends, type: 'MsgApp', entries: 1, logTerm: 2, index: 3, commit: 3 });
    expect(sent('MsgHeartbeat')!.msg).to.deep.equal({ ...ends, type: 'MsgHeartbeat', entries: 0, logTerm: 0, index: 0, commit: 3 });
    node.hear({ from: 2, term: 2, type: 'appendReply', index: 4, rejected: true, hintIndex: 2, hintTerm: 1 });
    expect(lines.find(({ name, msg }) => name === 'ReceiveAppendEntriesResponse' && msg?.from === '2')!.msg).to.deep.equal({
      type: 'MsgAppResp',
      term: 2,
      from: '2',
      to: '1',
      vote: '0',
      entries: 0,
      commit: 0,
      index: 4,
      reject: true,
      rejectHint: 2,
      logTerm: 1,
    });
  });

  it('tells with an append what the sender knows of its own log', () => {
    const { node, lines } = traced(settled);
    lines.length = 0;
    node.propose('a');
    expect(lines.filter(({ msg }) => msg?.type === 'MsgApp').map(({ prop }) => prop)).to.deep.equal([
      { match: 1, next: 2 },
      { match: 1, next: 2 },
    ]);
    expect(lines.filter(({ msg }) => msg?.type === 'MsgAppResp' || msg?.type === 'MsgHeartbeat').every((line) => !('prop' in line))).to.equal(true);
  });

  it('tells of a vote request what the log ends with, and of a refusal that it is one', () => {
    const { node, lines } = traced(fresh, { terms: [1, 2] });
    node.hear({ from: 3, term: 3, type: 'vote', lastIndex: 1, lastTerm: 1, isTransfer: false });
    const [request, reply] = lines.filter(({ msg }) => msg !== undefined).map(({ msg }) => msg!);
    expect([request!.index, request!.logTerm, reply!.type, reply!.reject, reply!.to]).to.deep.equal([1, 1, 'MsgVoteResp', true, '3']);
  });

  it('shows a snapshot as an append of everything up to its index', () => {
    const { node, lines } = traced(fresh, { hardState: { term: 1 } });
    lines.length = 0;
    node.hear({ from: 2, term: 1, type: 'snapshot', snapshot: snapshotAt({ index: 11, term: 1 }, membersOf({ voters: [1, 2] })) });
    expect(namesOf(lines)).to.deep.equal([
      'ReceiveAppendEntriesRequest MsgSnap 2>1',
      'ApplyConfChange',
      'SendAppendEntriesResponse MsgAppResp 1>2',
      'Ready',
    ]);
    const { entries, index, logTerm, commit } = lines[0]!.msg!;
    expect({ entries, index, logTerm, commit }).to.deep.equal({ entries: 11, index: 0, logTerm: 0, commit: 0 });
  });

  it('tells a change of members when it is proposed, and before it counts', () => {
    const { node, lines } = traced(settled);
    lines.length = 0;
    node.change('v4');
    acknowledge(node, { from: 2 });
    const told = lines.filter(({ name }) => name.includes('Conf'));
    expect(told.map(({ name, conf, prop }) => [name, conf[0], prop])).to.deep.equal([
      ['ChangeConf', ['1', '2', '3'], { cc: { changes: [{ nid: '4', action: 'AddNewServer' }] } }],
      ['ApplyConfChange', ['1', '2', '3'], { cc: { newconf: ['1', '2', '3', '4'] } }],
    ]);
    expect(
      lines.some(({ name }) => name === 'Replicate'),
      'only normal entries are told so',
    ).to.equal(false);
  });

  it('names every action; an update alone is none', () => {
    const { core } = leading(PLAIN);
    const actionsOf = (type: 'addVoter' | 'addLearner' | 'remove' | 'update') =>
      tlaLineOf({ name: 'ChangeConf', steps: [{ type, nodeId: 2 }] }, core)?.event.prop;
    expect([actionsOf('addLearner'), actionsOf('remove'), actionsOf('update')]).to.deep.equal([
      { cc: { changes: [{ nid: '2', action: 'AddLearner' }] } },
      { cc: { changes: [{ nid: '2', action: 'RemoveServer' }] } },
      undefined,
    ]);
  });

  it('leaves out what its model does not know', () => {
    const { core } = new TestNode();
    const ends = { from: 1, to: 2, term: 1 };
    const unknown: readonly TraceEvent[] = [
      { name: 'Send', message: { ...ends, type: 'preVote', lastIndex: 0, lastTerm: 0 } },
      { name: 'Receive', message: { ...ends, type: 'preVoteReply', granted: true } },
      { name: 'Send', message: { ...ends, type: 'readIndex', context: 1 } },
      { name: 'Receive', message: { ...ends, type: 'timeoutNow' } },
      { name: 'Send', message: { ...ends, type: 'transferLeader', transferee: 2 } },
      { name: 'Send', message: { ...ends, type: 'propose', entries: [] } },
    ];
    expect(unknown.map((event) => tlaLineOf(event, core))).to.deep.equal(unknown.map(() => undefined));
  });

  it('has a Commit for every look at what a majority holds, a fruitless one too', () => {
    const { node, lines } = traced(settled, { voters: [1, 2, 3, 4, 5] });
    node.propose('a');
    lines.length = 0;
    for (const from of [2, 3]) acknowledge(node, { from });
    expect(lines.filter(({ name }) => name === 'Commit').map(({ state }) => state.commit)).to.deep.equal([1, 2]);
  });

  it('shows what was done in causal order: what is received was sent before', () => {
    const lines: Event[] = [];
    const trace: TestNodeOptions['trace'] = (event, core) => {
      const line = tlaLineOf(event, core);
      if (line !== undefined) lines.push(line.event);
    };
    const cluster = new Cluster({ size: 3, options: { ...PLAIN, trace } });
    cluster.elect(1);
    cluster.node(1).propose('a');
    cluster.tick(3);
    const sent = new Set<string>();
    for (const { name, msg } of lines) {
      const key = JSON.stringify(msg);
      if (name.startsWith('Send')) sent.add(key);
      if (name.startsWith('Receive')) expect(sent.has(key), key).to.equal(true);
    }
    expect(sent.size).to.be.above(10);
  });

  it('costs nothing without a listener: every call evaluates its arguments only if there is one', async () => {
    const calls: string[] = [];
    for (const file of (await readdir(SOURCES)).filter((name) => name.endsWith('.ts'))) {
      const lines = (await readFile(join(SOURCES, file), 'utf8')).split('\n');
      calls.push(
        ...lines.filter((line) => /\btrace\b.*\(/.test(line) && !/^\s*(\*|\/\*|\/\/)|import|=>/.test(line)).map((line) => `${file}: ${line.trim()}`),
      );
    }
    expect(calls.length).to.be.above(9);
    expect(calls.filter((line) => !line.includes('options.trace?.(') && !line.includes('options.trace !== undefined'))).to.deep.equal([]);
    // The language says so: an absent listener's arguments are not evaluated.
    const listener: { trace?: (event: unknown) => void } = {};
    let evaluated = 0;
    listener.trace?.({ cost: (evaluated += 1) });
    expect(evaluated).to.equal(0);
  });
});
