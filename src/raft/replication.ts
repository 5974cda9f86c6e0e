import type { RaftCore } from './core.js';
import type { MessageOf } from './message.js';
import { committedIndex } from './quorum.js';
import { type Entry, type NodeId, totalSize } from './types.js';

/** The leader's own entries: into its log. The caller sends them out at once, while the own disk still works. */
export function appendOwn(core: RaftCore, entries: readonly Entry[]): void {
  core.log.append(entries);
  // The own acknowledgement takes the way of all: it counts once the entries are on disk (raft.md hazard 19).
  core.send(core.id, { type: 'appendReply', index: core.log.lastIndex, rejected: false, hintIndex: 0, hintTerm: 0 });
}

export function broadcastAppend(core: RaftCore): void {
  for (const peer of peersOf(core)) sendAppend(core, peer, { evenIfEmpty: true });
}

export function broadcastHeartbeat(core: RaftCore): void {
  const readRound = core.reads.lastPosition;
  for (const peer of peersOf(core)) {
    // Not past what it holds: behind that its log may differ (raft.md hazard 14).
    const commitIndex = Math.min(core.progressOf(peer).match, core.log.commitIndex);
    core.send(peer, { type: 'heartbeat', commitIndex, readRound });
  }
}

/** Begins a round that proves leadership for this read and all that wait. */
export function startRead(core: RaftCore, context: number): void {
  core.reads.add({ context, index: core.log.commitIndex });
  core.answerReads(core.reads.acknowledge(core.id, core.reads.lastPosition, core.voters));
  broadcastHeartbeat(core);
}

export function onAppendReply(core: RaftCore, message: MessageOf<'appendReply'>): void {
  const progress = core.role === 'leader' ? core.progress.get(message.from) : undefined;
  if (progress === undefined) return;
  progress.isActive = true;
  if (message.rejected) return onRejection(core, message);
  // Nobody holds what this leader never wrote.
  if (message.index > core.log.lastIndex) return;

  const isNews = progress.acknowledged(message.index);
  if (!isNews && !(progress.match === message.index && progress.state === 'probe')) return;
  if (progress.state === 'probe') progress.becomeReplicate();
  else progress.free(message.index);

  if (advanceCommit(core)) broadcastAppend(core);
  else if (message.from !== core.id && progress.canBumpCommit(core.log.commitIndex)) sendAppend(core, message.from, { evenIfEmpty: true });
  if (message.from === core.id) return;
  while (sendAppend(core, message.from, { evenIfEmpty: false }));
}

export function onHeartbeatReply(core: RaftCore, message: MessageOf<'heartbeatReply'>): void {
  const progress = core.role === 'leader' ? core.progress.get(message.from) : undefined;
  if (progress === undefined) return;
  progress.isActive = true;
  progress.isPaused = false;
  if (progress.match < core.log.lastIndex || progress.state === 'probe') sendAppend(core, message.from, { evenIfEmpty: true });
  if (message.readRound > 0) core.answerReads(core.reads.acknowledge(message.from, message.readRound, core.voters));
}

function onRejection(core: RaftCore, message: MessageOf<'appendReply'>): void {
  const progress = core.progressOf(message.from);
  // Our own entries above its term cannot be there either.
  const hint = message.hintTerm > 0 ? core.log.findConflictByTerm(message.hintIndex, message.hintTerm).index : message.hintIndex;
  if (!progress.refused(message.index, hint)) return;
  if (progress.state === 'replicate') progress.becomeProbe();
  sendAppend(core, message.from, { evenIfEmpty: true });
}

/** Commits what a majority holds, but only by way of an entry of this term (Raft 5.4.2, figure 8). */
function advanceCommit(core: RaftCore): boolean {
  const before = core.log.commitIndex;
  const index = committedIndex(core.voters, (voter) => core.progressOf(voter).match);
  if (index <= before || core.log.termAt(index) !== core.term) return false;
  core.log.commitTo(index);
  core.committed(before);
  const early = core.earlyReads;
  core.earlyReads = [];
  for (const context of early) startRead(core, context);
  return true;
}

/** Sends what the peer lacks, if it may take more now. False when nothing was sent. */
function sendAppend(core: RaftCore, to: NodeId, { evenIfEmpty }: { evenIfEmpty: boolean }): boolean {
  const progress = core.progressOf(to);
  if (progress.isPaused) return false;
  const previousIndex = progress.next - 1;
  const previousTerm = core.log.termAt(previousIndex);
  // Compacted away: only a snapshot could help, and until there is one the peer is asked again by heartbeat.
  if (previousTerm === undefined) return false;
  // A full pipeline still gets empty appends, so that a lost message is noticed.
  const mayCarry = progress.state === 'probe' || !progress.isFull;
  const entries = mayCarry ? core.log.entries(progress.next, core.log.lastIndex, core.options.maxAppendBytes) : [];
  if (entries.length === 0 && !evenIfEmpty) return false;
  core.send(to, { type: 'append', previousIndex, previousTerm, commitIndex: core.log.commitIndex, entries });
  progress.sent({ count: entries.length, bytes: totalSize(entries) });
  progress.sentCommit = core.log.commitIndex;
  return true;
}

/** Everybody else, in a fixed order. */
function peersOf(core: RaftCore): readonly NodeId[] {
  return core.voters.filter((voter) => voter !== core.id);
}
