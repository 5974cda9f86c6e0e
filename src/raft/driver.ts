import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { type AppendWork, RaftCore, type RaftOptions, type TraceEvent } from './core.js';
import type { Message } from './message.js';
import type { RaftEvent, RaftStorage, StateMachine, Transport } from './ports.js';
import { Writer } from './writer.js';
import type { Entry, HardState, Index, Term } from './types.js';

/** Proposals that wait for the next turn or for their fate; more are refused. */
const PENDING_PROPOSALS_MAX = 10_000;
/** Bytes of one command. Entry, append and frame around it must still fit into what a peer takes, or nothing after it commits. */
export const COMMAND_BYTES_MAX = 2 * 1024 * 1024;
/** Reads that wait; more are refused. */
const PENDING_READS_MAX = 10_000;

export interface DriverOptions<Result> {
  readonly raft: Omit<RaftOptions, 'trace'>;
  readonly tickMs: number;
  readonly hardState: HardState;
  readonly appliedIndex: Index;
  readonly storage: RaftStorage;
  readonly transport: Transport;
  readonly machine: StateMachine<Result>;
  readonly clock: Clock;
  readonly observe: Observer<RaftEvent>;
  /** Hears the first storage error or broken invariant. The process must end: the driver does nothing more. */
  readonly onFatal: (error: unknown) => void;
}

interface Proposal<Result> {
  readonly data: Uint8Array;
  readonly resolve: (applied: Applied<Result>) => void;
  readonly reject: (error: SeqError) => void;
}

/** A committed and applied command. */
export interface Applied<Result> {
  readonly index: Index;
  readonly term: Term;
  readonly result: Result;
}

interface Waiter<Result> extends Proposal<Result> {
  readonly term: Term;
}

interface Read {
  readonly resolve: (index: Index) => void;
  readonly reject: (error: SeqError) => void;
}

interface ConfirmedReads {
  readonly index: Index;
  readonly reads: readonly Read[];
}

/**
 * Runs a RaftCore on a real machine; the only file of this folder that waits. Carries out each Ready in one order:
 * send what may go at once, persist, THEN send what promises, apply, answer. Everything that came in during one turn
 * of the event loop shares one Ready, one append and one write (group commit).
 */
export class RaftDriver<Result> {
  readonly core: RaftCore;
  readonly #options: DriverOptions<Result>;
  readonly #writer: Writer;
  #proposals: Proposal<Result>[] = [];
  readonly #waiters = new Map<Index, Waiter<Result>>();
  #newReads: Read[] = [];
  readonly #askedReads = new Map<number, readonly Read[]>();
  /** Reads that are neither resolved nor rejected. */
  #readCount = 0;
  #confirmedReads: ConfirmedReads[] = [];
  #nextContext = 1;
  #isPumpDue = false;
  #isStopped = false;
  #cancelTick: () => void = () => undefined;
  /** The term in which this leader has told that it is ready; 0: none. */
  #readyTerm: Term = 0;

