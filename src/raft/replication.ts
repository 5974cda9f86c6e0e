import type { RaftCore } from './core.js';
import type { MessageOf } from './message.js';
import { jointCommittedIndex } from './quorum.js';
import { acknowledgeReads, answerEarlyReads } from './reads.js';
import { sendTimeoutNowIfCaughtUp } from './transfer.js';
import { type NodeId, payloadSize, type Proposal } from './types.js';

/** The leader's own entries: into its log. The caller sends them out at once, while the own disk still works. */
export function appendOwn(core: RaftCore, proposals: readonly Proposal[]): void {
  const firstIndex = core.log.lastIndex + 1;
  if (core.options.trace !== undefined) for (const { type } of proposals) if (type === 'normal') core.options.trace?.({ name: 'Replicate' }, core);
  core.log.append(proposals.map(({ type, data }, offset) => ({ index: firstIndex + offset, term: core.term, type, data })));
  // The own acknowledgement takes the way of all: it counts once the entries are on disk (raft.md hazard 19).
  core.send(core.id, { type: 'appendReply', index: core.log.lastIndex, rejected: false, hintIndex: 0, hintTerm: 0 });
}

export function broadcastAppend(core: RaftCore): void {
  for (const peer of core.progress.keys()) if (peer !== core.id) sendAppend(core, peer, { evenIfEmpty: true });
}

export function broadcastHeartbeat(core: RaftCore): void {
  const readRound = core.reads.lastPosition;
  for (const [peer, progress] of core.progress) {
    if (peer === core.id) continue;
    // Not past what it holds: behind that its log may differ (raft.md hazard 14).
    const commitIndex = Math.min(progress.match, core.log.commitIndex);
    core.send(peer, { type: 'heartbeat', commitIndex, readRound });
    progress.sentCommit = commitIndex;
  }
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
  else if (progress.state === 'replicate') progress.free(message.index);
  // Whichever snapshot it was, and wherever it came from: what follows it is in the log.
  else if (progress.match + 1 >= core.log.firstIndex) progress.becomeReplicate();

  if (advanceCommit(core)) broadcastAppend(core);
  else if (message.from !== core.id && progress.canBumpCommit(core.log.commitIndex)) sendAppend(core, message.from, { evenIfEmpty: true });
  if (message.from === core.id) return;
  while (sendAppend(core, message.from, { evenIfEmpty: false }));
  sendTimeoutNowIfCaughtUp(core, message.from);
}

export function onHeartbeatReply(core: RaftCore, message: MessageOf<'heartbeatReply'>): void {
  const progress = core.role === 'leader' ? core.progress.get(message.from) : undefined;
  if (progress === undefined) return;
  progress.isActive = true;
  progress.isFlowPaused = false;
  if (progress.match < core.log.lastIndex || progress.state === 'probe') sendAppend(core, message.from, { evenIfEmpty: true });
  if (message.readRound > 0) acknowledgeReads(core, message.from, message.readRound);
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
export function advanceCommit(core: RaftCore): boolean {
  const index = jointCommittedIndex(core.voters, (voter) => core.progress.get(voter)?.match);
  const isNews = index > core.log.commitIndex && core.log.termAt(index) === core.term;
  if (isNews) core.log.commitTo(index);
  core.options.trace?.({ name: 'Commit' }, core);
  if (isNews) answerEarlyReads(core);
  return isNews;
}

/** Sends what the peer lacks, if it may take more now. False when nothing was sent. */
export function sendAppend(core: RaftCore, to: NodeId, { evenIfEmpty }: { readonly evenIfEmpty: boolean }): boolean {
  const progress = core.progressOf(to);
  if (progress.isPaused) return false;
  const previousIndex = progress.next - 1;
  const previousTerm = core.log.termAt(previousIndex);
  if (previousTerm === undefined) return sendSnapshot(core, to);
  // A full pipeline still gets empty appends, so that a lost message is noticed.
  const mayCarry = progress.state === 'probe' || !progress.isFull;
  const entries = mayCarry ? core.log.entries(progress.next, core.log.lastIndex, core.options.maxAppendBytes) : [];
  if (entries.length === 0 && !evenIfEmpty) return false;
  core.send(to, { type: 'append', previousIndex, previousTerm, commitIndex: core.log.commitIndex, entries });
  progress.sent({ count: entries.length, bytes: payloadSize(entries) });
  progress.sentCommit = core.log.commitIndex;
  return true;
}

/** What it lacks was compacted away (Raft 7). False: not to somebody who is silent, and not while there is none. */
function sendSnapshot(core: RaftCore, to: NodeId): boolean {
  const progress = core.progressOf(to);
  const snapshot = progress.isActive ? core.options.snapshot?.() : undefined;
  if (snapshot === undefined) return false;
  progress.becomeSnapshot(snapshot.index);
  core.send(to, { type: 'snapshot', snapshot });
  return true;
}
