import { assert } from '../base/assert.js';
import type { RaftCore } from './core.js';
import type { Append, MessageOf } from './message.js';

/** Entries from the leader of this term (Raft 5.3). */
export function onAppend(core: RaftCore, message: MessageOf<'append'>): void {
  obey(core, message.from);
  const { log } = core;
  if (message.previousIndex < log.commitIndex) {
    // Old news: what is committed here matches every leader.
    return core.send(message.from, { type: 'appendReply', index: log.commitIndex, rejected: false, hintIndex: 0, hintTerm: 0 });
  }
  if (!isContiguous(message)) return;
  const index = log.accept({ index: message.previousIndex, term: message.previousTerm }, message.entries, message.commitIndex);
  if (index !== undefined) return core.send(message.from, { type: 'appendReply', index, rejected: false, hintIndex: 0, hintTerm: 0 });

  // Fast backtracking: the largest place that can match skips whole terms at a time.
  const hint = log.findConflictByTerm(Math.min(message.previousIndex, log.lastIndex), message.previousTerm);
  core.send(message.from, { type: 'appendReply', index: message.previousIndex, rejected: true, hintIndex: hint.index, hintTerm: hint.term });
}

/** The leader lives; it may also tell how far the log is committed. */
export function onHeartbeat(core: RaftCore, message: MessageOf<'heartbeat'>): void {
  obey(core, message.from);
  core.log.commitTo(message.commitIndex);
  core.send(message.from, { type: 'heartbeatReply', readRound: message.readRound });
}

function obey(core: RaftCore, leaderId: number): void {
  assert(core.role !== 'leader', 'one leader per term');
  assert(core.leaderId === undefined || core.leaderId === leaderId || core.role !== 'follower', 'one leader per term');
  if (core.role === 'follower') core.follow(leaderId);
  else core.becomeFollower(core.term, leaderId);
}

/** A peer's message is not trusted to be well-formed: one with holes is dropped. */
function isContiguous({ previousIndex, entries }: Append): boolean {
  return entries.every((entry, offset) => entry.index === previousIndex + 1 + offset);
}
