import { assert, unreachable } from '../base/assert.js';
import type { Random } from '../base/random.js';
import { campaign, onVote, onVoteReply } from './election.js';
import { onAppend, onHeartbeat } from './follower.js';
import { type EntryId, RaftLog, type LogReader } from './log.js';
import type { Body, Message } from './message.js';
import { Progress } from './progress.js';
import { voteResult } from './quorum.js';
import { ReadQueue, type ReadState } from './read-queue.js';
import { appendOwn, broadcastAppend, broadcastHeartbeat, onAppendReply, onHeartbeatReply, startRead } from './replication.js';
import { type Entry, type HardState, type Index, type NodeId, type Role, type Term, totalSize } from './types.js';

export interface RaftOptions {
  readonly id: NodeId;
  /** All members that vote, this node among them. */
  readonly voters: readonly NodeId[];
  /** Ticks without a leader before a node campaigns: drawn from [electionTicks, 2 x electionTicks - 1]. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Bytes of entries in one append; one entry always goes. */
  readonly maxAppendBytes: number;
  /** Appends under way to one follower. */
  readonly maxInflightMessages: number;
  readonly maxInflightBytes: number;
  /** Bytes of entries in the leader's log that are not committed; proposals beyond it are refused. */
  readonly maxUncommittedBytes: number;
  /** Bytes of committed entries handed out to be applied at a time; one entry always goes. */
  readonly maxApplyBytes: number;
  readonly random: Random;
  /** Called after each change of role, term or leader; never during construction. */
  readonly trace?: (event: TraceEvent) => void;
}

export type TraceEvent =
  | { readonly type: 'roleChanged'; readonly role: Role; readonly term: Term; readonly leaderId: NodeId | undefined }
  | { readonly type: 'committed'; readonly index: Index; readonly term: Term };

/** Entries and hard state for the disk, and what may be said only once they are there. */
export interface AppendWork {
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
  /** False: only the commit index changed; it may ride on a later write. */
  readonly mustSync: boolean;
  /** Send AFTER the write is on disk; those to this node itself are stepped. */
  readonly replies: readonly Message[];
  /** Hand back through `appended` AFTER the write is on disk. */
  readonly ack: AppendAck | undefined;
}

/** Attests that the log up to `last` was written by the leader of `term`. */
export interface AppendAck {
  readonly term: Term;
  readonly last: EntryId;
}

/** What the driver must do. Persist BEFORE send: only `messages` may go out at once. */
export interface Ready {
  /** To other nodes, at once. A leader's appends go out while its own disk still works (thesis 10.2.1). */
  readonly messages: readonly Message[];
  readonly append: AppendWork | undefined;
  /** Committed and on this node's disk: apply in order, then call `applied`. */
  readonly apply: readonly Entry[];
  readonly reads: readonly ReadState[];
}

/** What a proposal became: where it will be, if it stays. */
export type Proposed =
  | { readonly type: 'accepted'; readonly firstIndex: Index; readonly term: Term }
  | { readonly type: 'refused'; readonly why: 'notLeader' | 'tooMuchUncommitted' };

/**
 * Raft (Ongaro & Ousterhout 2014) with PreVote and CheckQuorum: a pure state machine. Messages, ticks and proposals
 * go in; what must be done comes out of `takeReady`. No clock, no I/O; chance is passed in.
 */
export class RaftCore {
  readonly id: NodeId;
  readonly voters: readonly NodeId[];
  readonly options: RaftOptions;
  readonly log: RaftLog;

  // Read by the driver, the checkers and the tests; written only in this folder.
  term: Term;
  votedFor: NodeId | undefined;
  role: Role = 'follower';
  leaderId: NodeId | undefined;
  progress = new Map<NodeId, Progress>();
  votes = new Map<NodeId, boolean>();
  reads = new ReadQueue();
  /** Reads that came before this leader had committed an entry of its own term. */
  earlyReads: number[] = [];
  electionElapsed = 0;
  heartbeatElapsed = 0;
  /** Drawn anew with each change of role or term. */
  electionTimeoutTicks = 0;
  uncommittedBytes = 0;

