import { assert, unreachable } from '../base/assert.js';
import { SEQ_MAX, type Seq, toEpoch, toSeq } from '../model/ids.js';
import { waitMsOf } from '../model/lease.js';
import { DEFAULT_POLICY } from '../model/policy.js';
import { NO_SETS } from '../model/sets.js';
import { isSame } from '../model/version.js';
import { RAISE_LIFT_MAX } from '../model/window.js';
import { applyDrain, applyRegister, applyRemoveAlloc, applyReportDeath, applyResume } from './apply-alloc.js';
import { applySetLease, applySetPolicy, applySetSets, applySettleWait } from './apply-settings.js';
import type { AssignedRun, Command, RaiseItem, ReleasedRun } from './command.js';
import { bumpVersion, noteAudit, type RaiseOutcome, type Refusal, refuse, type Result } from './result.js';
import { type Section, sectionsIn, type StoreState } from './state.js';

export type { RaiseOutcome, Refusal, Result } from './result.js';

type CommandOf<Type extends Command['type']> = Extract<Command, { type: Type }>;

/**
 * Applies one committed command. Runs on every replica, in log order, so it may look at nothing but its arguments: no
 * clock, no chance, no I/O. A refusal is a Result, not a throw: the entry stays in the log either way and every
 * replica must agree that it changed nothing. `entryTerm` is the term of the log entry that carries the command.
 */
export function apply(state: StoreState, command: Command, entryTerm: number): Result {
  if (command.type === 'init') return applyInit(state, command);
  if (state.cluster === undefined) return refuse('UNAVAILABLE', 'the cluster is not initialised');
  switch (command.type) {
    case 'member':
      return applyMember(state, command);
    case 'register':
      return applyRegister(state, command);
    case 'assign':
      return applyAssign(state, command, entryTerm);
    case 'planMove':
      return applyPlanMove(state, command, entryTerm);
    case 'raise':
      return applyRaise(state, command);
    case 'release':
      return applyRelease(state, command);
    case 'drain':
      return applyDrain(state, command, entryTerm);
    case 'resume':
      return applyResume(state, command, entryTerm);
    case 'reportDeath':
      return applyReportDeath(state, command, entryTerm);
    case 'removeAlloc':
      return applyRemoveAlloc(state, command, entryTerm);
    case 'setPolicy':
      return applySetPolicy(state, command, entryTerm);
    case 'setLease':
      return applySetLease(state, command, entryTerm);
    case 'settleWait':
      return applySettleWait(state, command, entryTerm);
    case 'setSets':
      return applySetSets(state, command, entryTerm);
    default:
      return unreachable(command);
  }
}

/** Once, and never again: the geometry and the id of a cluster do not change. */
function applyInit(state: StoreState, command: CommandOf<'init'>): Result {
  if (state.cluster !== undefined) return refuse('INVALID_ARGUMENT', `already initialised as cluster ${state.cluster.clusterId}`);
  const { clusterId, geometry, lease, raiseBy, generation, members } = command;
  state.setCluster({
    clusterId,
    geometry,
    lease,
    leaseNumber: 0,
    waitMs: waitMsOf(lease),
    policy: DEFAULT_POLICY,
    sets: NO_SETS,
    auditCount: 0,
    raiseBy,
    version: { generation, value: 1 },
  });
  for (const member of members) state.setMember({ ...member, wantsVote: false, replacesId: undefined, isLeaving: false });
  return { type: 'done' };
}

/** A member says where it is reached. Only changes of the Raft group itself bring members and take them away (membership-change.ts). */
function applyMember(state: StoreState, { id, name, nodeUuid, peerAddress, address }: CommandOf<'member'>): Result {
  const known = state.member(id);
  if (known === undefined) return refuse('INVALID_ARGUMENT', `there is no member ${id}`);
  if (known.nodeUuid !== nodeUuid) {
    return refuse('PERMISSION_DENIED', `node ${id} is known with data directory ${known.nodeUuid}, not ${nodeUuid}`);
  }
  if (known.name === name && known.peerAddress === peerAddress && known.address === address) return { type: 'done' };
  state.setMember({ ...known, name, peerAddress, address });
  bumpVersion(state);
  return { type: 'done' };
}

