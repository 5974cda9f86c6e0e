import { committedIndex, jointCommittedIndex, jointVoteResult, type VoteResult, voteResult } from '../../src/raft/quorum.js';
import type { Index, NodeId } from '../../src/raft/types.js';
import { Args, parseNumber } from './args.js';
import { goList } from './conf-text.js';
import { type Block, ScriptError } from './data-file.js';
import { describeCommitted, formatIndex } from './quorum-chart.js';

export const QUORUM_COMMANDS: ReadonlySet<string> = new Set(['committed', 'vote']);

const VOTE_NAMES: Readonly<Record<VoteResult, string>> = { won: 'VoteWon', lost: 'VoteLost', pending: 'VotePending' };
/** How the language prints votes where it complains about their number: unknown, no, yes. */
const VOTES: Readonly<Record<string, number>> = { _: 0, n: 1, y: 2 };

/** What voters have said, by id; who is not in it has not spoken. */
type Said = ReadonlyMap<NodeId, number>;

/** Each command stands for itself: a majority, or with `cfgj` (`zero`: an empty one) a joint pair. */
export function quorumScript(): (block: Block) => string {
  return (block) => {
    const isVote = block.command === 'vote';
    if (!QUORUM_COMMANDS.has(block.command)) throw new ScriptError(`unknown command "${block.command}"`);
    const args = new Args(block, { options: ['cfg', 'cfgj', isVote ? 'votes' : 'idx'] });
    args.exactly(0);
    const incoming = unique(args.values('cfg').map(parseNumber));
    const joint = args.values('cfgj');
    const outgoing = unique(joint.join() === 'zero' ? [] : joint.map(parseNumber));
    const voters = unique([...incoming, ...outgoing]);
    const values = isVote ? args.values('votes').map(parseVote) : args.values('idx').map(parseIndex);
    if (values.length !== voters.length) {
      const ids = [...voters].sort((a, b) => a - b).map((id) => `${id}:{}`);
      return `error: mismatched input (explicit or _) for voters map${goList(ids)}: ${goList(values)}`;
    }
    // 0 stands for unknown, which is not the same as an index of 0: that cannot be written.
    const said: Said = new Map(voters.map((id, place) => [id, values[place] ?? 0] as const).filter(([, value]) => value !== 0));
    const isJoint = joint.length > 0;
    if (isVote) return isJoint ? jointVote(incoming, outgoing, said) : vote(incoming, said);
    return isJoint ? jointCommitted(incoming, outgoing, said) : committed(incoming, said);
  };
}

/** Beside the answer, every other way to compute it: a difference is printed, and so found. */
function committed(voters: readonly NodeId[], said: Said): string {
  const of = (known: Said): Index => committedIndex(voters, (id) => known.get(id));
  const index = of(said);
  const others: [Index, string][] = [
    [countedIndex(voters, said), 'via alternative computation'],
    [jointCommittedIndex([voters, []], (id) => said.get(id)), 'via zero-joint quorum'],
    [jointCommittedIndex([voters, voters], (id) => said.get(id)), 'via self-joint quorum'],
  ];
  // What is below the committed index could be lower still and would change nothing.
  for (const [id, own] of said) {
    if (own >= index) continue;
    others.push([of(new Map([...said, [id, own - 1]])), `overlaying ${id}->${own - 1}`], [of(new Map([...said, [id, 0]])), `overlaying ${id}->0`]);
  }
  return `${describeCommitted(voters, said)}${differences(index, others, formatIndex)}${formatIndex(index)}`;
}

function jointCommitted(incoming: readonly NodeId[], outgoing: readonly NodeId[], said: Said): string {
  const of = (one: readonly NodeId[], other: readonly NodeId[]): Index => jointCommittedIndex([one, other], (id) => said.get(id));
  const index = of(incoming, outgoing);
  const others: [Index, string][] = [[of(outgoing, incoming), 'via symmetry']];
  const chart = describeCommitted(unique([...incoming, ...outgoing]), said);
  return `${chart}${differences(index, others, formatIndex)}${formatIndex(index)}`;
}

function vote(voters: readonly NodeId[], said: Said): string {
  return VOTE_NAMES[voteResult(voters, votesOf(said))];
}

function jointVote(incoming: readonly NodeId[], outgoing: readonly NodeId[], said: Said): string {
  const result = jointVoteResult([incoming, outgoing], votesOf(said));
  const others: [VoteResult, string][] = [[jointVoteResult([outgoing, incoming], votesOf(said)), 'via symmetry']];
  return `${differences(result, others, (each) => VOTE_NAMES[each])}${VOTE_NAMES[result]}`;
}

function votesOf(said: Said): (id: NodeId) => boolean | undefined {
  return (id) => (said.has(id) ? said.get(id) === VOTES['y'] : undefined);
}

/** The largest index that enough voters have reached, counted one by one. */
function countedIndex(voters: readonly NodeId[], said: Said): Index {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const reached = (index: Index): number => voters.filter((id) => (said.get(id) ?? 0) >= index).length;
  return Math.max(0, ...[...said.values()].filter((index) => reached(index) * 2 > voters.length));
}

function differences<Value>(value: Value, others: readonly (readonly [Value, string])[], format: (value: Value) => string): string {
  return others
    .filter(([other]) => other !== value)
    .map(([other, how]) => `${format(other)} <-- ${how}\n`)
    .join('');
}

function parseIndex(text: string): number {
  if (text === '_') return 0;
  const index = parseNumber(text);
  if (index === 0) throw new ScriptError('an idx is at least 1, or _');
  return index;
}

function parseVote(text: string): number {
  const vote = VOTES[text];
  if (vote === undefined) throw new ScriptError(`unknown vote "${text}", must be y, n or _`);
  return vote;
}

/** In order of first appearance. */
function unique(ids: readonly NodeId[]): readonly NodeId[] {
  return [...new Set(ids)];
}