  #messages: Message[] = [];
  #replies: Message[] = [];
  #readStates: ReadState[] = [];
  #saved: HardState;

  /** `hardState` and `appliedIndex` as found on disk; `log` reads the entries there. */
  constructor(options: RaftOptions, { hardState, log, appliedIndex }: { hardState: HardState; log: LogReader; appliedIndex: Index }) {
    assert(options.voters.includes(options.id), 'a node is one of its voters');
    this.options = options;
    this.id = options.id;
    this.voters = [...options.voters].sort((one, other) => one - other);
    this.log = new RaftLog(log);
    this.term = hardState.term;
    this.votedFor = hardState.votedFor;
    // What was applied had been committed, even if the commit index was not saved since (raft.md hazard 45).
    this.log.commitTo(Math.max(hardState.commitIndex, appliedIndex));
    this.log.applying(appliedIndex);
    this.log.applied(appliedIndex);
    this.#saved = { term: this.term, votedFor: this.votedFor, commitIndex: this.log.commitIndex };
    this.#drawElectionTimeout();
  }

  /** One unit of time. Never call it more than once for one moment, however late. */
  tick(): void {
    this.electionElapsed += 1;
    if (this.role === 'leader') return this.#tickLeader();
    if (this.electionElapsed >= this.electionTimeoutTicks) this.campaign();
  }

  /** Asks for votes now: first for pre-votes, which cost the others nothing. */
  campaign(): void {
    if (this.role === 'leader') return;
    this.electionElapsed = 0;
    campaign(this, 'preVote');
  }

