import type { SectionId } from '../../src/model/ids.js';
import { isNewer, type Version } from '../../src/model/version.js';
import { checkInvariants, type RaftView, viewOf } from '../../src/raft/invariants.js';
import type { StoreNode } from '../../src/store/node.js';
import type { AllocHost } from './alloc-host.js';
import type { SimProcess } from './process.js';
import type { StoreHost } from './store-host.js';

/** AllocSvrs are looked at after so many events; each answer of theirs is checked by itself. */
const ALLOCS_EVERY_EVENTS = 25;

/** The invariants of DESIGN 1 that can be seen from outside, by number; 0 and 1 are checked where calls return. */
export type ViolationKind =
  | 'uniqueness'
  | 'order'
  | 'current'
  | 'ceiling'
  | 'twoOwners'
  | 'wentBack'
  | 'raft'
  | 'stateHash'
  | 'lost'
  | 'stuck'
  | 'bug';

export interface Violation {
  readonly kind: ViolationKind;
  readonly why: string;
  readonly atMs: number;
}

interface Seen {
  readonly process: SimProcess;
  readonly view: RaftView;
}

interface Committed {
  readonly epoch: number;
  readonly maxSeq: bigint;
  /** The highest maxSeq of the epoch: a release lowers it. */
  readonly highest: bigint;
}

/** Everything that was ever committed anywhere, and what every node shows now: asked after each event. */
export class Oracles {
  readonly #stores: () => readonly StoreHost[];
  readonly #allocs: () => readonly AllocHost[];
  readonly #report: (kind: ViolationKind, why: string) => void;
  readonly #holdsLeases: boolean;
  readonly #seen = new Map<string, Seen>();
  /** Term of each committed entry, by index. */
  readonly #terms = new Map<number, number>();
  readonly #leaders = new Map<number, number>();
  readonly #hashes = new Map<number, string>();
  /** As of the highest index that anybody has applied. */
  #appliedIndex = 0;
  #version: Version | undefined;
  #sections: readonly Committed[] = [];
  #eventCount = 0;

  constructor(options: {
    readonly stores: () => readonly StoreHost[];
    readonly allocs: () => readonly AllocHost[];
    readonly report: (kind: ViolationKind, why: string) => void;
    /** Clock rates stay within the bound that leases allow for. */
    readonly holdsLeases: boolean;
  }) {
    this.#stores = options.stores;
    this.#allocs = options.allocs;
    this.#report = options.report;
    this.#holdsLeases = options.holdsLeases;
  }

  /** `touched`: where the last event was; only there can anything be new. Undefined: anywhere. */
  check(touched: string | undefined): void {
    for (const host of this.#stores()) {
      if (touched !== undefined && host.name !== touched) continue;
      const { node, process } = host;
      if (node !== undefined && process !== undefined) this.#checkStore(host, node, process);
    }
    if (this.#eventCount++ % ALLOCS_EVERY_EVENTS === 0) this.checkAllocs();
  }

  checkAllocs(): void {
    const holders = new Map<SectionId, string>();
    for (const host of this.#allocs()) {
      const { node } = host;
      if (node === undefined) continue;
      // Not isServingAt(): that would have the node look at its clocks, which it must do by itself.
      const isServing = node.leaseLeftMsAt(host.machine.now()) > 0;
      for (const allocator of node.opened) {
        const { section, epoch, maxSeq, trueMax } = allocator;
        if (trueMax > maxSeq) this.#report('ceiling', `${host.name}: section ${section} handed out ${trueMax}, above its ceiling ${maxSeq}`);
        const committed = this.#sections[section];
        // What was raised last in an epoch that is over may have been committed in one go with its end: that is not seen from here.
        const isAbove = committed === undefined || epoch > committed.epoch || (epoch === committed.epoch && maxSeq > committed.highest);
        if (isAbove)
          this.#report(
            'ceiling',
            `${host.name}: section ${section} has ceiling ${maxSeq} in epoch ${epoch}, committed is ${committed?.highest ?? 'nothing'} in ${committed?.epoch ?? 'none'}`,
          );
        if (!isServing || !allocator.isOpen) continue;
        const other = holders.get(section);
        if (other !== undefined && this.#holdsLeases) this.#report('twoOwners', `section ${section} is served by ${other} and ${host.name}`);
        holders.set(section, host.name);
      }
    }
  }

  #checkStore(host: StoreHost, node: StoreNode, process: SimProcess): void {
    const { raft } = node;
    const { log } = raft;
    const before = this.#seen.get(host.name);
    const last = before?.process === process ? before.view : undefined;
    const isSame =
      last !== undefined &&
      last.term === raft.term &&
      last.commitIndex === log.commitIndex &&
      last.appliedIndex === log.appliedIndex &&
      last.leaderId === raft.leaderId &&
      last.votedFor === raft.votedFor;
    if (raft.role === 'leader') this.#checkLeader(host, raft.term, raft.id);
    if (isSame) return;
    const view = viewOf(raft);
    this.#seen.set(host.name, { process, view });
    try {
      checkInvariants(view, last);
    } catch (error) {
      this.#report('raft', `${host.name}: ${String(error)}`);
    }
    this.#checkCommitted(host, node, last?.commitIndex ?? 0);
    if (view.appliedIndex !== last?.appliedIndex) this.#checkApplied(host, node);
  }

