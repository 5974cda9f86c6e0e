import { assert, unreachable } from '../base/assert.js';
import { type ConfChange, type ConfChangeStep, jointAutoLeave, leavesJoint } from './conf-change.js';
import type { InflightLimits } from './inflights.js';
import { Progress } from './progress.js';
import type { ConfState, Index, NodeId } from './types.js';

/** The members, and what is known of the log of each. Every member has a progress, and nobody else. */
export interface Tracked {
  readonly conf: ConfState;
  readonly progress: ReadonlyMap<NodeId, Progress>;
}

/** Where a new member's log is first tried, and how much may be under way to it. */
export interface NewProgress {
  readonly lastIndex: Index;
  readonly limits: InflightLimits;
}

/** Why a change cannot be made to this configuration. */
export type Refused = 'alreadyJoint' | 'notJoint' | 'isJoint' | 'noVoters' | 'removedAllVoters' | 'severalVoters';
export type Changed = Tracked | { readonly refused: Refused };

/** The configuration after `change`, whichever of the three kinds it is. */
export function changed(tracked: Tracked, change: ConfChange, made: NewProgress): Changed {
  if (leavesJoint(change)) return leaveJoint(tracked);
  const autoLeave = jointAutoLeave(change);
  if (autoLeave !== undefined) return enterJoint(tracked, change.steps, { autoLeave, ...made });
  return applySimple(tracked, change.steps, made);
}

/** At most one voter comes or goes: old and new majorities overlap by themselves (thesis 4.1). */
export function applySimple(tracked: Tracked, steps: readonly ConfChangeStep[], made: NewProgress): Changed {
  const draft = new Draft(tracked, made);
  if (draft.isJoint) return { refused: 'isJoint' };
  draft.apply(steps);
  if (draft.voters.size === 0) return { refused: 'removedAllVoters' };
  const before = new Set(tracked.conf.voters);
  const came = [...draft.voters].filter((id) => !before.has(id)).length;
  const went = [...before].filter((id) => !draft.voters.has(id)).length;
  return came + went > 1 ? { refused: 'severalVoters' } : draft.done();
}

/** Any number of changes; until it is left both the old and the new voters decide (Raft 6). */
export function enterJoint(tracked: Tracked, steps: readonly ConfChangeStep[], made: NewProgress & { readonly autoLeave: boolean }): Changed {
  const draft = new Draft(tracked, made);
  if (draft.isJoint) return { refused: 'alreadyJoint' };
  if (draft.voters.size === 0) return { refused: 'noVoters' };
  draft.enterJoint(made.autoLeave);
  draft.apply(steps);
  return draft.voters.size === 0 ? { refused: 'removedAllVoters' } : draft.done();
}

export function leaveJoint(tracked: Tracked): Changed {
  if (tracked.conf.votersOutgoing.length === 0) return { refused: 'notJoint' };
  const draft = new Draft(tracked, { lastIndex: 0, limits: { messages: 1, bytes: 0 } });
  draft.leaveJoint();
  return draft.done();
}

/** The members as a snapshot or a disk says, nothing known of their logs. */
export function trackedFrom(conf: ConfState, { lastIndex, limits }: NewProgress): Tracked {
  const progress = new Map<NodeId, Progress>();
  for (const id of new Set([...conf.voters, ...conf.votersOutgoing])) progress.set(id, newProgress(lastIndex, limits, false));
  for (const id of conf.learners) progress.set(id, newProgress(lastIndex, limits, true));
  return checked({ conf, progress: sorted(progress) });
}

