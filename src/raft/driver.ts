import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { type ConfChange, decodeConfChange, encodeConfChange, leavesJoint } from './conf-change.js';
import { RaftCore, type RaftOptions } from './core.js';
import type { Message } from './message.js';
import { type Applied, PendingProposals } from './pending-proposals.js';
import { PendingReads } from './pending-reads.js';
import type { RaftEvent, RaftStorage, StateMachine, Transport } from './ports.js';
import type { AppendWork, SoftState } from './ready.js';
import type { ConfState, Entry, EntryId, HardState, Index, NodeId, Snapshot, Term } from './types.js';
import { Writer } from './writer.js';

export { type Applied, COMMAND_BYTES_MAX } from './pending-proposals.js';

/** Applied entries that stay in the log, so that a member that was away for a while needs no snapshot. */
const KEPT_ENTRIES = 10_000;
/** For a member that answers and is slower than that the log is kept up to here; then a snapshot is cheaper. */
const KEPT_FOR_SLOW_ENTRIES = 50_000;
/** Compaction waits until it is worth a write. */
const COMPACTION_STEP = 1_000;
/** How long news of the commit index alone waits for entries to travel with, in ms. */
const COMMIT_NEWS_HOLD_MS = 2;
/** A read that was passed on to a leader is given up after this many election timeouts. */
const READ_TIMEOUT_ELECTIONS = 2;

export interface DriverOptions<Result> {
  readonly raft: Omit<RaftOptions, 'snapshot'>;
  readonly tickMs: number;
  readonly hardState: HardState;
  readonly appliedIndex: Index;
  /** The members as of `appliedIndex`. */
  readonly confState: ConfState;
  /** Applied entries that stay in the log. Default 10,000. */
  readonly keptEntries?: number;
  readonly storage: RaftStorage;
  readonly transport: Transport;
  readonly machine: StateMachine<Result>;
  readonly clock: Clock;
  readonly observe: Observer<RaftEvent>;
  /** Hears the first storage error or broken invariant. The process must end: the driver does nothing more. */
  readonly onFatal: (error: unknown) => void;
}

/**
 * Runs a RaftCore on a real machine; with its writer the only part of this folder that waits. Carries out each Ready in
 * one order: send what may go at once, persist, THEN send what promises, apply, answer. Everything that came in during
 * one turn of the event loop shares one Ready, one append and one write (group commit).
 */
export class RaftDriver<Result> {
  readonly core: RaftCore;
  readonly #options: DriverOptions<Result>;
  readonly #writer: Writer;
  readonly #proposals = new PendingProposals<Result>();
  readonly #reads: PendingReads;
  /** The last entry that the state machine holds. */
  #applied: EntryId;
  #isPumpDue = false;
  #isStopped = false;
  #cancelTick: () => void = () => undefined;
  #tickCount = 0;
  /** The term in which this leader has told that it is ready; 0: none. */
  #readyTerm: Term = 0;
  #isStallTold = false;
  /** By follower: the last append without entries, not sent yet. */
  readonly #held = new Map<NodeId, Message>();
  #cancelHold: () => void = () => undefined;

