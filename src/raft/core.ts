import { assert } from '../base/assert.js';
import type { ConfChange } from './conf-change.js';
import { trackedFrom, type Tracked } from './conf-changer.js';
import { campaign } from './election.js';
import { type LogReader, RaftLog } from './log.js';
import type { Body, Message } from './message.js';
import { type RaftOptions, type RaftSettings, settingsOf } from './options.js';
import { Progress } from './progress.js';
import { propose, proposeConfChange } from './proposals.js';
import { jointVoteResult, type JointVoters } from './quorum.js';
import { ReadQueue, type ReadState } from './read-queue.js';
import { readIndex } from './reads.js';
import type { AppendAck, Proposed, Ready, Stepped } from './ready.js';
import { Outbox, type Shown } from './outbox.js';
import { applyConfChange } from './reconfigure.js';
import { broadcastHeartbeat } from './replication.js';
import { step } from './step.js';
import { transferLeader } from './transfer.js';
import type { ConfState, Entry, HardState, Index, NodeId, Proposal, Role, Term } from './types.js';

export type { RaftOptions } from './options.js';
export type { AppendAck, AppendWork, Proposed, Ready, SoftState, Stepped } from './ready.js';

/** What a node finds on its disk. */
export interface Found {
  readonly hardState: HardState;
  /** Reads the entries that are there. */
  readonly log: LogReader;
  readonly appliedIndex: Index;
  /** The members as of `appliedIndex`. */
  readonly confState: ConfState;
}

/**
 * Raft (Ongaro & Ousterhout 2014) with PreVote, CheckQuorum, joint membership changes, learners, transfer and snapshots:
 * a pure state machine. Messages, ticks and proposals go in; what must be done comes out of `takeReady`. No clock, no
 * I/O; chance is passed in. Its decisions are those of etcd/raft 3.7, message by message (test/conformance).
 */
export class RaftCore {
  readonly id: NodeId;
  readonly options: RaftSettings;
  readonly log: RaftLog;

  // Read by the driver, the checkers and the tests; written only in this folder.
  term: Term;
  votedFor: NodeId | undefined;
  role: Role = 'follower';
  leaderId: NodeId | undefined;
  tracked: Tracked;
  votes = new Map<NodeId, boolean>();
  reads = new ReadQueue();
  /** Reads that came before this leader had committed an entry of its own term. */
  earlyReads: { readonly from: NodeId; readonly context: number }[] = [];
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** Drawn anew with each change of role but to pre-candidate. */
  electionTimeoutTicks = 0;
  uncommittedBytes = 0;
  /** Leader: no membership change is proposed before this index is applied. */
  pendingConfIndex: Index = 0;
  /** Leader: who is to lead next, while that is under way. */
  transferee: NodeId | undefined;
  /** Leader: somebody was asked to campaign in spite of this leader, so that being heard proves nothing any more (raft.md hazard 44). */
  isLeaseVoid = false;

  readonly #outbox: Outbox;

  constructor(options: RaftOptions, { hardState, log, appliedIndex, confState }: Found) {
    this.options = settingsOf(options);
    this.id = options.id;
    this.log = new RaftLog(log, this.options);
    this.term = hardState.term;
    this.votedFor = hardState.votedFor;
    this.log.begin({ commitIndex: hardState.commitIndex, appliedIndex });
    this.tracked = trackedFrom(confState, { lastIndex: this.log.lastIndex, limits: this.inflightLimits });
    this.#restartProgress();
    this.#drawElectionTimeout();
    this.#outbox = new Outbox(this.#shown);
    this.options.trace?.({ name: 'InitState' }, this);
  }

  /** One unit of time. Never call it more than once for one moment, however late. */
  tick(): void {
    this.electionElapsed += 1;
    if (this.role === 'leader') return this.#tickLeader();
    if (!this.isPromotable || this.electionElapsed < this.electionTimeoutTicks) return;
    this.electionElapsed = 0;
    this.campaign();
  }

  /** Asks for votes now, unless it leads or may not lead: first for pre-votes, which cost the others nothing. */
  campaign(): void {
    campaign(this);
  }

  /** Takes in one message. Pure: every effect waits in `takeReady`. */
  step(message: Message): Stepped {
    return step(this, message);
  }

  /**
   * Appends to the leader's log, in one append. They are committed, or not, later. A membership change that may not be
   * made now becomes an empty entry in its place.
   */
  propose(proposals: readonly Proposal[]): Proposed {
    return propose(this, proposals);
  }

