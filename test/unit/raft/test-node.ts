import { assert } from '../../../src/base/assert.js';
import {
  type ConfChange,
  type ConfChangeStep,
  type ConfChangeType,
  decodeConfChange,
  encodeConfChange,
  type Transition,
} from '../../../src/raft/conf-change.js';
import { type AppendWork, type Proposed, RaftCore, type RaftOptions, type Stepped } from '../../../src/raft/core.js';
import { checkInvariants, type RaftView, viewOf } from '../../../src/raft/invariants.js';
import type { Body, Message, MessageOf } from '../../../src/raft/message.js';
import type { ReadState } from '../../../src/raft/read-queue.js';
import {
  type ConfState,
  EMPTY_CONF_STATE,
  type Entry,
  type EntryId,
  type Index,
  type NodeId,
  type Snapshot,
  type Term,
} from '../../../src/raft/types.js';
import { SeededRandom } from '../seeded-random.js';
import { bytesOf, MemoryStorage, type Saved, textOf } from './memory-storage.js';

export interface TestNodeOptions extends Partial<Omit<RaftOptions, 'id'>>, Saved {
  readonly id?: NodeId;
  /** Short for `confState`. Default: [1, 2, 3]. */
  readonly voters?: readonly NodeId[];
  readonly learners?: readonly NodeId[];
  /** Nothing reaches the disk until the test says `persist`. */
  readonly isDiskSlow?: boolean;
}

/** A message to this node, as a test writes it. */
export type Heard = { readonly from: NodeId; readonly term: Term } & Body;

/** What was applied, as a machine that only remembers would hold it. */
interface Remembered {
  readonly entries: readonly Entry[];
  readonly count: number;
}