  /** Takes in one message. Pure: every effect waits in `takeReady`. */
  step(message: Message): void {
    assert(message.to === this.id, 'a message for this node');
    // The term rules (Raft 5.1) come first; they may answer or drop the message.
    if (message.term > this.term && !this.#adoptsTerm(message)) return;
    if (message.term < this.term) return this.#answerOldTerm(message);
    this.#dispatch(message);
  }

  /** Appends commands to the leader's log, in one append. They are committed, or not, later. */
  propose(commands: readonly Uint8Array[]): Proposed {
    if (this.role !== 'leader') return { type: 'refused', why: 'notLeader' };
    const firstIndex = this.log.lastIndex + 1;
    const entries = commands.map((data, offset) => ({ index: firstIndex + offset, term: this.term, data }));
    const bytes = totalSize(entries);
    // The first proposal on an empty tail always passes, or a large one never would.
    if (this.uncommittedBytes > 0 && this.uncommittedBytes + bytes > this.options.maxUncommittedBytes)
      return { type: 'refused', why: 'tooMuchUncommitted' };
    this.uncommittedBytes += bytes;
    appendOwn(this, entries);
    broadcastAppend(this);
    return { type: 'accepted', firstIndex, term: this.term };
  }

  /** Asks for proof that this node still leads, in a round that begins now. False when it does not lead. */
  readIndex(context: number): boolean {
    if (this.role !== 'leader') return false;
    // Before an entry of its own term is committed a leader does not know how far the log is committed (Raft 8).
    if (this.hasCommittedInTerm) startRead(this, context);
    else this.earlyReads.push(context);
    return true;
  }

  /** The write of an AppendWork is on disk. Late news of a former term may speak of entries that were replaced since. */
  appended({ term, last }: AppendAck): void {
    if (term === this.term) this.log.stableTo(last);
  }

  /** Everything up to `index` is applied. */
  applied(index: Index): void {
    this.log.applied(index);
  }

  get hasReady(): boolean {
    return (
      this.#messages.length > 0 ||
      this.#replies.length > 0 ||
      this.#readStates.length > 0 ||
      this.log.hasUnsaved ||
      this.log.hasApplicable ||
      this.#hardStateChanged
    );
  }

  /** Everything that waits to be done, handed out once. */
  takeReady(): Ready {
    const append = this.#takeAppendWork();
    const apply = this.log.applicable(this.options.maxApplyBytes);
    const last = apply.at(-1);
    if (last !== undefined) this.log.applying(last.index);
    const ready: Ready = { messages: this.#messages, append, apply, reads: this.#readStates };
    this.#messages = [];
    this.#readStates = [];
    return ready;
  }

  /** The leader has committed an entry of its own term. */
  get hasCommittedInTerm(): boolean {
    return this.log.termAt(this.log.commitIndex) === this.term;
  }

  // What follows is for the other files of this folder.

  send(to: NodeId, body: Body, term: Term = this.term): void {
    const message: Message = { from: this.id, to, term, ...body };
    // Votes and acknowledgements promise what is on disk: they wait for it. Persist BEFORE send. So does a request for
    // votes: a candidate that forgot its term in a crash would campaign in it again, win it again, and lead it twice.
    const isPromise = body.type === 'appendReply' || body.type === 'vote' || body.type === 'voteReply' || body.type === 'preVoteReply';
    if (isPromise) this.#replies.push(message);
    else this.#messages.push(message);
  }

  becomeFollower(term: Term, leaderId: NodeId | undefined): void {
    this.#reset(term);
    this.role = 'follower';
    this.leaderId = leaderId;
    this.#traceRole();
  }

  /** Changes neither term nor vote; forgets the leader, so that the others' refusals do not bounce for ever (hazard 7). */
  becomePreCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.role = 'preCandidate';
    this.leaderId = undefined;
    this.votes = new Map();
    this.#drawElectionTimeout();
    this.#traceRole();
  }

  becomeCandidate(): void {
    assert(this.role !== 'leader', 'a leader does not campaign');
    this.#reset(this.term + 1);
    this.role = 'candidate';
    this.votedFor = this.id;
    this.#traceRole();
  }

  becomeLeader(): void {
    assert(this.role === 'candidate', 'one leader per term: only a candidate that won it leads it');
    this.#reset(this.term);
    this.role = 'leader';
    this.leaderId = this.id;
    const { maxInflightMessages: messages, maxInflightBytes: bytes } = this.options;
    for (const voter of this.voters) this.progress.set(voter, new Progress(this.log.lastIndex + 1, { messages, bytes }));
    this.progressOf(this.id).becomeReplicate();
    this.#traceRole();
    // The no-op: only an entry of the own term can be committed by counting (Raft 5.4.2).
    appendOwn(this, [{ index: this.log.lastIndex + 1, term: this.term, data: new Uint8Array() }]);
  }

  follow(leaderId: NodeId): void {
    const isNews = this.leaderId !== leaderId;
    this.electionElapsed = 0;
    this.leaderId = leaderId;
    if (isNews) this.#traceRole();
  }

  progressOf(id: NodeId): Progress {
    const progress = this.progress.get(id);
    assert(progress !== undefined, 'the leader knows every voter');
    return progress;
  }

  answerReads(reads: readonly ReadState[]): void {
    this.#readStates.push(...reads);
  }

  committed(from: Index): void {
    for (const entry of this.log.entries(from + 1, this.log.commitIndex, Number.MAX_SAFE_INTEGER)) {
      this.uncommittedBytes = Math.max(0, this.uncommittedBytes - totalSize([entry]));
    }
    this.options.trace?.({ type: 'committed', index: this.log.commitIndex, term: this.term });
  }

  /** For a message of a later term. False: it is dropped. */
  #adoptsTerm(message: Message): boolean {
    if (message.type === 'vote' || message.type === 'preVote') {
      // Whoever hears a leader does not help to depose it (thesis 4.2.3): this keeps a removed or cut-off node quiet.
      if (this.leaderId !== undefined && this.electionElapsed < this.options.electionTicks) return false;
    }
    if (message.type === 'preVote') return true; // Asks about a term that nobody has entered yet.
    if (message.type === 'preVoteReply' && message.granted) return true; // Names the term we asked about.
    const isFromLeader = message.type === 'append' || message.type === 'heartbeat';
    this.becomeFollower(message.term, isFromLeader ? message.from : undefined);
    return true;
  }