  constructor(options: DriverOptions<Result>) {
    this.#options = options;
    const { hardState, appliedIndex, storage, machine, clock, observe } = options;
    this.core = new RaftCore({ ...options.raft, trace: (event) => this.#onTrace(event) }, { hardState, log: storage, appliedIndex });
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
    this.#guard(() => this.core.step(message));
    this.#schedule();
  }

  /**
   * Resolves with what applying the command answered. Rejects with NOT_LEADER or RESOURCE_EXHAUSTED (definite: it is
   * certainly not in the log) or with UNAVAILABLE (unknown: leadership was lost first, and the entry may stay or go).
   */
  propose(data: Uint8Array): Promise<Applied<Result>> {
    return new Promise((resolve, reject) => {
      if (this.#isStopped) return reject(new SeqError('CLOSED', 'this node is stopping'));
      // An entry without data is the no-op of a new leader: it is never applied, so it has no answer.
      if (data.length === 0) return reject(new SeqError('INVALID_ARGUMENT', 'a command must have at least 1 byte, got 0'));
      if (data.length > COMMAND_BYTES_MAX) {
        return reject(new SeqError('INVALID_ARGUMENT', `a command has at most ${COMMAND_BYTES_MAX} bytes, got ${data.length}`));
      }
      if (this.#proposals.length + this.#waiters.size >= PENDING_PROPOSALS_MAX) {
        return reject(new SeqError('RESOURCE_EXHAUSTED', `${PENDING_PROPOSALS_MAX} proposals are waiting`, { retryAfterMs: 50 }));
      }
      this.#proposals.push({ data, resolve, reject });
      this.#schedule();
    });
  }

  /**
   * Resolves, after a quorum confirmed this leader in a round that began after this call, once everything that was
   * committed at the call is applied here. Rejects with NOT_LEADER: nothing was read.
   */
  readIndex(): Promise<Index> {
    return new Promise((resolve, reject) => {
      if (this.#isStopped) return reject(new SeqError('CLOSED', 'this node is stopping'));
      if (this.#readCount >= PENDING_READS_MAX)
        return reject(new SeqError('RESOURCE_EXHAUSTED', `${PENDING_READS_MAX} reads are waiting`, { retryAfterMs: 50 }));
      this.#readCount += 1;
      this.#newReads.push({ resolve, reject });
      this.#schedule();
    });
  }

  /** This node leads, and has applied an entry of its own term. */
  get isReadyLeader(): boolean {
    return this.core.role === 'leader' && this.#readyTerm === this.core.term;
  }

  /** Takes nothing more in; resolves when the write under way is on disk. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTick();
    this.#rejectAll(new SeqError('CLOSED', 'this node is stopping', { definite: false }));
    await this.#writer.stop();
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
    this.#guard(() => this.core.tick());
    if (this.#isStopped) return;
    this.#tickAfter(this.#options.tickMs);
    this.#schedule();
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
    this.#takeProposals();
    this.#takeReads();
    while (this.core.hasReady) {
      const ready = this.core.takeReady();
      for (const message of ready.messages) this.#options.transport.send(message);
      if (ready.append !== undefined) this.#writer.push(ready.append);
      for (const entry of ready.apply) this.#apply(entry);
      for (const { context, index } of ready.reads) this.#onReadConfirmed(context, index);
      this.#answerReads();
    }
    this.#writer.kick();
  }

  #takeProposals(): void {
    if (this.#proposals.length === 0) return;
    const proposals = this.#proposals;
    this.#proposals = [];
    const proposed = this.core.propose(proposals.map(({ data }) => data));
    if (proposed.type === 'refused') {
      const error =
        proposed.why === 'notLeader'
          ? new SeqError('NOT_LEADER', 'this StoreSvr does not lead')
          : new SeqError('RESOURCE_EXHAUSTED', 'too many bytes wait to be committed', { retryAfterMs: 50 });
      for (const { reject } of proposals) reject(error);
      return;
    }
    proposals.forEach((proposal, offset) => this.#waiters.set(proposed.firstIndex + offset, { ...proposal, term: proposed.term }));
  }

  /** All reads of this turn share one context and one round. */
  #takeReads(): void {
    if (this.#newReads.length === 0) return;
    const reads = this.#newReads;
    this.#newReads = [];
    const context = this.#nextContext++;
    if (this.core.readIndex(context)) {
      this.#askedReads.set(context, reads);
      return;
    }
    this.#readCount -= reads.length;
    for (const { reject } of reads) reject(new SeqError('NOT_LEADER', 'this StoreSvr does not lead'));
  }

  #apply(entry: Entry): void {
    const waiter = this.#waiters.get(entry.index);
    this.#waiters.delete(entry.index);
    const { index, term } = entry;
    // The no-op carries no command.
    const applied = entry.data.length === 0 ? undefined : { index, term, result: this.#options.machine.apply(entry) };
    this.core.applied(index);
    this.#writer.applied(index);
    if (waiter !== undefined) {
      if (waiter.term === term && applied !== undefined) waiter.resolve(applied);
      else waiter.reject(new SeqError('UNAVAILABLE', 'another leader replaced this entry', { definite: true }));
    }
    if (this.core.role === 'leader' && entry.term === this.core.term && this.#readyTerm !== entry.term) {
      this.#readyTerm = entry.term;
      this.#options.observe({ type: 'leaderReady', term: entry.term });
    }
  }

  #onReadConfirmed(context: number, index: Index): void {
    const reads = this.#askedReads.get(context);
    this.#askedReads.delete(context);
    if (reads !== undefined) this.#confirmedReads.push({ index, reads });
  }

  #answerReads(): void {
    if (this.#confirmedReads.length === 0) return;
    const appliedIndex = this.core.log.appliedIndex;
    const waiting: ConfirmedReads[] = [];
    for (const confirmed of this.#confirmedReads) {
      if (confirmed.index > appliedIndex) {
        waiting.push(confirmed);
        continue;
      }
      this.#readCount -= confirmed.reads.length;
      for (const { resolve } of confirmed.reads) resolve(confirmed.index);
    }
    this.#confirmedReads = waiting;
  }

  /** On disk: now the promises may be spoken. */
  #onWritten(works: readonly AppendWork[]): void {
    if (this.#isStopped) return;
    this.#guard(() => {
      for (const { replies, ack } of works) {
        if (ack !== undefined) this.core.appended(ack);
        for (const reply of replies) {
          if (reply.to === this.core.id) this.core.step(reply);
          else this.#options.transport.send(reply);
        }
      }
      this.#pump();
    });
  }

  #onTrace(event: TraceEvent): void {
    if (event.type !== 'roleChanged') return;
    const { role, term, leaderId } = event;
    if (role !== 'leader')
      this.#rejectAll(new SeqError('UNAVAILABLE', 'this StoreSvr lost its leadership before the outcome was known', { definite: false }));
    this.#options.observe({ type: 'roleChanged', role, term, leaderId });
  }

  /** What was proposed has an unknown fate; what was only queued or read certainly did nothing. */
  #rejectAll(error: SeqError): void {
    for (const { reject } of this.#waiters.values()) reject(error);
    this.#waiters.clear();
    const reads = [...this.#newReads, ...[...this.#askedReads.values()].flat(), ...this.#confirmedReads.flatMap((confirmed) => confirmed.reads)];
    const notRead = new SeqError('NOT_LEADER', 'this StoreSvr lost its leadership before it was confirmed');
    for (const { reject } of reads) reject(notRead);
    this.#newReads = [];
    this.#askedReads.clear();
    this.#confirmedReads = [];
    this.#readCount = 0;
    if (!this.#isStopped) return;
    for (const { reject } of this.#proposals) reject(new SeqError('CLOSED', 'this node is stopping'));
    this.#proposals = [];
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
    this.#writer.halt();
    this.#options.onFatal(error);
  }
}
