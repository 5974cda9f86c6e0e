import { assert } from '../base/assert.js';
import type { RaftCore } from './core.js';
import type { Index, NodeId, Term } from './types.js';

/** What can be seen of a node from outside, at one moment. */
export interface RaftView {
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  readonly leaderId: NodeId | undefined;
  readonly lastIndex: Index;
  readonly commitIndex: Index;
  readonly appliedIndex: Index;
}

export function viewOf(core: RaftCore): RaftView {
  const { term, votedFor, leaderId, log } = core;
  return { term, votedFor, leaderId, lastIndex: log.lastIndex, commitIndex: log.commitIndex, appliedIndex: log.appliedIndex };
}

/** Holds after every step (Raft 5). Tests and the simulator always run it. */
export function checkInvariants(now: RaftView, before: RaftView | undefined): void {
  assert(now.commitIndex <= now.lastIndex, 'committed past the end of the log');
  assert(now.appliedIndex <= now.commitIndex, 'applied past the commit index');
  if (before === undefined) return;

  assert(now.term >= before.term, 'term went back');
  assert(now.commitIndex >= before.commitIndex, 'commit index went back');
  assert(now.appliedIndex >= before.appliedIndex, 'applied index went back');
  if (now.term > before.term) return;

  // Within a term: one vote, one leader (Raft 5.2).
  if (before.votedFor !== undefined) assert(now.votedFor === before.votedFor, 'one vote per term');
  if (before.leaderId !== undefined && now.leaderId !== undefined) assert(now.leaderId === before.leaderId, 'one leader per term');
}