/** Gives sections to new owners: epoch + 1, base := maxSeq, and the first window in the same entry (DESIGN 3.1, Grant). */
function applyAssign(state: StoreState, command: CommandOf<'assign'>, entryTerm: number): Result {
  const refusal = refuseDecision(state, command, entryTerm);
  if (refusal !== undefined) return refusal;
  let sectionCount = 0;
  for (const run of command.runs) sectionCount += changeSections(state, run, (before) => grant(state, before, run, before.maxSeq));
  bumpVersion(state);
  noteAudit(state, { ...command, kind: command.type, term: entryTerm, sectionCount });
  return { type: 'decided', version: state.version, sectionCount };
}

/** Marks sections as wanted elsewhere; wanted by their very owner, a move is called off. The owner stays the owner until it releases them. */
function applyPlanMove(state: StoreState, command: CommandOf<'planMove'>, entryTerm: number): Result {
  const refusal = refuseDecision(state, command, entryTerm);
  if (refusal !== undefined) return refusal;
  let sectionCount = 0;
  for (const { allocId, incarnation, ...run } of command.runs) {
    const next = { allocId, incarnation };
    sectionCount += changeSections(state, run, (before) => {
      if (before.owner === undefined) return undefined;
      return { ...before, next: before.owner.incarnation === incarnation ? undefined : next };
    });
  }
  bumpVersion(state);
  noteAudit(state, { ...command, kind: command.type, term: entryTerm, sectionCount });
  return { type: 'decided', version: state.version, sectionCount };
}

/** Raises maxSeq where the caller owns the section in this very epoch; elsewhere each item is refused by itself. */
function applyRaise(state: StoreState, { allocId, incarnation, raises }: CommandOf<'raise'>): Result {
  const outcomes = raises.map((item): RaiseOutcome => {
    const section = state.sections[item.section];
    const refusal = refuseRaise(state, section, { allocId, incarnation }, item);
    if (refusal !== undefined || section === undefined) return refusal ?? refuse('INVALID_ARGUMENT', `no section ${item.section}`);
    // max() makes a retried raise harmless.
    const maxSeq = item.to > section.maxSeq ? item.to : section.maxSeq;
    if (maxSeq !== section.maxSeq) state.setSection(item.section, { ...section, maxSeq });
    return { type: 'raised', maxSeq };
  });
  return { type: 'raises', outcomes };
}

/** The owner gives sections back and states their true maximum; a planned successor gets them in the same entry. */
function applyRelease(state: StoreState, { allocId, incarnation, generation, releases }: CommandOf<'release'>): Result {
  if (generation !== state.version.generation) {
    return refuse('NOT_OWNER', `superseded: generation ${generation} is over, this is ${state.version.generation}`);
  }
  let releasedCount = 0;
  let refusedCount = 0;
  for (const run of releases) {
    const changed = changeSections(state, run, (before) =>
      mayRelease(before, { allocId, incarnation }, run) ? released(state, before, run) : undefined,
    );
    releasedCount += changed;
    refusedCount += run.sectionCount - changed;
  }
  if (releasedCount > 0) bumpVersion(state);
  return { type: 'released', releasedCount, refusedCount };
}

/** A decision counts only under the leader that made it, and only on the state that it was made on. */
function refuseDecision(
  state: StoreState,
  { arbiterTerm, basedOn, runs }: CommandOf<'assign'> | CommandOf<'planMove'>,
  entryTerm: number,
): Refusal | undefined {
  if (arbiterTerm !== entryTerm) return refuse('UNAVAILABLE', `decided in term ${arbiterTerm}, but the entry is of term ${entryTerm}`);
  if (!isSame(basedOn, state.version)) {
    return refuse(
      'UNAVAILABLE',
      `decided on version ${basedOn.generation}.${basedOn.value}, but it is ${state.version.generation}.${state.version.value}`,
    );
  }
  for (const run of runs) {
    if (sectionsIn(state, run).length === 0) return refuse('INVALID_ARGUMENT', `no sections ${run.firstSection}+${run.sectionCount}`);
    if (!state.mayOwn(run)) return refuse('INVALID_ARGUMENT', `incarnation ${run.incarnation} of ${run.allocId} is superseded or draining`);
  }
  return undefined;
}