  constructor(options: DriverOptions<Result>) {
    this.#options = options;
    const { hardState, appliedIndex, confState, storage, machine, clock, observe } = options;
    this.#reads = new PendingReads(options.raft.random);
    this.core = new RaftCore({ ...options.raft, snapshot: () => this.snapshot() }, { hardState, log: storage, appliedIndex, confState });
    this.#applied = { index: appliedIndex, term: this.core.log.termAt(appliedIndex) ?? 0 };
    this.#writer = new Writer({
      storage,
      machine,
      clock,
      observe,
      appliedIndex,
      onWritten: (works) => this.#onWritten(works),
      onFatal: (error) => this.#fail(error),
    });
  }

  start(): void {
    this.#tickAfter(this.#options.tickMs);
    this.#schedule();
  }

  /** Takes in a message of a peer. */
  receive(message: Message): void {
    if (this.#isStopped || message.to !== this.core.id) return;
    // Read before it is believed: once the core has taken it, it is what this node will become.
    if (message.type === 'snapshot' && this.#options.machine.parseSnapshot(message.snapshot.data) === undefined)
      return this.#options.observe({ type: 'snapshotUnreadable', from: message.from, index: message.snapshot.index });
    this.#guard(() => this.core.step(message));
    this.#schedule();
  }

  /**
   * Resolves with what applying the command answered. Rejects with NOT_LEADER, RESOURCE_EXHAUSTED or a definite
   * UNAVAILABLE (it is certainly not in the log), or with UNAVAILABLE (unknown: leadership was lost first, and the entry
   * may stay or go).
   */
  propose(data: Uint8Array): Promise<Applied<Result>> {
    if (this.#isStopped) return Promise.reject(stopping());
    this.#schedule();
    return this.#proposals.add('normal', data);
  }

  /** As `propose`, for the members; UNAVAILABLE, definite, while another change is under way. */
  changeMembers(change: ConfChange): Promise<Applied<Result>> {
    if (this.#isStopped) return Promise.reject(stopping());
    this.#schedule();
    return this.#proposals.add('confChange', encodeConfChange(change));
  }

  /**
   * Resolves, after a quorum confirmed this leader in a round that began after this call, once everything that was
   * committed at the call is applied here. Rejects with NOT_LEADER: nothing was read.
   */
  confirmLeadership(): Promise<Index> {
    return this.#read({ mustLead: true });
  }

  /** As `confirmLeadership`, on any node: whoever leads is asked. */
  readIndex(): Promise<Index> {
    return this.#read({ mustLead: false });
  }

  /** Hands leadership to `to`, if that works within an election timeout. */
  transferLeader(to: NodeId): void {
    this.#guard(() => this.core.transferLeader(to));
    this.#schedule();
  }

  /** Messages to this peer were lost. */
  reportUnreachable(id: NodeId): void {
    if (this.#isStopped) return;
    this.#guard(() => this.core.reportUnreachable(id));
    this.#schedule();
  }

  /** The snapshot that was sent to this peer is there, or will not come. */
  reportSnapshot(id: NodeId, isThere: boolean): void {
    if (this.#isStopped) return;
    this.#guard(() => this.core.reportSnapshot(id, isThere));
    this.#schedule();
  }

  /** This node leads, and has applied an entry of its own term. */
  get isReadyLeader(): boolean {
    return this.core.role === 'leader' && this.#readyTerm === this.core.term;
  }

  /** Takes nothing more in; resolves when the write under way is on disk. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick();
    this.#cancelHold();
    this.#proposals.rejectWaiting(new SeqError('CLOSED', 'this node is stopping', { definite: false }));
    this.#proposals.rejectQueued(stopping());
    this.#reads.rejectAll();
    await this.#writer.stop();
  }

  #read(ask: { readonly mustLead: boolean }): Promise<Index> {
    if (this.#isStopped) return Promise.reject(stopping());
    this.#schedule();
    return this.#reads.add(ask);
  }

  #tickAfter(delayMs: number): void {
    const { clock, tickMs } = this.#options;
    const dueMs = clock.nowMs() + delayMs;
    this.#cancelTick = clock.after(delayMs, () => {
      const lateMs = clock.nowMs() - dueMs;
      if (lateMs <= tickMs) return this.#tick();
      // After a blocked loop timers run before the heartbeats that wait in the sockets: read those first, and make up
      // for nothing, or a pause looks like a dead leader (raft.md hazard 10).
      this.#options.observe({ type: 'lateTick', lateMs });
      clock.defer(() => this.#tick());
    });
  }

  #tick(): void {
    if (this.#isStopped) return;
    this.#tickCount += 1;
    this.#guard(() => {
      this.core.tick();
      this.#watchDisk();
      this.#compact();
    });
    if (this.#isStopped) return;
    this.#reads.expire(this.#tickCount, READ_TIMEOUT_ELECTIONS * this.core.options.electionTicks);
    this.#tickAfter(this.#options.tickMs);
    // Most ticks of a follower change nothing but a count.
    if (this.core.hasReady || this.#writer.isDue) this.#schedule();
  }

  /** Heartbeats need no disk, so a leader whose disk hangs would hold the group for ever (raft.md hazard 11): it hands over, or gives up. */
  #watchDisk(): void {
    const electionMs = this.core.options.electionTicks * this.#options.tickMs;
    const forMs = this.#writer.stalledMs;
    if (forMs < electionMs) {
      this.#isStallTold = false;
      return;
    }
    const isLeader = this.core.role === 'leader';
    if (isLeader) {
      const successor = mostCaughtUp(this.core);
      if (successor === undefined || forMs >= 2 * electionMs) this.core.stepDown();
      else this.core.transferLeader(successor);
    }
    if (!this.#isStallTold) this.#options.observe({ type: 'diskStalled', forMs, isLeader });
    this.#isStallTold = true;
  }

  /** What every living member holds, and what this node's disk holds as state, is not needed as log; some stays for who is away. */
  #compact(): void {
    const saved = this.#writer.savedAppliedIndex;
    const kept = this.#options.keptEntries ?? KEPT_ENTRIES;
    const followers = this.core.role === 'leader' ? [...this.core.progress.values()].filter(({ wasActiveLately }) => wasActiveLately) : [];
    const slowest = Math.min(saved, ...followers.map(({ match }) => match));
    const compactTo = Math.max(Math.min(saved - kept, slowest), saved - Math.max(kept, KEPT_FOR_SLOW_ENTRIES));
    const { firstIndex } = this.core.log;
    if (compactTo < firstIndex - 1 + Math.min(kept, COMPACTION_STEP) || compactTo < firstIndex) return;
    this.#writer.compact(compactTo);
  }

  /** Pumps once, after all input of this turn has been read. */
  #schedule(): void {
    if (this.#isPumpDue || this.#isStopped) return;
    this.#isPumpDue = true;
    this.#options.clock.defer(() => {
      this.#isPumpDue = false;
      if (!this.#isStopped) this.#guard(() => this.#pump());
    });
  }

  #pump(): void {
    this.#proposals.propose(this.core);
    this.#reads.ask(this.core, this.#tickCount);
    while (this.core.hasReady) {
      const ready = this.core.takeReady();
      if (ready.softState !== undefined) this.#onSoftState(ready.softState);
      for (const message of ready.messages) this.#send(message);
      if (ready.append !== undefined) this.#writer.push(ready.append);
      for (const entry of ready.apply) this.#apply(entry);
      if (ready.apply.length > 0) this.core.applied(ready.apply);
      for (const read of ready.reads) this.#reads.confirmed(read);
      this.#reads.answer(this.core.log.appliedIndex);
    }
    this.#writer.kick();
  }

  #send(message: Message): void {
    if (message.type === 'append' && message.entries.length === 0) return this.#hold(message);
    // What it says of the commit index it says too.
    if (message.type === 'append') this.#held.delete(message.to);
    this.#options.transport.send(message);
  }

  /**
   * An append without entries tells a follower how far the log is committed; nobody waits for that. So it waits a moment
   * itself: whoever waits for the commit is answered first, and under load the next entries make it needless.
   */
  #hold(message: Message): void {
    const isFirst = this.#held.size === 0;
    this.#held.set(message.to, message);
    if (!isFirst) return;
    this.#cancelHold = this.#options.clock.after(COMMIT_NEWS_HOLD_MS, () => {
      const held = [...this.#held.values()];
      this.#held.clear();
      this.#guard(() => {
        for (const each of held) this.#options.transport.send(each);
      });
    });
  }

  #onSoftState({ role, leaderId }: SoftState): void {
    this.#reads.rejectAll();
    if (role !== 'leader')
      this.#proposals.rejectWaiting(
        new SeqError('UNAVAILABLE', 'this StoreSvr lost its leadership before the outcome was known', { definite: false }),
      );
    this.#options.observe({ type: 'roleChanged', role, term: this.core.term, leaderId });
  }

  #apply(entry: Entry): void {
    const { index, term } = entry;
    // Before the members change: a snapshot that is sent in that very step is of this entry.
    this.#applied = { index, term };
    this.#proposals.applied(entry, this.#execute(entry));
    this.#writer.applied({ index, confState: this.core.confState }, { isUrgent: entry.type === 'confChange' });
    if (this.core.role === 'leader' && term === this.core.term && this.#readyTerm !== term) {
      this.#readyTerm = term;
      this.#options.observe({ type: 'leaderReady', term });
    }
  }

  #execute(entry: Entry): { readonly value: Result } | undefined {
    const { machine, observe } = this.#options;
    // The no-op carries no command.
    if (entry.type === 'normal') return entry.data.length === 0 ? undefined : { value: machine.apply(entry) };
    const change = decodeConfChange(entry.data);
    assert(change !== undefined, 'a membership change that was committed can be read');
    const { result, isAccepted } = machine.applyConfChange(entry, change);
    // A refused change still ends what it ended in the log: one without members changes nothing.
    // Leaving a joint configuration only ends what was accepted before: nobody can refuse it.
    const accepted =
      isAccepted || leavesJoint(change) ? change : { ...change, transition: 'auto' as const, steps: [{ type: 'update' as const, nodeId: 0 }] };
    const confState = this.core.applyConfChange(accepted);
    observe({ type: 'confChanged', index: entry.index, confState });
    return { value: result };
  }

  /** The state machine as it is now, with the members that go with it. */
  snapshot(): Snapshot {
    return { ...this.#applied, confState: this.core.confState, data: this.#options.machine.snapshot() };
  }

  /** On disk: now the promises may be spoken. */
  #onWritten(works: readonly AppendWork[]): void {
    if (this.#isStopped) return;
    this.#guard(() => {
      for (const { replies, ack, snapshot } of works) {
        if (snapshot !== undefined) this.#restore(snapshot);
        if (ack !== undefined) this.core.appended(ack);
        for (const reply of replies) {
          if (reply.to === this.core.id) this.core.step(reply);
          else this.#options.transport.send(reply);
        }
      }
      this.#pump();
    });
  }

  #restore({ index, term, data }: Snapshot): void {
    const { machine, observe } = this.#options;
    const state = machine.parseSnapshot(data);
    assert(state !== undefined, 'a snapshot was read once before it was taken');
    machine.restore(state);
    this.#applied = { index, term };
    observe({ type: 'snapshotInstalled', index, term });
  }

  /** A broken invariant must not be answered with more work. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelTick();
    this.#cancelHold();
    this.#writer.halt();
    this.#options.onFatal(error);
  }
}

/** The voter to lead next: heard lately, and with the most of the log. */
export function mostCaughtUp(core: RaftCore): NodeId | undefined {
  const [voters] = core.voters;
  let best: { readonly id: NodeId; readonly match: Index } | undefined;
  for (const [id, { wasActiveLately, match }] of core.progress) {
    if (id === core.id || !wasActiveLately || !voters.includes(id)) continue;
    if (best === undefined || match > best.match) best = { id, match };
  }
  return best?.id;
}

function stopping(): SeqError {
  return new SeqError('CLOSED', 'this node is stopping');
}
