import { assert } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import { waitMsOf } from '../model/lease.js';
import { checkSetChange, parseSetMap } from '../model/sets.js';
import type { Command } from './command.js';
import { bumpVersion, noteAudit, refuse, type Result } from './result.js';
import type { Cluster, StoreState } from './state.js';

type CommandOf<Type extends Command['type']> = Extract<Command, { type: Type }>;

export function applySetPolicy(state: StoreState, command: CommandOf<'setPolicy'>, entryTerm: number): Result {
  state.setCluster({ ...clusterOf(state), policy: command.policy });
  noteAudit(state, { ...command, kind: 'setPolicy', term: entryTerm });
  return { type: 'done' };
}

/** A longer lease counts at once, and so does the wait for it. A shorter one leaves the wait: leases of the former length are still out. */
export function applySetLease(state: StoreState, command: CommandOf<'setLease'>, entryTerm: number): Result {
  const cluster = clusterOf(state);
  const { lease } = command;
  state.setCluster({ ...cluster, lease, leaseNumber: cluster.leaseNumber + 1, waitMs: Math.max(cluster.waitMs, waitMsOf(lease)) });
  noteAudit(state, { ...command, kind: 'setLease', term: entryTerm });
  return { type: 'done' };
}

/** One leader has waited one whole former wait since this very lease was set: no longer one is out. */
export function applySettleWait(state: StoreState, { arbiterTerm, leaseNumber }: CommandOf<'settleWait'>, entryTerm: number): Result {
  const cluster = clusterOf(state);
  if (arbiterTerm !== entryTerm) return refuse('UNAVAILABLE', `waited in term ${arbiterTerm}, but the entry is of term ${entryTerm}`);
  if (leaseNumber !== cluster.leaseNumber) return refuse('UNAVAILABLE', `waited for lease ${leaseNumber}, but it is ${cluster.leaseNumber}`);
  state.setCluster({ ...cluster, waitMs: waitMsOf(cluster.lease) });
  return { type: 'done' };
}

/** Sets come and their seeds change; ranges never move, and only the home set decides. */
export function applySetSets(state: StoreState, command: CommandOf<'setSets'>, entryTerm: number): Result {
  const cluster = clusterOf(state);
  const { basedOn, isCopy, sets } = command;
  const { sets: before, clusterId, geometry } = cluster;
  if (isCopy && sets.version <= before.version) return { type: 'done' };
  if (!isCopy && (basedOn !== before.version || sets.version !== basedOn + 1))
    return refuse('ABORTED', `the set map is at version ${before.version}, the change is based on ${basedOn}; read it again`);
  const own = sets.sets.find((set) => set.clusterId === clusterId);
  if (own === undefined || own.firstUid !== geometry.firstUid || own.lastUid !== geometry.lastUid)
    return refuse('INVALID_ARGUMENT', `the map must have cluster ${clusterId} with uids ${geometry.firstUid}..${geometry.lastUid}`);
  if (!isCopy && own.name !== sets.home)
    return refuse('INVALID_ARGUMENT', `only the home set ${sets.home} decides on the set map, and this is ${own.name}`);
  try {
    checkSetChange(before, parseSetMap(sets));
  } catch (error) {
    if (!(error instanceof SeqError)) throw error;
    return refuse(error.code, error.message);
  }
  state.setCluster({ ...cluster, sets });
  bumpVersion(state);
  noteAudit(state, { ...command, kind: 'setSets', term: entryTerm });
  return { type: 'done' };
}

function clusterOf({ cluster }: StoreState): Cluster {
  assert(cluster !== undefined, 'settings begin with the cluster');
  return cluster;
}