/** The fence: whoever lost the section, or never had it in this epoch, can no longer extend what it may hand out. */
function refuseRaise(
  state: StoreState,
  section: Section | undefined,
  caller: { allocId: string; incarnation: string },
  { section: id, epoch, to }: RaiseItem,
): Refusal | undefined {
  if (section === undefined) return refuse('INVALID_ARGUMENT', `no section ${id}`);
  const isOwner = section.owner?.allocId === caller.allocId && section.owner.incarnation === caller.incarnation;
  if (!isOwner || section.epoch !== epoch)
    return refuse(
      'NOT_OWNER',
      `section ${id} is in epoch ${section.epoch} of ${section.owner?.allocId ?? 'nobody'}, not in epoch ${epoch} of ${caller.allocId}`,
    );
  if (!state.isCurrent(section.owner))
    return refuse('NOT_OWNER', `superseded: incarnation ${caller.incarnation} of ${caller.allocId} is a former one`);
  if (to > SEQ_MAX) return refuse('OUT_OF_RANGE', `maxSeq must be at most ${SEQ_MAX}, got ${to}`);
  if (to - section.maxSeq > RAISE_LIFT_MAX)
    return refuse('INVALID_ARGUMENT', `a raise lifts by at most ${RAISE_LIFT_MAX}, got ${to - section.maxSeq}`);
  return undefined;
}

function mayRelease({ owner, epoch, base, maxSeq }: Section, caller: { allocId: string; incarnation: string }, run: ReleasedRun): boolean {
  const isOwner = owner?.allocId === caller.allocId && owner.incarnation === caller.incarnation;
  // A digest is that of one section's counters.
  const isWhole = run.digest === undefined || run.sectionCount === 1;
  return isOwner && isWhole && epoch === run.epoch && base <= run.trueMax && run.trueMax <= maxSeq;
}

/**
 * Retires the epoch. This is the only place where maxSeq may go down: the owner said, sealed, what it really handed out.
 * Its digest is committed in the same entry, for the next epoch alone.
 */
function released(state: StoreState, { owner, epoch, next }: Section, { trueMax, digest }: ReleasedRun): Section {
  assert(owner !== undefined, 'only an owner releases');
  const handoff = digest === undefined ? undefined : { epoch, digest, from: owner.allocId };
  const left: Section = { owner: undefined, epoch, base: trueMax, maxSeq: trueMax, next: undefined, handoff };
  return next !== undefined && state.mayOwn(next) ? grant(state, left, next, trueMax) : left;
}

/** The one place where a section gets an owner: epoch + 1, `base`, and a first window above it. */
function grant(
  state: StoreState,
  before: Section,
  { allocId, incarnation }: { allocId: AssignedRun['allocId']; incarnation: AssignedRun['incarnation'] },
  base: Seq,
): Section {
  const { cluster } = state;
  assert(cluster !== undefined, 'sections exist once the cluster is initialised');
  const room = SEQ_MAX - base;
  const maxSeq = toSeq(base + (cluster.raiseBy < room ? cluster.raiseBy : room));
  // What epoch e left behind is for epoch e + 1; an owner that crashed left nothing.
  const handoff = before.handoff?.epoch === before.epoch ? before.handoff : undefined;
  return { owner: { allocId, incarnation }, epoch: toEpoch(before.epoch + 1), base, maxSeq, next: undefined, handoff };
}

/** Changes a run of sections, each by its value before; undefined leaves it. Returns how many changed. */
function changeSections(
  state: StoreState,
  run: { readonly firstSection: number; readonly sectionCount: number },
  change: (before: Section) => Section | undefined,
): number {
  let changedCount = 0;
  let last: { readonly before: Section; readonly after: Section | undefined } | undefined;
  for (const section of sectionsIn(state, run)) {
    const before = state.sections[section];
    assert(before !== undefined, 'the section is one of the set');
    // Neighbours that shared one value before share one after: a whole untouched set costs one value.
    if (last?.before !== before) last = { before, after: change(before) };
    if (last.after === undefined) continue;
    state.setSection(section, last.after);
    changedCount += 1;
  }
  return changedCount;
}