/**
 * One RaftCore and its disk: carries out each Ready as a driver must (persist, THEN send what promises), and checks the
 * invariants after every step. What a crash loses is exactly what was not persisted. Its state machine remembers every
 * entry; that is what its snapshots hold.
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
  /** What became of the messages that were stepped last. */
  stepped: Stepped | undefined;
  readonly #options: RaftOptions;
  /** The members as of what is applied. */
  appliedConf: ConfState;
  /** What the state machine holds. */
  #applied: EntryId;
  #saved: Remembered = { entries: [], count: 0 };
  #before: RaftView | undefined;

  constructor({
    id = 1,
    isDiskSlow = false,
    terms = [],
    start = { index: 0, term: 0 },
    hardState = {},
    appliedIndex = start.index,
    voters = [1, 2, 3],
    learners = [],
    confState = membersOf({ voters, learners }),
    ...options
  }: TestNodeOptions = {}) {
    this.id = id;
    this.isDiskSlow = isDiskSlow;
    this.disk = MemoryStorage.holding({ terms, start, hardState, appliedIndex, confState });
    this.appliedConf = confState;
    this.#options = {
      electionTicks: 10,
      heartbeatTicks: 1,
      maxAppendBytes: 1 << 20,
      maxInflightMessages: 256,
      maxInflightBytes: 1 << 24,
      maxUncommittedBytes: 1 << 24,
      maxApplyBytes: 1 << 20,
      random: new SeededRandom(id),
      snapshot: () => this.snapshot(),
      ...options,
      id,
    };
    this.core = this.#boot();
    this.#applied = this.#appliedOnDisk();
  }

  /** Takes in a message and carries out what follows from it. */
  hear(message: Heard): void {
    this.step({ ...message, to: this.id });
  }

  step(message: Message): void {
    this.stepped = this.core.step(message);
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
    this.do((core) => core.campaign());
  }

  propose(...commands: readonly string[]): Proposed {
    return this.do((core) => core.propose(commands.map((text) => ({ type: 'normal', data: bytesOf(text) }))));
  }

  /** Proposes a change, written as `changeOf` reads it. */
  change(steps: string, transition?: Transition): Proposed {
    return this.do((core) => core.propose([{ type: 'confChange', data: encodeConfChange(changeOf(steps, transition)) }]));
  }

  readIndex(context: number): boolean {
    return this.do((core) => core.readIndex(context));
  }

  /** Any other call, and what follows from it. */
  do<Result>(call: (core: RaftCore) => Result): Result {
    const result = call(this.core);
    this.#after();
    return result;
  }

  /** Hands out what is ready; what was appended waits for `persist`. */
  collect(): void {
    while (this.core.hasReady) {
      const { messages, append, apply, reads } = this.core.takeReady();
      this.outbox.push(...messages);
      if (append !== undefined) this.works.push(append);
      for (const entry of apply) this.#apply(entry);
      this.core.applied(apply);
      this.reads.push(...reads);
    }
    this.#check();
  }

  /** Writes the oldest `count` works as one, THEN speaks the promises in them. */
  persist(count = this.works.length): void {
    const works = this.works.splice(0, count);
    for (const work of works) this.#write(work);
    if (works.length > 0) this.#saveApplied();
    for (const { ack, replies, snapshot } of works) {
      if (snapshot !== undefined) this.#restore(snapshot);
      if (ack !== undefined) this.core.appended(ack);
      for (const reply of replies) {
        if (reply.to === this.id) this.core.step(reply);
        else this.outbox.push(reply);
        this.#check();
      }
    }
    this.collect();
  }

  /** Forgets the log up to `index`, at most what is applied on disk. */
  compact(index: Index = this.disk.appliedIndex): void {
    this.disk.save({ entries: [], hardState: undefined, applied: undefined, compactTo: Math.min(index, this.disk.appliedIndex) });
  }

  /** Power off and on: what was not persisted is gone, and so is what was not sent. */
  restart(): void {
    this.works = [];
    this.outbox = [];
    this.reads = [];
    this.applied = this.#saved.entries.slice(0, this.#saved.count);
    this.appliedConf = this.disk.confState;
    this.core = this.#boot();
    this.#applied = this.#appliedOnDisk();
  }

  /** The state as of what was applied last. */
  snapshot(): Snapshot | undefined {
    if (this.#applied.index === 0) return undefined;
    return { ...this.#applied, confState: this.core.confState, data: encodeEntries(this.applied) };
  }

  /** What was sent since the last call, of one type when it is named. */
  sent(): readonly Message[];
  sent<Type extends Body['type']>(type: Type): readonly MessageOf<Type>[];
  sent(type?: Body['type']): readonly Message[] {
    const messages = this.outbox;
    this.outbox = [];
    return type === undefined ? messages : messages.filter((message) => message.type === type);
  }

  /** The terms of the log that is there. */
  get terms(): readonly Term[] {
    return this.entries.map(({ term }) => term);
  }

  get entries(): readonly Entry[] {
    return this.core.log.entries(this.core.log.firstIndex, this.core.log.lastIndex, Number.MAX_SAFE_INTEGER);
  }

  /** The commands that were applied, without the no-ops and the changes of members. */
  get appliedTexts(): readonly string[] {
    return this.applied.filter(({ type, data }) => type === 'normal' && data.length > 0).map(textOf);
  }

  /** The members, short: '1 2 3', '1 2&1 2 3' when joint, with '~4' for learners, '>3' for those to be, '*' for auto leave. */
  get members(): string {
    return textOfConf(this.core.confState);
  }

  #apply(entry: Entry): void {
    // Before the members change: a snapshot that is sent in that very step is of this entry.
    this.applied.push(entry);
    this.#applied = { index: entry.index, term: entry.term };
    if (entry.type === 'confChange') {
      const change = decodeConfChange(entry.data);
      assert(change !== undefined, 'a change that was committed can be read');
      this.appliedConf = this.core.applyConfChange(change);
    }
  }

  #write({ entries, hardState, snapshot }: AppendWork): void {
    if (snapshot !== undefined) {
      assert(hardState !== undefined, 'with a snapshot the commit index changes');
      const { index, term, confState, data } = snapshot;
      const state = new Map([['entries', data]]);
      this.disk.replace({ index, term, confState, hardState: { ...hardState, commitIndex: index }, state });
      const remembered = decodeEntries(data);
      this.#saved = { entries: remembered, count: remembered.length };
    }
    if (snapshot === undefined || entries.length > 0) this.disk.save({ entries, hardState, applied: undefined, compactTo: undefined });
  }

  /** Only what is on this disk is applied, so the applied index never points past it. */
  #saveApplied(): void {
    const { appliedIndex } = this.core.log;
    // A snapshot is on disk that the state machine does not show yet.
    if (appliedIndex <= this.disk.appliedIndex) return;
    this.disk.save({
      entries: [],
      hardState: undefined,
      applied: { index: appliedIndex, confState: this.appliedConf, writes: [] },
      compactTo: undefined,
    });
    this.#saved = { entries: this.applied, count: this.applied.length };
  }

  #restore({ index, term, confState, data }: Snapshot): void {
    this.applied = [...decodeEntries(data)];
    this.#applied = { index, term };
    this.appliedConf = confState;
  }

  #appliedOnDisk(): EntryId {
    const index = this.disk.appliedIndex;
    return { index, term: this.disk.termAt(index) ?? 0 };
  }

  #boot(): RaftCore {
    this.#before = undefined;
    const { hardState, appliedIndex, confState } = this.disk;
    return new RaftCore(this.#options, { hardState, log: this.disk, appliedIndex, confState });
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
  const others = votersOf(node).filter((id) => id !== node.id);
  for (const from of others) node.hear({ from, term: node.core.term + 1, type: 'preVoteReply', granted: true });
  for (const from of others) node.hear({ from, term: node.core.term, type: 'voteReply', granted: true });
  if (node.core.role !== 'leader') throw new Error(`node ${node.id} was meant to lead, it is a ${node.core.role}`);
  node.sent();
  node.isDiskSlow = isDiskSlow;
  return node;
}

