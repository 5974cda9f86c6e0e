import { SeqError } from '../base/errors.js';
import type { ConfChange } from '../raft/conf-change.js';
import type { RaftCore } from '../raft/core.js';
import { majorityOf } from '../raft/quorum.js';
import type { NodeId } from '../raft/types.js';
import type { Command } from './command.js';
import type { MembershipAdmin, MemberRole, MemberView, NewMember } from './member-view.js';
import { confChangeOf, type MembershipChange, refuseMembershipChange } from './membership-change.js';
import type { MemberEntry, StoreState } from './state.js';
import type { Refusal, Result } from './state-machine.js';

/** A learner this many entries behind is as good as a voter: what is left travels with the next appends. */
export const PROMOTE_LAG_MAX = 100;
/** What a caller is told to wait, in ms: about a change, and about the way of a learner that still catches up. */
const CHANGE_RETRY_AFTER_MS = 200;
const LEARNER_RETRY_AFTER_MS = 1_000;

/** The node whose group it is. */
export interface GroupPort {
  readonly state: StoreState;
  readonly raft: RaftCore;
  /** Throws NOT_LEADER, with where to go, unless this node leads. */
  requireLeading(): void;
  readonly isLeading: boolean;
  changeMembers(change: ConfChange): Promise<{ readonly result: Result }>;
  propose(command: Command): Promise<{ readonly result: Result }>;
}

/**
 * Changes the members, as an operator asks or as a learner catches up. One change at a time; who comes begins as a
 * learner, so that a group never counts on somebody who has nothing yet (raft.md hazard 28).
 */
export class GroupAdmin implements MembershipAdmin {
  readonly #port: GroupPort;
  readonly #onFatal: (error: unknown) => void;
  /** Learners that are to vote: the commit index when each was first looked at. It must have come that far once. */
  readonly #goals = new Map<NodeId, number>();
  #isPromoting = false;

  constructor(port: GroupPort, onFatal: (error: unknown) => void) {
    this.#port = port;
    this.#onFatal = onFatal;
  }

  list(): readonly MemberView[] {
    return this.#port.state.members.map((member) => this.#viewOf(member));
  }

  async add({ isLearner, replacesId, ...member }: NewMember): Promise<void> {
    await this.#change({ type: 'add', member, wantsVote: !isLearner, replacesId });
  }

  async promote(name: string): Promise<void> {
    const member = this.#memberCalled(name);
    const { role, lag, isActive } = this.#viewOf(member);
    if (role !== 'learner') throw new SeqError('INVALID_ARGUMENT', `${name} is a ${role}: only a learner is promoted`);
    if (!isActive || lag === undefined || lag > PROMOTE_LAG_MAX) {
      const why = isActive ? `it is ${lag ?? 'an unknown number of'} entries behind, and may be ${PROMOTE_LAG_MAX}` : 'it does not answer';
      throw new SeqError('UNAVAILABLE', `${name} has not caught up: ${why}`, { definite: true, retryAfterMs: LEARNER_RETRY_AFTER_MS });
    }
    await this.#promote(member);
  }

  async remove(name: string): Promise<void> {
    const { id } = this.#memberCalled(name);
    this.#requireNoJoint();
    this.#requireQuorumWithout(id, name);
    await this.#change({ type: 'remove', id });
  }

  async update(name: string, to: { readonly peerAddress?: string; readonly address?: string }): Promise<void> {
    const { id, nodeUuid, peerAddress, address } = this.#memberCalled(name);
    const { result } = await this.#port.propose({ type: 'member', id, name, nodeUuid, peerAddress, address, ...to });
    throwRefusal(result);
  }

