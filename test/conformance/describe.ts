import type { Ready } from '../../src/raft/core.js';
import type { Progress } from '../../src/raft/progress.js';
import type { Entry, HardState, NodeId, Proposal, Role, Snapshot } from '../../src/raft/types.js';
import { describeConfState, formatSteps, goList, readConfChange } from './conf-text.js';
import { goQuote } from './go-quote.js';
import type { MessageView, Place } from './message-view.js';

const ROLE_NAMES: Readonly<Record<Role, string>> = {
  follower: 'StateFollower',
  preCandidate: 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
};
const PROGRESS_NAMES = { probe: 'StateProbe', replicate: 'StateReplicate', snapshot: 'StateSnapshot' } as const;

/** Everything that a node wants done, with the messages that leave it, in the order they leave. */
export function describeReady(ready: Ready, messages: readonly MessageView[], contextOf: (context: number) => Uint8Array): string {
  const { softState, append, apply, reads } = ready;
  const parts = [
    softState === undefined ? '' : `Lead:${softState.leaderId ?? 0} State:${describeRole(softState.role)}\n`,
    append?.hardState === undefined ? '' : `HardState ${describeHardState(append.hardState)}\n`,
    reads.length === 0 ? '' : `ReadStates ${goList(reads.map(({ index, context }) => `{${index} ${goList(contextOf(context))}}`))}\n`,
    append === undefined || append.entries.length === 0 ? '' : `Entries:\n${describeEntries(append.entries)}`,
    append?.snapshot === undefined ? '' : `Snapshot ${describeSnapshot(append.snapshot)}\n`,
    apply.length === 0 ? '' : `CommittedEntries:\n${describeEntries(apply)}`,
    messages.length === 0 ? '' : `Messages:\n${messages.map((message) => `${describeMessage(message)}\n`).join('')}`,
  ].join('');
  return parts === '' ? '<empty Ready>' : `Ready MustSync=${append?.mustSync ?? false}:\n${parts}`;
}

/** Several lines when it carries several entries, a snapshot or responses; without a line break at the end. */
export function describeMessage(view: MessageView, indent = ''): string {
  const { from, to, type, term, logTerm = 0, index = 0, rejectHint, commit = 0, vote = 0, entries = [], snapshot, responses = [] } = view;
  const inner = `${indent}  `;
  return [
    `${indent}${describePlace(from)}->${describePlace(to)} ${type} Term:${term} Log:${logTerm}/${index}`,
    rejectHint === undefined ? '' : ` Rejected (Hint: ${rejectHint})`,
    commit === 0 ? '' : ` Commit:${commit}`,
    vote === 0 ? '' : ` Vote:${vote}`,
    entries.length === 0 ? '' : ` Entries:[${entriesIn(entries, indent)}]`,
    snapshot === undefined || snapshot.index === 0 ? '' : `\n${inner}Snapshot: ${describeSnapshot(snapshot)}`,
    responses.length === 0 ? '' : ` Responses:[${responses.map((each) => `\n${describeMessage(each, inner)}`).join('')}\n${indent}]`,
  ].join('');
}

/** One a line, each with a line break. */
export function describeEntries(entries: readonly (Entry | Proposal)[]): string {
  return entries.map((entry) => `${describeEntry(entry)}\n`).join('');
}

/** `term/index Type`, then the payload: in quotes when it is a command, as `v1 l2` when it changes the members. */
export function describeEntry(entry: Entry | Proposal): string {
  const { term, index } = 'index' in entry ? entry : { term: 0, index: 0 };
  if (entry.type === 'normal') return `${term}/${index} EntryNormal ${goQuote(entry.data)}`;
  const { change, typeName } = readConfChange(entry.data);
  return `${term}/${index} ${typeName} ${formatSteps(change.steps)}`.trimEnd();
}

export function describeRole(role: Role): string {
  return ROLE_NAMES[role];
}

/** What a leader tells about each member, in the order of ids. */
export function describeProgressMap(progress: ReadonlyMap<NodeId, Progress>): string {
  return [...progress]
    .sort(([a], [b]) => a - b)
    .map(([id, each]) => `${id}: ${describeProgress(each)}\n`)
    .join('');
}

type DescribedProgress = Pick<
  Progress,
  'state' | 'match' | 'next' | 'isLearner' | 'isPaused' | 'pendingSnapshot' | 'isActive' | 'inflightCount' | 'isFull'
>;

export function describeProgress(progress: DescribedProgress): string {
  const { state, match, next, isLearner, isPaused, pendingSnapshot, isActive, inflightCount, isFull } = progress;
  return [
    `${PROGRESS_NAMES[state]} match=${match} next=${next}`,
    isLearner ? ' learner' : '',
    isPaused ? ' paused' : '',
    pendingSnapshot > 0 ? ` pendingSnap=${pendingSnapshot}` : '',
    isActive ? '' : ' inactive',
    inflightCount > 0 ? ` inflight=${inflightCount}${isFull ? '[full]' : ''}` : '',
  ].join('');
}

function entriesIn(entries: readonly (Entry | Proposal)[], indent: string): string {
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) return describeEntry(first);
  return `${entries.map((entry) => `\n${indent}  ${describeEntry(entry)}`).join('')}\n${indent}`;
}

function describeHardState({ term, votedFor, commitIndex }: HardState): string {
  return `Term:${term}${votedFor === undefined ? '' : ` Vote:${votedFor}`} Commit:${commitIndex}`;
}

function describeSnapshot({ index, term, confState }: Snapshot): string {
  return `Index:${index} Term:${term} ConfState:${describeConfState(confState)}`;
}

/** Ids of nodes are hexadecimal in messages. */
function describePlace(place: Place): string {
  if (typeof place === 'string') return place;
  return place === 0 ? 'None' : place.toString(16);
}
