import { unreachable } from '../base/assert.js';
import type { ConfChangeStep } from './conf-change.js';
import type { RaftCore } from './core.js';
import type { Message } from './message.js';
import type { TraceEvent } from './trace.js';
import type { Index, Role, Term } from './types.js';

/** One line of a trace that etcd's TLA+ trace checker reads, as JSON. Node ids are strings. */
export interface TlaLine {
  readonly tag: 'trace';
  readonly event: {
    readonly name: string;
    readonly nid: string;
    readonly state: { readonly term: Term; readonly vote: string; readonly commit: Index };
    readonly role: string;
    /** The last index of the log. */
    readonly log: Index;
    readonly conf: readonly [incoming: readonly string[], outgoing: readonly string[]];
    readonly msg?: TlaMessage;
    readonly prop?: Readonly<Record<string, unknown>>;
  };
}

interface TlaMessage {
  readonly type: string;
  readonly term: Term;
  readonly from: string;
  readonly to: string;
  /** How many; of a snapshot, the index. */
  readonly entries: number;
  readonly logTerm: Term;
  readonly index: Index;
  readonly commit: Index;
  readonly vote: string;
  readonly reject: boolean;
  readonly rejectHint: Index;
}

/**
 * What that checker is to know of `event`; undefined when it knows no such thing (pre-votes, reads, transfers). Its model
 * has no pre-votes, leases and repeated messages: turn `preVote` and `checkQuorum` off for a trace.
 */
export function tlaLineOf(event: TraceEvent, core: RaftCore): TlaLine | undefined {
  switch (event.name) {
    case 'Send':
    case 'Receive':
      return messageLine(event.name, event.message, core);
    case 'ChangeConf': {
      const changes = event.steps.flatMap(changeOf);
      return changes.length === 0 ? undefined : lineOf(event.name, core, { prop: { cc: { changes } } });
    }
    case 'ApplyConfChange':
      return lineOf(event.name, core, { prop: { cc: { newconf: event.voters.map(String) } } });
    case 'InitState':
    case 'BecomeFollower':
    case 'BecomeCandidate':
    case 'BecomeLeader':
    case 'Replicate':
    case 'Commit':
    case 'Ready':
      return lineOf(event.name, core);
    default:
      return unreachable(event);
  }
}

const ROLES: Readonly<Record<Role, string>> = {
  follower: 'StateFollower',
  preCandidate: 'StatePreCandidate',
  candidate: 'StateCandidate',
  leader: 'StateLeader',
};

const ACTIONS = { addVoter: 'AddNewServer', addLearner: 'AddLearner', remove: 'RemoveServer', update: undefined } as const;

type Details = Partial<Pick<TlaLine['event'], 'msg' | 'prop'>>;

function lineOf(name: string, { id, term, votedFor, role, log, voters }: RaftCore, details: Details = {}): TlaLine {
  const [incoming, outgoing] = voters;
  return {
    tag: 'trace',
    event: {
      name,
      nid: String(id),
      state: { term, vote: String(votedFor ?? 0), commit: log.commitIndex },
      role: ROLES[role],
      log: log.lastIndex,
      conf: [incoming.map(String), outgoing.map(String)],
      ...details,
    },
  };
}

function messageLine(direction: 'Send' | 'Receive', message: Message, core: RaftCore): TlaLine | undefined {
  const told = toldBy(message);
  if (told === undefined) return undefined;
  const [what, msg] = told;
  // What the sender knows of its own log, before it counts this append as sent.
  const own = direction === 'Send' && message.type === 'append' ? core.progress.get(message.from) : undefined;
  return lineOf(direction + what, core, { msg, ...(own === undefined ? {} : { prop: { match: own.match, next: own.next } }) });
}

/** The name of the event without its direction, and the message in the words of etcd. */
function toldBy(message: Message): readonly [what: string, msg: TlaMessage] | undefined {
  switch (message.type) {
    case 'append': {
      const { previousIndex: index, previousTerm: logTerm, commitIndex: commit, entries } = message;
      return ['AppendEntriesRequest', messageOf('MsgApp', message, { index, logTerm, commit, entries: entries.length })];
    }
    case 'heartbeat':
      return ['AppendEntriesRequest', messageOf('MsgHeartbeat', message, { commit: message.commitIndex })];
    case 'snapshot':
      return ['AppendEntriesRequest', messageOf('MsgSnap', message, { entries: message.snapshot.index })];
    case 'appendReply': {
      const { index, rejected: reject, hintIndex: rejectHint, hintTerm: logTerm } = message;
      return ['AppendEntriesResponse', messageOf('MsgAppResp', message, { index, reject, rejectHint, logTerm })];
    }
    case 'heartbeatReply':
      return ['AppendEntriesResponse', messageOf('MsgHeartbeatResp', message)];
    case 'vote':
      return ['RequestVoteRequest', messageOf('MsgVote', message, { index: message.lastIndex, logTerm: message.lastTerm })];
    case 'voteReply':
      return ['RequestVoteResponse', messageOf('MsgVoteResp', message, { reject: !message.granted })];
    case 'preVote':
    case 'preVoteReply':
    case 'propose':
    case 'readIndex':
    case 'readIndexReply':
    case 'transferLeader':
    case 'timeoutNow':
      return undefined;
    default:
      return unreachable(message);
  }
}

function messageOf(type: string, { term, from, to }: Message, parts: Partial<TlaMessage> = {}): TlaMessage {
  const ends = { type, term, from: String(from), to: String(to) };
  return { ...ends, entries: 0, logTerm: 0, index: 0, commit: 0, vote: '0', reject: false, rejectHint: 0, ...parts };
}

function changeOf({ type, nodeId }: ConfChangeStep): readonly { readonly nid: string; readonly action: string }[] {
  const action = ACTIONS[type];
  return action === undefined ? [] : [{ nid: String(nodeId), action }];
}
