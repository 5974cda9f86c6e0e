import type { RaftCore } from './core.js';
import type { Append, MessageOf } from './message.js';
import { isPossible, trackedFrom } from './conf-changer.js';
import type { Index, NodeId, Snapshot } from './types.js';

/** Entries from the leader of this term (Raft 5.3). */
export function onAppend(core: RaftCore, message: MessageOf<'append'>): void {
  if (!obeys(core, message.from)) return;
  const { log } = core;
  // Old news: what is committed here matches every leader.
  if (message.previousIndex < log.commitIndex) return holds(core, message.from, log.commitIndex);
  if (!isWellFormed(message)) return;
  const index = log.accept({ index: message.previousIndex, term: message.previousTerm }, message.entries, message.commitIndex);
  if (index !== undefined) return holds(core, message.from, index);

  // Fast backtracking: the largest place that can match skips whole terms at a time.
  const hint = log.findConflictByTerm(Math.min(message.previousIndex, log.lastIndex), message.previousTerm);
  core.send(message.from, { type: 'appendReply', index: message.previousIndex, rejected: true, hintIndex: hint.index, hintTerm: hint.term });
}

/** The leader lives; it may also tell how far the log is committed. */
export function onHeartbeat(core: RaftCore, message: MessageOf<'heartbeat'>): void {
  if (!obeys(core, message.from)) return;
  core.log.commitTo(message.commitIndex);
  core.send(message.from, { type: 'heartbeatReply', readRound: message.readRound });
}

/** The leader no longer has what this node needs, and sends the state instead (Raft 7). */
export function onSnapshot(core: RaftCore, message: MessageOf<'snapshot'>): void {
  if (!obeys(core, message.from)) return;
  const isRestored = restores(core, message.snapshot);
  holds(core, message.from, isRestored ? core.log.lastIndex : core.log.commitIndex);
}

/** False: the log says as much or more, or this is no snapshot for this node. */
function restores(core: RaftCore, snapshot: Snapshot): boolean {
  const { log } = core;
  const { index, confState } = snapshot;
  if (index <= log.commitIndex) return false;
  // Who becomes a learner next is an outgoing voter.
  const isMember = [confState.voters, confState.votersOutgoing, confState.learners].some((ids) => ids.includes(core.id));
  if (!isMember || confState.voters.length === 0 || !isPossible(confState)) return false;
  if (log.has(snapshot)) {
    // The entries are here, and now known to be committed: no need to replace them.
    log.commitTo(index);
    return false;
  }
  log.restore(snapshot);
  core.track(trackedFrom(confState, { lastIndex: log.lastIndex, limits: core.inflightLimits }));
  return true;
}

function holds(core: RaftCore, leaderId: NodeId, index: Index): void {
  core.send(leaderId, { type: 'appendReply', index, rejected: false, hintIndex: 0, hintTerm: 0 });
}

/** Follows the leader of this term. False: there cannot be two, so whoever says so is not believed. */
function obeys(core: RaftCore, leaderId: NodeId): boolean {
  if (core.role === 'leader') return false;
  if (core.role !== 'follower') {
    core.becomeFollower(core.term, leaderId);
    return true;
  }
  if (core.leaderId !== undefined && core.leaderId !== leaderId) return false;
  core.electionElapsed = 0;
  core.leaderId = leaderId;
  return true;
}

/** A peer's message is not trusted: one with holes, or with terms that no log can have, is dropped. */
function isWellFormed({ previousIndex, previousTerm, entries, term }: Append & { readonly term: number }): boolean {
  let lastTerm = previousTerm;
  return entries.every((entry, offset) => {
    const isNext = entry.index === previousIndex + 1 + offset && entry.term >= lastTerm && entry.term <= term;
    lastTerm = entry.term;
    return isNext;
  });
}