  /** For a leader, again and again: promotes one learner that wants to vote and has caught up. What fails is due again next time. */
  tend(): void {
    const { raft, state, isLeading } = this.#port;
    if (!isLeading || this.#isPromoting || raft.confState.votersOutgoing.length > 0) return;
    const ready = state.members.find((member) => this.#hasCaughtUp(member));
    if (ready === undefined) return;
    this.#isPromoting = true;
    this.#promote(ready).then(
      () => (this.#isPromoting = false),
      (error: unknown) => {
        this.#isPromoting = false;
        if (!(error instanceof SeqError)) this.#onFatal(error);
      },
    );
  }

  /** It must have come to where the leader was when it was first looked at, and be close now. */
  #hasCaughtUp({ id, wantsVote }: MemberEntry): boolean {
    const { raft } = this.#port;
    if (!wantsVote || !raft.confState.learners.includes(id)) {
      this.#goals.delete(id);
      return false;
    }
    const progress = raft.progress.get(id);
    const goal = this.#goals.get(id) ?? raft.log.commitIndex;
    this.#goals.set(id, goal);
    return progress !== undefined && progress.wasActiveLately && progress.match >= goal && raft.log.lastIndex - progress.match <= PROMOTE_LAG_MAX;
  }

  async #promote({ id, replacesId }: MemberEntry): Promise<void> {
    const replaced = replacesId === undefined ? undefined : this.#port.state.member(replacesId);
    // Whom it was to replace may be gone meanwhile.
    await this.#change(replaced === undefined ? { type: 'promote', id } : { type: 'replace', id, oldId: replaced.id });
  }

  async #change(change: Exclude<MembershipChange, { type: 'leave' }>): Promise<void> {
    const { state } = this.#port;
    this.#port.requireLeading();
    this.#requireNoJoint();
    // Asked now for a clear answer; it is asked again where it counts, when the entry is applied.
    throwRefusal(refuseMembershipChange(state, change) ?? { type: 'done' });
    const { result } = await this.#port.changeMembers(confChangeOf(change));
    throwRefusal(result);
  }

  #requireNoJoint(): void {
    const { votersOutgoing } = this.#port.raft.confState;
    if (votersOutgoing.length === 0) return;
    const why = `a replacement is under way and needs a majority of nodes ${votersOutgoing.join(', ')} too`;
    throw new SeqError('UNAVAILABLE', why, { definite: true, retryAfterMs: CHANGE_RETRY_AFTER_MS });
  }

  /** Whoever stays must be able to decide, or nobody could ever add another one. */
  #requireQuorumWithout(id: NodeId, name: string): void {
    const { raft } = this.#port;
    if (!raft.confState.voters.includes(id)) return;
    const rest = raft.confState.voters.filter((voter) => voter !== id);
    if (rest.length === 0) throw new SeqError('WOULD_LOSE_QUORUM', `${name} is the only voter`);
    const active = rest.filter((voter) => voter === raft.id || raft.progress.get(voter)?.wasActiveLately === true).length;
    const needed = majorityOf(rest.length);
    if (active >= needed) return;
    throw new SeqError('WOULD_LOSE_QUORUM', `without ${name} there are ${rest.length} voters, of which ${needed} must answer, and ${active} do`);
  }

  /** Of two with one name, the one that is not on its way in. Throws INVALID_ARGUMENT, or NOT_LEADER first. */
  #memberCalled(name: string): MemberEntry {
    this.#port.requireLeading();
    const { members } = this.#port.state;
    const called = members.filter((member) => member.name === name);
    const found = called.find(({ replacesId }) => replacesId === undefined) ?? called[0];
    if (found !== undefined) return found;
    throw new SeqError('INVALID_ARGUMENT', `no member is called ${name}; there are ${members.map((member) => member.name).join(', ')}`);
  }

  #viewOf(member: MemberEntry): MemberView {
    const { raft } = this.#port;
    const { id, name, nodeUuid, peerAddress, address, wantsVote, replacesId } = member;
    const isLeader = raft.leaderId === id;
    const progress = raft.role === 'leader' ? raft.progress.get(id) : undefined;
    return {
      id,
      name,
      nodeUuid,
      peerAddress,
      address,
      wantsVote,
      replacesId,
      role: roleOf(raft, id),
      isLeader,
      isActive: id === raft.id || progress?.wasActiveLately === true,
      matchIndex: progress?.match ?? 0,
      lag: progress && raft.log.lastIndex - progress.match,
    };
  }
}

function roleOf({ confState }: RaftCore, id: NodeId): MemberRole {
  if (confState.voters.includes(id)) return 'voter';
  return confState.votersOutgoing.includes(id) ? 'leaving' : 'learner';
}

function throwRefusal(result: Result | Refusal): void {
  if (result.type === 'refused') throw new SeqError(result.code, result.why, { definite: true });
}
