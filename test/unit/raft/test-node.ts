import { type AppendWork, type Proposed, RaftCore, type RaftOptions, type TraceEvent } from '../../../src/raft/core.js';
import { checkInvariants, type RaftView, viewOf } from '../../../src/raft/invariants.js';
import type { Body, Message, MessageOf } from '../../../src/raft/message.js';
import type { ReadState } from '../../../src/raft/read-queue.js';
import type { Entry, NodeId, Term } from '../../../src/raft/types.js';
import { SeededRandom } from '../seeded-random.js';
import { bytesOf, MemoryStorage, type Saved, textOf } from './memory-storage.js';

export interface TestNodeOptions extends Partial<Omit<RaftOptions, 'id'>>, Saved {
  readonly id?: NodeId;
  /** Nothing reaches the disk until the test says `persist`. */
  readonly isDiskSlow?: boolean;
}

/** A message to this node, as a test writes it. */
export type Heard = { readonly from: NodeId; readonly term: Term } & Body;

/**
 * One RaftCore and its disk: carries out each Ready as a driver must (persist, THEN send what promises), and checks the
 * invariants after every step. What a crash loses is exactly what was not persisted.
 */
export class TestNode {
  readonly id: NodeId;
  readonly disk: MemoryStorage;
  core: RaftCore;
  isDiskSlow: boolean;
  /** Handed out and not yet written. A crash loses them. */
  works: AppendWork[] = [];
  /** Sent and not yet carried. */
  outbox: Message[] = [];
  /** Everything that was applied, no-ops included, since the state on disk. */
  applied: Entry[] = [];
  reads: ReadState[] = [];
  traces: TraceEvent[] = [];
  readonly #options: RaftOptions;
  #before: RaftView | undefined;

  constructor({ id = 1, isDiskSlow = false, terms = [], hardState = {}, appliedIndex = 0, ...options }: TestNodeOptions = {}) {
    this.id = id;
    this.isDiskSlow = isDiskSlow;
    this.disk = MemoryStorage.holding({ terms, hardState, appliedIndex });
    this.#options = {
      voters: [1, 2, 3],
      electionTicks: 10,
      heartbeatTicks: 1,
      maxAppendBytes: 1 << 20,
      maxInflightMessages: 256,
      maxInflightBytes: 1 << 24,
      maxUncommittedBytes: 1 << 24,
      maxApplyBytes: 1 << 20,
      random: new SeededRandom(id),
      trace: (event) => this.traces.push(event),
      ...options,
      id,
    };
    this.core = this.#boot();
  }

  /** Takes in a message and carries out what follows from it. */
  hear(message: Heard): void {
    this.step({ ...message, to: this.id });
  }

  step(message: Message): void {
    this.core.step(message);
    this.#after();
  }

  tick(count = 1): void {
    for (let done = 0; done < count; done += 1) {
      this.core.tick();
      this.#after();
    }
  }

  /** Ticks until the election timeout is over. */
  timeOut(): void {
    this.tick(this.core.electionTimeoutTicks - this.core.electionElapsed);
  }

  campaign(): void {
    this.core.campaign();
    this.#after();
  }

  propose(...commands: readonly string[]): Proposed {
    const proposed = this.core.propose(commands.map(bytesOf));
    this.#after();
    return proposed;
  }

  readIndex(context: number): boolean {
    const isAsked = this.core.readIndex(context);
    this.#after();
    return isAsked;
  }

  /** Hands out what is ready; what was appended waits for `persist`. */
  collect(): void {
    while (this.core.hasReady) {
      const { messages, append, apply, reads } = this.core.takeReady();
      this.outbox.push(...messages);
      if (append !== undefined) this.works.push(append);
      for (const entry of apply) {
        this.applied.push(entry);
        this.core.applied(entry.index);
      }
      this.reads.push(...reads);
    }
    this.#check();
  }

  /** Writes the oldest `count` works as one, THEN speaks the promises in them. */
  persist(count = this.works.length): void {
    const works = this.works.splice(0, count);
    for (const { entries, hardState } of works) this.disk.save({ entries, hardState, applied: undefined });
    // Only what is on this disk is applied, so the applied index never points past it.
    if (works.length > 0) this.disk.save({ entries: [], hardState: undefined, applied: { index: this.core.log.appliedIndex, writes: [] } });
    for (const { ack, replies } of works) {
      if (ack !== undefined) this.core.appended(ack);
      for (const reply of replies) {
        if (reply.to === this.id) this.core.step(reply);
        else this.outbox.push(reply);
        this.#check();
      }
    }
    this.collect();
  }

  /** Power off and on: what was not persisted is gone, and so is what was not sent. */
  restart(): void {
    this.works = [];
    this.outbox = [];
    this.reads = [];
    this.applied = this.applied.filter(({ index }) => index <= this.disk.appliedIndex);
    this.core = this.#boot();
  }

  /** What was sent since the last call, of one type when it is named. */
  sent(): readonly Message[];
  sent<Type extends Body['type']>(type: Type): readonly MessageOf<Type>[];
  sent(type?: Body['type']): readonly Message[] {
    const messages = this.outbox;
    this.outbox = [];
    return type === undefined ? messages : messages.filter((message) => message.type === type);
  }

  /** The terms of the log, from index 1. */
  get terms(): readonly Term[] {
    return this.entries.map(({ term }) => term);
  }

  get entries(): readonly Entry[] {
    return this.core.log.entries(1, this.core.log.lastIndex, Number.MAX_SAFE_INTEGER);
  }

  /** The commands that were applied, without the no-ops. */
  get appliedTexts(): readonly string[] {
    return this.applied.filter(({ data }) => data.length > 0).map(textOf);
  }

  #boot(): RaftCore {
    this.#before = undefined;
    const { hardState, appliedIndex } = this.disk;
    return new RaftCore(this.#options, { hardState, log: this.disk, appliedIndex });
  }

  #after(): void {
    this.#check();
    this.collect();
    while (!this.isDiskSlow && this.works.length > 0) this.persist();
  }

  #check(): void {
    const now = viewOf(this.core);
    checkInvariants(now, this.#before);
    this.#before = now;
  }
}

/** A node that leads its term, alone on stage: the others' votes were given, and what it sent so far is forgotten. */
export function leading(options: TestNodeOptions = {}): TestNode {
  const { isDiskSlow = false, ...rest } = options;
  const node = new TestNode(rest);
  node.campaign();
  const others = node.core.voters.filter((id) => id !== node.id);
  for (const from of others) node.hear({ from, term: node.core.term + 1, type: 'preVoteReply', granted: true });
  for (const from of others) node.hear({ from, term: node.core.term, type: 'voteReply', granted: true });
  if (node.core.role !== 'leader') throw new Error(`node ${node.id} was meant to lead, it is a ${node.core.role}`);
  node.sent();
  node.isDiskSlow = isDiskSlow;
  return node;
}

/** A candidate of the term after its own, with its own vote only. */
export function candidate(options: TestNodeOptions = {}): TestNode {
  const node = new TestNode(options);
  node.campaign();
  const others = node.core.voters.filter((id) => id !== node.id);
  for (const from of others)
    if (node.core.role === 'preCandidate') node.hear({ from, term: node.core.term + 1, type: 'preVoteReply', granted: true });
  node.sent();
  return node;
}

/** Says to `leader` that `from` has its log up to `index` on disk. */
export function acknowledge(leader: TestNode, { from, index = leader.core.log.lastIndex }: { from: NodeId; index?: number }): void {
  leader.hear({ from, term: leader.core.term, type: 'appendReply', index, rejected: false, hintIndex: 0, hintTerm: 0 });
}
