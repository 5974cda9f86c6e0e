import { decodeConfChange } from './conf-change.js';
import { changed } from './conf-changer.js';
import type { RaftCore } from './core.js';
import type { Proposed } from './ready.js';
import { appendOwn, broadcastAppend } from './replication.js';
import { type NodeId, payloadSize, type Proposal } from './types.js';

/** A leader appends, a follower may pass on in the name of who proposed, and nobody else knows where to. */
export function propose(core: RaftCore, proposals: readonly Proposal[], from: NodeId = core.id): Proposed {
  if (core.role === 'leader') return append(core, proposals);
  const { leaderId } = core;
  if (core.role !== 'follower' || leaderId === undefined || !core.options.forwardsProposals) return { type: 'refused', why: 'notLeader' };
  // Of no term: whoever leads when it arrives may take it.
  core.send(leaderId, { type: 'propose', entries: proposals }, { term: 0, from });
  return { type: 'forwarded', to: leaderId };
}

export function proposeConfChange(core: RaftCore, data: Uint8Array): Proposed {
  return propose(core, [{ type: 'confChange', data }]);
}

function append(core: RaftCore, proposals: readonly Proposal[]): Proposed {
  // Removed while it leads: what it appends now could be committed only by others.
  if (!core.progress.has(core.id)) return { type: 'refused', why: 'notMember' };
  if (core.transferee !== undefined) return { type: 'refused', why: 'transferring' };
  const firstIndex = core.log.lastIndex + 1;
  const accepted = proposals.map((proposal, offset) => validated(core, proposal, firstIndex + offset));
  const bytes = payloadSize(accepted);
  // The first proposal on an empty tail always passes, or a large one never would; and so does what has no bytes.
  if (core.uncommittedBytes > 0 && bytes > 0 && core.uncommittedBytes + bytes > core.options.maxUncommittedBytes)
    return { type: 'refused', why: 'tooMuchUncommitted' };
  core.uncommittedBytes += bytes;
  appendOwn(core, accepted);
  broadcastAppend(core);
  return { type: 'accepted', firstIndex, term: core.term };
}

/**
 * A membership change that may not be made now becomes an empty entry: one at a time, each applied before the next
 * (raft.md hazard 22), out of a joint configuration first, and nothing that could not be applied.
 */
function validated(core: RaftCore, proposal: Proposal, index: number): Proposal {
  if (proposal.type === 'normal') return proposal;
  const change = decodeConfChange(proposal.data);
  const isJoint = core.confState.votersOutgoing.length > 0;
  const mayChange =
    change !== undefined &&
    core.pendingConfIndex <= core.log.appliedIndex &&
    isJoint === (change.steps.length === 0) &&
    !('refused' in changed(core.tracked, change, { lastIndex: core.log.lastIndex, limits: core.inflightLimits }));
  if (change === undefined || (!mayChange && core.options.validatesConfChanges)) return { type: 'normal', data: new Uint8Array() };
  core.pendingConfIndex = index;
  if (change.steps.length > 0) core.options.trace?.({ name: 'ChangeConf', steps: change.steps }, core);
  return proposal;
}