/** As `leading`, and its no-op is on every disk, so committed and applied. */
export function settled(options: TestNodeOptions = {}): TestNode {
  const leader = leading(options);
  for (const from of leader.core.progress.keys()) if (from !== leader.id) acknowledge(leader, { from });
  leader.sent();
  return leader;
}

/** A candidate of the term after its own, with its own vote only. */
export function candidate(options: TestNodeOptions = {}): TestNode {
  const node = new TestNode(options);
  node.campaign();
  const others = votersOf(node).filter((id) => id !== node.id);
  for (const from of others)
    if (node.core.role === 'preCandidate') node.hear({ from, term: node.core.term + 1, type: 'preVoteReply', granted: true });
  node.sent();
  return node;
}

/** Says to `leader` that `from` has its log up to `index` on disk. */
export function acknowledge(leader: TestNode, { from, index = leader.core.log.lastIndex }: { from: NodeId; index?: number }): void {
  leader.hear({ from, term: leader.core.term, type: 'appendReply', index, rejected: false, hintIndex: 0, hintTerm: 0 });
}

/** 'v4 l5 r3 u2': add voter 4, add learner 5, remove 3, update 2. No steps leave a joint configuration. */
export function changeOf(text: string, transition: Transition = 'auto'): ConfChange {
  return { transition, steps: text.split(' ').filter(Boolean).map(stepOf), context: new Uint8Array() };
}

export function membersOf(lists: Partial<ConfState>): ConfState {
  return Object.fromEntries(
    Object.entries({ ...EMPTY_CONF_STATE, ...lists }).map(([name, list]) => [
      name,
      Array.isArray(list) ? [...list].sort((one, other) => one - other) : list,
    ]),
  ) as unknown as ConfState;
}

export function textOfConf({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): string {
  const joint = votersOutgoing.length === 0 ? '' : `&${votersOutgoing.join(' ')}`;
  return [voters.join(' ') + joint, ...learners.map((id) => `~${id}`), ...learnersNext.map((id) => `>${id}`), ...(autoLeave ? ['*'] : [])].join(' ');
}

/** Who votes in either half. */
function votersOf({ core }: TestNode): readonly NodeId[] {
  return [...new Set(core.voters.flat())].sort((one, other) => one - other);
}

function stepOf(text: string): ConfChangeStep {
  const types: Readonly<Record<string, ConfChangeType>> = { v: 'addVoter', l: 'addLearner', r: 'remove', u: 'update' };
  return { type: types[text[0]!]!, nodeId: Number(text.slice(1)) };
}

type Plain = readonly [index: Index, term: Term, type: Entry['type'], data: readonly number[]];

function encodeEntries(entries: readonly Entry[]): Uint8Array {
  return bytesOf(JSON.stringify(entries.map(({ index, term, type, data }): Plain => [index, term, type, [...data]])));
}

function decodeEntries(data: Uint8Array): readonly Entry[] {
  const entries = JSON.parse(textOf({ data }) || '[]') as readonly Plain[];
  return entries.map(([index, term, type, bytes]) => ({ index, term, type, data: Uint8Array.from(bytes) }));
}

/** A snapshot for a test that does not look into it. */
export function snapshotAt({ index, term }: EntryId, confState: ConfState): Snapshot {
  return { index, term, confState, data: new Uint8Array() };
}
