import { unreachable } from '../../src/base/assert.js';
import type { Random } from '../../src/base/random.js';
import { type AppendWork, RaftCore, type RaftOptions, type Stepped } from '../../src/raft/core.js';
import { type ConfState, EMPTY_CONF_STATE, type Entry, type HardState, type NodeId, type Snapshot } from '../../src/raft/types.js';
import { readConfChange } from './conf-text.js';
import { MemoryLog } from './memory-log.js';
import { Refusal } from './refusal.js';

/** How a node is made; the same for all nodes that one command adds. */
export interface NodePlan {
  /** Its writes and applies are done by threads of their own, in steps that the data file asks for. */
  readonly isAsync: boolean;
  readonly options: Omit<RaftOptions, 'id' | 'snapshot' | 'random' | 'appliesUnstable' | 'voteRequests'>;
  /** It begins as if this had been installed; with index 0 it begins empty and knows of no member. */
  readonly begin: Snapshot;
}

export const EMPTY_SNAPSHOT: Snapshot = { index: 0, term: 0, confState: EMPTY_CONF_STATE, data: new Uint8Array() };

/** Always the shortest election timeout: then a data file replays, and one that needs another sets it. */
const SHORTEST: Random = { below: () => 0, id128: () => '0'.repeat(32) };

/** One member: the core under test, a disk, and a state machine that appends every payload to its state. */
export class ScriptedNode {
  readonly core: RaftCore;
  readonly log = new MemoryLog();
  readonly isAsync: boolean;
  /** Asynchronous: writes and applies handed out and not yet done, oldest first. */
  readonly appendWork: AppendWork[] = [];
  readonly applyWork: (readonly Entry[])[] = [];
  /** The state after every applied entry; the last one is what a follower gets that is too far behind. */
  readonly #history: [Snapshot, ...Snapshot[]];

  constructor(id: NodeId, { isAsync, options, begin }: NodePlan) {
    this.isAsync = isAsync;
    this.#history = [begin];
    if (begin.index > 0) this.log.install(begin);
    this.core = new RaftCore(
      { ...options, id, random: SHORTEST, appliesUnstable: !isAsync, voteRequests: 'atOnce', snapshot: () => this.snapshotToSend() },
      {
        hardState: { ...this.log.hardState, commitIndex: begin.index },
        log: this.log,
        appliedIndex: begin.index,
        confState: begin.confState,
      },
    );
  }

  get latest(): Snapshot {
    return this.#history.at(-1) ?? this.#history[0];
  }

  snapshotToSend(): Snapshot {
    if (this.latest.index === 0) throw new Error(`node ${this.core.id} has to send a snapshot and has applied nothing`);
    return this.latest;
  }

  persist(work: { readonly hardState: HardState | undefined; readonly snapshot: Snapshot | undefined; readonly entries: readonly Entry[] }): void {
    const { hardState, snapshot, entries } = work;
    if (hardState !== undefined) this.log.hardState = hardState;
    if (snapshot === undefined) return this.log.append(entries);
    if (entries.length > 0) throw new Refusal("can't apply snapshot and entries at the same time");
    this.log.install(snapshot);
  }

  apply(entries: readonly Entry[]): void {
    for (const { index, term, type, data } of entries) {
      const { confState, update } = type === 'normal' ? { confState: this.latest.confState, update: data } : this.#changeMembers(data);
      this.#history.push({ index, term, confState, data: Buffer.concat([this.latest.data, update]) });
    }
  }

  #changeMembers(data: Uint8Array): { confState: ConfState; update: Uint8Array } {
    const { change } = readConfChange(data);
    return { confState: this.core.applyConfChange(change), update: change.context };
  }
}

/** What the language prints of a step; undefined: nothing. */
export function errorOf(stepped: Stepped): string | undefined {
  switch (stepped) {
    case 'stepped':
      return undefined;
    case 'unknownPeer':
      return 'raft: cannot step as peer not found';
    case 'proposalDropped':
      return PROPOSAL_DROPPED;
    default:
      return unreachable(stepped);
  }
}

export const PROPOSAL_DROPPED = 'raft proposal dropped';
