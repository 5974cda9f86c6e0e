import { assert } from '../base/assert.js';
import type { ConfChange } from './conf-change.js';
import { changed } from './conf-changer.js';
import type { RaftCore } from './core.js';
import { answerConfirmedReads } from './reads.js';
import { advanceCommit, broadcastAppend, sendAppend } from './replication.js';
import type { ConfState } from './types.js';

/** The members change when the entry is applied, not before (etcd; raft.md hazard 26 and its guard in election.ts). */
export function applyConfChange(core: RaftCore, change: ConfChange): ConfState {
  const made = { lastIndex: core.log.lastIndex, limits: core.inflightLimits };
  const next = changed(core.tracked, change, made);
  assert(!('refused' in next), 'a change that was committed can be applied: the leader tried it first');
  core.track(next);
  const { conf, progress } = next;
  const own = progress.get(core.id);
  if (core.role !== 'leader') return conf;
  if (own === undefined || own.isLearner) {
    // It no longer counts (thesis 4.2.2). Who leads next is for the others to say.
    if (core.options.stepsDownOnRemoval) core.becomeFollower(core.term, undefined);
    return conf;
  }
  if (conf.voters.length === 0) return conf;
  // Fewer voters may need fewer acknowledgements; new ones need not wait for the next heartbeat.
  if (advanceCommit(core)) broadcastAppend(core);
  else for (const peer of progress.keys()) if (peer !== core.id) sendAppend(core, peer, { evenIfEmpty: false });
  answerConfirmedReads(core);
  const [voters, outgoing] = core.voters;
  if (core.transferee !== undefined && !voters.includes(core.transferee) && !outgoing.includes(core.transferee)) core.transferee = undefined;
  return conf;
}