  #checkLeader(host: StoreHost, term: number, id: number): void {
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== id) this.#report('raft', `${host.name} leads term ${term}, which node ${other} led`);
    this.#leaders.set(term, id);
  }

  /** Leader completeness and log matching, by what they promise: a committed entry stays, everywhere, for ever. */
  #checkCommitted(host: StoreHost, { raft }: StoreNode, from: number): void {
    const { log } = raft;
    for (let index = Math.max(from, log.firstIndex - 1) + 1; index <= log.commitIndex; index++) {
      const term = log.termAt(index);
      if (term === undefined) continue;
      const known = this.#terms.get(index);
      if (known === undefined) this.#terms.set(index, term);
      else if (known !== term) this.#report('lost', `${host.name}: committed entry ${index} is of term ${term}, it was of term ${known}`);
    }
  }

  #checkApplied(host: StoreHost, node: StoreNode): void {
    const { appliedIndex } = node.raft.log;
    const known = this.#hashes.get(appliedIndex);
    const { stateHash } = node;
    if (known === undefined) this.#hashes.set(appliedIndex, stateHash);
    else if (known !== stateHash) this.#report('stateHash', `${host.name}: another state after entry ${appliedIndex}: ${stateHash}, it was ${known}`);
    if (appliedIndex <= this.#appliedIndex) return;
    this.#appliedIndex = appliedIndex;
    this.#checkProgress(host, node);
  }

  #checkProgress(host: StoreHost, { state }: StoreNode): void {
    if (this.#version !== undefined && isNewer(this.#version, state.version))
      this.#report('wentBack', `${host.name}: the routing version is ${state.version.value}, it was ${this.#version.value}`);
    this.#version = state.version;
    this.#sections = state.sections.map(({ epoch, base, maxSeq }, section) => {
      const before = this.#sections[section];
      if (before !== undefined && epoch < before.epoch) this.#report('wentBack', `section ${section}: epoch ${epoch} after ${before.epoch}`);
      if (before !== undefined && epoch === before.epoch && maxSeq < before.maxSeq && state.sections[section]?.owner !== undefined)
        this.#report('wentBack', `section ${section}, epoch ${epoch}: max_seq ${maxSeq} after ${before.maxSeq}`);
      if (base > maxSeq) this.#report('wentBack', `section ${section}: base ${base} above max_seq ${maxSeq}`);
      const highest = before !== undefined && before.epoch === epoch && before.highest > maxSeq ? before.highest : maxSeq;
      return { epoch, maxSeq, highest };
    });
  }
}
