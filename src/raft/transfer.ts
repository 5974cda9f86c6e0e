import type { RaftCore } from './core.js';
import { campaign } from './election.js';
import { sendAppend } from './replication.js';
import type { NodeId } from './types.js';

/**
 * Hands leadership over (thesis 3.10): no proposals meanwhile, the target gets what it lacks and is told to campaign at
 * once. Given up after one election timeout. A follower passes the wish on.
 */
export function transferLeader(core: RaftCore, transferee: NodeId): void {
  if (core.role === 'follower' && core.leaderId !== undefined) return core.send(core.leaderId, { type: 'transferLeader', transferee });
  const progress = core.role === 'leader' ? core.progress.get(transferee) : undefined;
  if (progress === undefined || progress.isLearner || core.transferee === transferee) return;
  core.transferee = undefined;
  if (transferee === core.id) return;
  core.electionElapsed = 0;
  core.transferee = transferee;
  if (progress.match === core.log.lastIndex) sendTimeoutNow(core, transferee);
  else sendAppend(core, transferee, { evenIfEmpty: true });
}

/** The target of a transfer has acknowledged something: is that all there is? */
export function sendTimeoutNowIfCaughtUp(core: RaftCore, from: NodeId): void {
  if (from === core.transferee && core.progressOf(from).match === core.log.lastIndex) sendTimeoutNow(core, from);
}

/** Whoever else campaigns in this term has asked for pre-votes first; this node was asked to. */
export function onTimeoutNow(core: RaftCore): void {
  if (core.role === 'follower') campaign(core, 'transfer');
}

function sendTimeoutNow(core: RaftCore, to: NodeId): void {
  // From here on somebody may win an election although this leader is heard: its lease reads end for this term.
  core.isLeaseVoid = true;
  core.send(to, { type: 'timeoutNow' });
}