  /** For a message of a former term. */
  #answerOldTerm(message: Message): void {
    switch (message.type) {
      case 'append':
      case 'heartbeat':
        // A deposed leader, or we are stuck in a term of our own: our term makes it step down, and then we can rejoin.
        return this.send(message.from, { type: 'appendReply', index: 0, rejected: false, hintIndex: 0, hintTerm: 0 });
      case 'preVote':
        return this.send(message.from, { type: 'preVoteReply', granted: false });
      case 'vote':
      case 'voteReply':
      case 'preVoteReply':
      case 'appendReply':
      case 'heartbeatReply':
        return; // It learns the term from somebody else.
      default:
        return unreachable(message);
    }
  }

  #dispatch(message: Message): void {
    switch (message.type) {
      case 'preVote':
      case 'vote':
        return onVote(this, message);
      case 'preVoteReply':
      case 'voteReply':
        return onVoteReply(this, message);
      case 'append':
        return onAppend(this, message);
      case 'heartbeat':
        return onHeartbeat(this, message);
      case 'appendReply':
        return onAppendReply(this, message);
      case 'heartbeatReply':
        return onHeartbeatReply(this, message);
      default:
        return unreachable(message);
    }
  }

  #tickLeader(): void {
    if (this.electionElapsed >= this.options.electionTicks) {
      this.electionElapsed = 0;
      this.#checkQuorum();
      if (this.role !== 'leader') return;
    }
    this.heartbeatElapsed += 1;
    if (this.heartbeatElapsed < this.options.heartbeatTicks) return;
    this.heartbeatElapsed = 0;
    broadcastHeartbeat(this);
  }

  /** A leader that a majority has not answered for an election timeout steps down (thesis 6.2). */
  #checkQuorum(): void {
    const isActive = (id: NodeId): boolean => id === this.id || this.progressOf(id).isActive;
    if (voteResult(this.voters, isActive) !== 'won') return this.becomeFollower(this.term, undefined);
    for (const [id, progress] of this.progress) if (id !== this.id) progress.isActive = false;
  }

  #reset(term: Term): void {
    assert(term >= this.term, 'a term never goes back');
    if (term !== this.term) {
      this.term = term;
      // Only with the term: a vote that is forgotten within its term can be given twice (raft.md hazard 3).
      this.votedFor = undefined;
    }
    this.leaderId = undefined;
    this.electionElapsed = 0;
    this.heartbeatElapsed = 0;
    this.uncommittedBytes = 0;
    this.votes = new Map();
    this.progress = new Map();
    this.reads = new ReadQueue();
    this.earlyReads = [];
    this.#drawElectionTimeout();
  }

  #drawElectionTimeout(): void {
    const { electionTicks, random } = this.options;
    this.electionTimeoutTicks = electionTicks + random.below(electionTicks);
  }

  get #hardStateChanged(): boolean {
    return this.term !== this.#saved.term || this.votedFor !== this.#saved.votedFor || this.log.commitIndex !== this.#saved.commitIndex;
  }

  #takeAppendWork(): AppendWork | undefined {
    const entries = this.log.unsaved();
    const changed = this.#hardStateChanged;
    if (entries.length === 0 && !changed && this.#replies.length === 0) return undefined;
    const hardState: HardState = { term: this.term, votedFor: this.votedFor, commitIndex: this.log.commitIndex };
    const mustSync = entries.length > 0 || hardState.term !== this.#saved.term || hardState.votedFor !== this.#saved.votedFor;
    this.log.saving();
    this.#saved = hardState;
    const replies = this.#replies;
    this.#replies = [];
    // Every write attests to the end of the log again: an ack of a former term may have been ignored meanwhile.
    const ack = this.log.hasUnstable ? { term: this.term, last: this.log.last } : undefined;
    return { entries, hardState: changed ? hardState : undefined, mustSync, replies, ack };
  }

  #traceRole(): void {
    this.options.trace?.({ type: 'roleChanged', role: this.role, term: this.term, leaderId: this.leaderId });
  }
}