/** What a peer or a disk says of the members may be anything: is it a configuration? */
export function isPossible({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): boolean {
  const isAscending = (ids: readonly NodeId[]): boolean => ids.every((id, place) => Number.isSafeInteger(id) && id > (ids[place - 1] ?? 0));
  return (
    [voters, votersOutgoing, learners, learnersNext].every(isAscending) &&
    // A learner does not vote, and who becomes one next is an outgoing voter.
    learners.every((id) => !voters.includes(id) && !votersOutgoing.includes(id)) &&
    learnersNext.every((id) => votersOutgoing.includes(id) && !voters.includes(id)) &&
    // What belongs to a joint configuration ends with it.
    (votersOutgoing.length > 0 || (learnersNext.length === 0 && !autoLeave))
  );
}

class Draft {
  readonly voters: Set<NodeId>;
  readonly #outgoing: Set<NodeId>;
  readonly #learners: Set<NodeId>;
  readonly #learnersNext: Set<NodeId>;
  #autoLeave: boolean;
  readonly #progress: Map<NodeId, Progress>;
  readonly #made: NewProgress;

  constructor({ conf, progress }: Tracked, made: NewProgress) {
    this.voters = new Set(conf.voters);
    this.#outgoing = new Set(conf.votersOutgoing);
    this.#learners = new Set(conf.learners);
    this.#learnersNext = new Set(conf.learnersNext);
    this.#autoLeave = conf.autoLeave;
    // Copies: a change that is refused half-way must leave no trace.
    this.#progress = new Map([...progress].map(([id, known]) => [id, known.clone()]));
    this.#made = made;
  }

  get isJoint(): boolean {
    return this.#outgoing.size > 0;
  }

  enterJoint(autoLeave: boolean): void {
    for (const id of this.voters) this.#outgoing.add(id);
    this.#autoLeave = autoLeave;
  }

  leaveJoint(): void {
    for (const id of this.#learnersNext) {
      this.#learners.add(id);
      this.#known(id).isLearner = true;
    }
    this.#learnersNext.clear();
    for (const id of this.#outgoing) if (!this.voters.has(id) && !this.#learners.has(id)) this.#progress.delete(id);
    this.#outgoing.clear();
    this.#autoLeave = false;
  }

  apply(steps: readonly ConfChangeStep[]): void {
    // Node 0 stands for a change that the state machine has refused.
    for (const step of steps) if (step.nodeId !== 0) this.#applyStep(step);
  }

  done(): Tracked {
    const list = (ids: ReadonlySet<NodeId>): readonly NodeId[] => [...ids].sort((one, other) => one - other);
    const conf: ConfState = {
      voters: list(this.voters),
      votersOutgoing: list(this.#outgoing),
      learners: list(this.#learners),
      learnersNext: list(this.#learnersNext),
      autoLeave: this.#autoLeave,
    };
    return checked({ conf, progress: sorted(this.#progress) });
  }

  #applyStep({ type, nodeId }: ConfChangeStep): void {
    switch (type) {
      case 'addVoter':
        return this.#makeVoter(nodeId);
      case 'addLearner':
        return this.#makeLearner(nodeId);
      case 'remove':
        return this.#remove(nodeId);
      case 'update':
        return;
      default:
        return unreachable(type);
    }
  }

  #makeVoter(id: NodeId): void {
    const known = this.#progress.get(id);
    if (known === undefined) this.#add(id, false);
    else known.isLearner = false;
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    this.voters.add(id);
  }

  #makeLearner(id: NodeId): void {
    const known = this.#progress.get(id);
    if (known?.isLearner === true) return;
    if (known === undefined) this.#add(id, true);
    else this.#remove(id);
    if (known !== undefined) this.#progress.set(id, known);
    // An outgoing voter still votes: it becomes a learner when the joint configuration is left.
    if (this.#outgoing.has(id)) this.#learnersNext.add(id);
    else {
      this.#known(id).isLearner = true;
      this.#learners.add(id);
    }
  }

  #remove(id: NodeId): void {
    this.voters.delete(id);
    this.#learners.delete(id);
    this.#learnersNext.delete(id);
    // An outgoing voter still gets the log.
    if (!this.#outgoing.has(id)) this.#progress.delete(id);
  }

  #add(id: NodeId, isLearner: boolean): void {
    this.#progress.set(id, newProgress(this.#made.lastIndex, this.#made.limits, isLearner));
  }

  #known(id: NodeId): Progress {
    const progress = this.#progress.get(id);
    assert(progress !== undefined, 'every member has a progress');
    return progress;
  }
}

/** A new member counts as heard, or the next quorum check would hold its silence so far against it. */
function newProgress(lastIndex: Index, limits: InflightLimits, isLearner: boolean): Progress {
  const progress = new Progress(Math.max(lastIndex, 1), limits, { isLearner });
  progress.isActive = true;
  return progress;
}

/** In id order: it is the order in which messages are sent. */
function sorted(progress: ReadonlyMap<NodeId, Progress>): ReadonlyMap<NodeId, Progress> {
  return new Map([...progress].sort(([one], [other]) => one - other));
}

function checked(tracked: Tracked): Tracked {
  const { voters, votersOutgoing, learners } = tracked.conf;
  assert(isPossible(tracked.conf), 'a change leads from one possible configuration to another');
  assert(
    [...voters, ...votersOutgoing, ...learners].every((id) => tracked.progress.has(id)),
    'every member has a progress',
  );
  return tracked;
}