  /** Asks for the commit index, with proof that its leader still leads, in a round that begins now. False: nobody to ask, or too many wait. */
  readIndex(context: number): boolean {
    return readIndex(this, context);
  }

  /** Leader: hands leadership over, if that works within an election timeout. Others pass it on. */
  transferLeader(transferee: NodeId): void {
    transferLeader(this, transferee);
  }

  /** A follower behaves as if it had not heard its leader lately; for groups that fell silent on purpose. */
  forgetLeader(): void {
    // With lease reads a leader must be able to trust that whoever heard it does not vote.
    if (this.role === 'follower' && this.options.readOnly !== 'lease') this.leaderId = undefined;
  }

  /** A leader that cannot do its work makes way, at once and without a successor. */
  stepDown(): void {
    if (this.role === 'leader') this.becomeFollower(this.term, undefined);
  }

  /** Messages to this member were lost: what was under way is asked for again. */
  reportUnreachable(id: NodeId): void {
    const progress = this.role === 'leader' ? this.progress.get(id) : undefined;
    if (progress?.state === 'replicate') progress.becomeProbe();
  }

  /** The snapshot that was sent to this member is there, or will not come. */
  reportSnapshot(id: NodeId, isThere: boolean): void {
    const progress = this.role === 'leader' ? this.progress.get(id) : undefined;
    if (progress?.state !== 'snapshot') return;
    // Before becomeProbe, or the probe would begin behind a snapshot that never came.
    if (!isThere) progress.pendingSnapshot = 0;
    progress.becomeProbe();
    // Its next answer, or the next heartbeat's, lets the next append out.
    progress.isFlowPaused = true;
  }

  /** A committed membership change is being applied: from here on it counts. Returns the members after it. */
  applyConfChange(change: ConfChange): ConfState {
    return applyConfChange(this, change);
  }

  /** The write of an AppendWork is on disk. Late news of a former term may speak of entries that were replaced since. */
  appended({ term, last, snapshot }: AppendAck): void {
    if (last !== undefined && term === this.term) this.log.stableTo(last);
    // What a snapshot holds is committed: that is so in every term.
    if (snapshot === undefined) return;
    this.log.snapshotStable(snapshot.index);
    this.#leaveJointIfDue();
  }

  /** These entries are applied, and so is everything before them. */
  applied(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const bytes = this.log.applied(entries);
    this.#leaveJointIfDue();
    this.uncommittedBytes = Math.max(0, this.uncommittedBytes - bytes);
  }

  get hasReady(): boolean {
    return this.#outbox.hasAny(this.#shown);
  }

  /** Everything that waits to be done, handed out once. */
  takeReady(): Ready {
    const ready = this.#outbox.take(this.#shown);
    this.options.trace?.({ name: 'Ready' }, this);
    return ready;
  }

  get confState(): ConfState {
    return this.tracked.conf;
  }

  /** In id order: it is the order in which messages are sent. */
  get progress(): ReadonlyMap<NodeId, Progress> {
    return this.tracked.progress;
  }

  /** Both halves of the voters. */
  get voters(): JointVoters {
    const { voters, votersOutgoing } = this.tracked.conf;
    return [voters, votersOutgoing];
  }

  /** It is a voter, and its log is not about to be replaced by a snapshot. */
  get isPromotable(): boolean {
    const progress = this.progress.get(this.id);
    return progress !== undefined && !progress.isLearner && !this.log.hasUnstableSnapshot;
  }

  /** The leader has committed an entry of its own term. */
  get hasCommittedInTerm(): boolean {
    return this.log.termAt(this.log.commitIndex) === this.term;
  }

  // What follows is for the other files of this folder.

  get inflightLimits() {
    return { messages: this.options.maxInflightMessages, bytes: this.options.maxInflightBytes };
  }

  send(to: NodeId, body: Body, { term = this.term, from = this.id }: { readonly term?: Term; readonly from?: NodeId } = {}): void {
    const message: Message = { from, to, term, ...body };
    const isPromise = isPromiseOf(body) || (body.type === 'vote' && this.options.voteRequests === 'afterWrite');
    this.#outbox.add(message, { isPromise });
    this.options.trace?.({ name: 'Send', message }, this);
  }

  becomeFollower(term: Term, leaderId: NodeId | undefined): void {
    this.#reset(term);
    this.role = 'follower';
    this.leaderId = leaderId;
    this.options.trace?.({ name: 'BecomeFollower' }, this);
  }

