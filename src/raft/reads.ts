import type { RaftCore } from './core.js';
import type { MessageOf } from './message.js';
import { broadcastHeartbeat } from './replication.js';
import type { AskedRead } from './read-queue.js';
import type { NodeId } from './types.js';

/** Reads that wait at a leader, its followers' among them; beyond it the asker is not answered and asks again. */
const WAITING_READS_MAX = 10_000;

/** A leader proves that it leads and answers; a follower asks its leader. False: nobody to ask, or too many wait. */
export function readIndex(core: RaftCore, context: number, from: NodeId = core.id): boolean {
  if (core.role === 'leader') return askLeader(core, { from, context });
  const { leaderId } = core;
  if (core.role !== 'follower' || leaderId === undefined) return false;
  // Of no term: whoever leads when it arrives may answer, to whoever asked first.
  core.send(leaderId, { type: 'readIndex', context }, { term: 0, from });
  return true;
}

export function onReadIndexReply(core: RaftCore, { context, index }: MessageOf<'readIndexReply'>): void {
  if (core.role === 'follower') core.answerRead({ context, index });
}

/** `voter` answered a heartbeat of the round that began with the read at `position`. */
export function acknowledgeReads(core: RaftCore, voter: NodeId, position: number): void {
  if (core.options.readOnly !== 'safe' && core.reads.size === 0) return;
  core.reads.acknowledge(voter, position);
  answerConfirmedReads(core);
}

/** After an answer to a round, or when the voters changed: fewer may be enough now, and nobody else may ever answer. */
export function answerConfirmedReads(core: RaftCore): void {
  for (const read of core.reads.takeConfirmed(core.voters)) answer(core, read);
}

/** The leader has committed an entry of its own term, so it knows now how far the log is committed. */
export function answerEarlyReads(core: RaftCore): void {
  const early = core.earlyReads;
  core.earlyReads = [];
  for (const read of early) startRead(core, read);
}

function askLeader(core: RaftCore, read: Asked): boolean {
  if (core.reads.size + core.earlyReads.length >= WAITING_READS_MAX) return false;
  // Before an entry of its own term is committed a leader does not know how far the log is committed (Raft 8), not even
  // one that is alone (raft.md hazard 45).
  if (core.hasCommittedInTerm) startRead(core, read);
  else core.earlyReads.push(read);
  return true;
}

interface Asked {
  readonly from: NodeId;
  readonly context: number;
}

function startRead(core: RaftCore, asked: Asked): void {
  const read = { ...asked, index: core.log.commitIndex };
  const [voters, outgoing] = core.voters;
  const isAlone = voters.length === 1 && voters[0] === core.id && outgoing.length === 0;
  // A lease is worth nothing once somebody was told to campaign in spite of this leader (raft.md hazard 44).
  const hasLease = core.options.readOnly === 'lease' && core.transferee === undefined && !core.isLeaseVoid;
  if (isAlone || hasLease) return answer(core, read);
  core.reads.add(read);
  core.reads.acknowledge(core.id, core.reads.lastPosition);
  broadcastHeartbeat(core);
}

function answer(core: RaftCore, { from, context, index }: AskedRead): void {
  if (from === core.id) core.answerRead({ context, index });
  else core.send(from, { type: 'readIndexReply', context, index });
}