  /** Changes neither term nor vote; forgets the leader, so that the others' refusals do not bounce for ever (hazard 7). */
  becomePreCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.role = 'preCandidate';
    this.leaderId = undefined;
    this.votes = new Map();
  }

  becomeCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.#reset(this.term + 1);
    this.role = 'candidate';
    this.votedFor = this.id;
    this.options.trace?.({ name: 'BecomeCandidate' }, this);
  }

  becomeLeader(): void {
    assert(this.role === 'candidate', 'one leader per term: only a candidate that won it leads it');
    this.#reset(this.term);
    this.role = 'leader';
    this.leaderId = this.id;
    const own = this.progressOf(this.id);
    own.becomeReplicate();
    own.isActive = true;
    // A change may lie in the log unapplied, and looking for it could take long: the next one waits until all is applied.
    this.pendingConfIndex = this.log.lastIndex;
    this.options.trace?.({ name: 'BecomeLeader' }, this);
  }

  progressOf(id: NodeId): Progress {
    const progress = this.progress.get(id);
    assert(progress !== undefined, 'every member has a progress');
    return progress;
  }

  answerRead(read: ReadState): void {
    this.#outbox.addRead(read);
  }

  /** The members become these: known to Raft at once, effective at once. */
  track(tracked: Tracked): void {
    this.options.trace?.({ name: 'ApplyConfChange', voters: tracked.conf.voters }, this);
    this.tracked = tracked;
  }

  #tickLeader(): void {
    if (this.electionElapsed >= this.options.electionTicks) {
      this.electionElapsed = 0;
      if (this.options.checkQuorum) this.#checkQuorum();
      // What did not work within an election timeout is given up: proposals are welcome again.
      this.transferee = undefined;
      if (this.role !== 'leader') return;
    }
    this.heartbeatElapsed += 1;
    if (this.heartbeatElapsed < this.options.heartbeatTicks) return;
    this.heartbeatElapsed = 0;
    broadcastHeartbeat(this);
  }

  /** A leader that a majority has not answered for an election timeout steps down (thesis 6.2). */
  #checkQuorum(): void {
    const isActive = (id: NodeId): boolean => this.progressOf(id).isActive;
    if (jointVoteResult(this.voters, isActive) !== 'won') return this.becomeFollower(this.term, undefined);
    for (const [id, progress] of this.progress) if (id !== this.id) progress.startActivityRound();
  }

  /** A joint configuration that leaves itself is left as soon as it is applied: by whoever leads then (raft.md hazard 24). */
  #leaveJointIfDue(): void {
    const isDue = this.tracked.conf.autoLeave && this.log.appliedIndex >= this.pendingConfIndex && this.role === 'leader';
    // Refused while a transfer is under way: tried again with each entry that is applied.
    if (isDue) proposeConfChange(this, new Uint8Array());
  }

  #reset(term: Term): void {
    assert(term >= this.term, 'a term never goes back');
    if (term !== this.term) {
      this.term = term;
      // Only with the term: a vote that is forgotten within its term can be given twice (raft.md hazard 3).
      this.votedFor = undefined;
      this.isLeaseVoid = false;
    }
    this.leaderId = undefined;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.uncommittedBytes = 0;
    this.pendingConfIndex = 0;
    this.transferee = undefined;
    this.votes = new Map();
    this.reads = new ReadQueue();
    this.earlyReads = [];
    this.#restartProgress();
    this.#drawElectionTimeout();
  }

  /** Nothing is known of anybody's log but the own. */
  #restartProgress(): void {
    const { lastIndex } = this.log;
    const progress = new Map<NodeId, Progress>();
    for (const [id, { isLearner }] of this.progress) progress.set(id, new Progress(lastIndex + 1, this.inflightLimits, { isLearner }));
    const own = progress.get(this.id);
    if (own !== undefined) own.match = lastIndex;
    this.tracked = { conf: this.tracked.conf, progress };
  }

  #drawElectionTimeout(): void {
    const { electionTicks, random } = this.options;
    this.electionTimeoutTicks = electionTicks + random.below(electionTicks);
  }

  get #shown(): Shown {
    const { term, votedFor, role, leaderId, log } = this;
    return { term, log, hardState: { term, votedFor, commitIndex: log.commitIndex }, softState: { role, leaderId } };
  }
}

/** Votes and acknowledgements promise what is on disk: they wait for it. Persist BEFORE send. */
function isPromiseOf({ type }: Body): boolean {
  return type === 'appendReply' || type === 'voteReply' || type === 'preVoteReply';
}
