import { SeqError } from '../../../src/base/errors.js';
import type { StorePort } from '../../../src/alloc/store-port.js';
import { type Geometry, sectionCountOf } from '../../../src/model/geometry.js';
import type { AllocId, Epoch, SectionId, Seq } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';
import type { WindowRun } from '../../../src/model/window.js';
import { NO_SETS } from '../../../src/model/sets.js';
import type {
  Assignment,
  Caller,
  Draining,
  OwnedSection,
  RaiseItem,
  RaiseOutcome,
  ReleasedRun,
  Renewal,
  SectionLoad,
  WatchHandlers,
} from '../../../src/store/client.js';

export type Kind = 'register' | 'renew' | 'raise' | 'release' | 'drain' | 'load' | 'confirm';

interface Section {
  owner: string | undefined;
  epoch: number;
  base: bigint;
  maxSeq: bigint;
  isLeaving: boolean;
}

/**
 * A StoreSvr in memory that keeps the rules of DESIGN 3.1 for AllocSvr 'a', and whose replies a test can fail, or hold
 * on the way back: a held reply was decided when the request came in.
 */
export class FakeStore implements StorePort {
  readonly geometry: Geometry = { firstUid: 0n, lastUid: 3999n, uidsPerSection: 1000 };
  readonly sections: Section[] = Array.from({ length: 4 }, () => ({ owner: undefined, epoch: 0, base: 0n, maxSeq: 0n, isLeaving: false }));
  raiseBy = 100n;
  leaseMs = 3000;
  generation = 1000;
  version = 1;
  /** Fails the next requests of a kind, before they are carried out. */
  readonly failures = new Map<Kind, SeqError>();
  /** Kinds that are carried out while their replies are lost. */
  readonly lost = new Set<Kind>();
  /** Kinds whose replies are held until deliver(). */
  readonly held = new Set<Kind>();
  readonly raises: RaiseItem[][] = [];
  readonly releases: ReleasedRun[][] = [];
  readonly confirms: OwnedSection[][] = [];
  /** As the last renewal said. */
  loads: readonly SectionLoad[] = [];
  readonly counts: Record<Kind, number> = { register: 0, renew: 0, raise: 0, release: 0, drain: 0, load: 0, confirm: 0 };
  #replies: { readonly kind: Kind; deliver(): void }[] = [];
  #watcher: WatchHandlers | undefined;

  /** Gives sections to `owner`, as an assign entry does. */
  assign(owner: string | undefined, ...sections: number[]): void {
    for (const section of sections) {
      const { epoch, maxSeq } = this.sections[section]!;
      const grown = maxSeq + this.raiseBy;
      const top = 2n ** 63n - 1n;
      this.sections[section] = { owner, epoch: epoch + 1, base: maxSeq, maxSeq: grown > top ? top : grown, isLeaving: false };
    }
    this.version += 1;
  }

  planMove(section: number): void {
    this.sections[section]!.isLeaving = true;
    this.version += 1;
  }

  push(assignment = this.assignment()): void {
    this.#watcher?.onAssignment(assignment);
  }

  /** Lets the oldest held reply of a kind through, or all of them. */
  deliver(kind: Kind, count = Number.POSITIVE_INFINITY): void {
    const due = this.#replies.filter((reply) => reply.kind === kind).slice(0, count);
    this.#replies = this.#replies.filter((reply) => !due.includes(reply));
    for (const reply of due) reply.deliver();
  }

  assignment(): Assignment {
    const ids = ['a', 'b'];
    const table: RoutingTable = {
      version: { generation: this.generation, value: this.version },
      geometry: this.geometry,
      allocs: ids.map((id) => ({ id: id as AllocId, address: `${id}:1`, zone: '' })),
      stores: [],
      runs: this.sections.map(({ owner, epoch }) => ({
        sectionCount: 1,
        alloc: owner === undefined ? undefined : ids.indexOf(owner),
        epoch: epoch as Epoch,
      })),
    };
    const windows: WindowRun[] = [];
    for (const [index, { owner, epoch, base, maxSeq, isLeaving }] of this.sections.entries()) {
      if (owner !== 'a') continue;
      windows.push({
        firstSection: index as SectionId,
        sectionCount: 1,
        epoch: epoch as Epoch,
        base: base as Seq,
        maxSeq: maxSeq as Seq,
        leaving: isLeaving,
        ...(isLeaving ? { next: 'b' as AllocId } : {}),
      });
    }
    return { table, windows, incoming: [], sets: NO_SETS };
  }

  register() {
    return this.#answer('register', () => ({ clusterId: 'c', geometry: this.geometry, raiseBy: this.raiseBy, lease: this.#lease() }));
  }

  renewOnce({ routingVersion, loads = [] }: Parameters<StorePort['renewOnce']>[0]): Promise<Renewal> {
    this.loads = loads;
    return this.#answer('renew', () => ({
      lease: this.#lease(),
      assignment: routingVersion?.generation === this.generation && routingVersion.value >= this.version ? undefined : this.assignment(),
    }));
  }

  raise({ raises }: Caller & { readonly raises: readonly RaiseItem[] }): Promise<RaiseOutcome[]> {
    this.raises.push([...raises]);
    return this.#answer('raise', () => raises.map((ask) => this.#raiseOne(ask)));
  }

  /** Takes note, as DESIGN's drain does: `isDraining` sections are not handed out by a test after it. */
  drain(): Promise<Draining> {
    return this.#answer('drain', () => ({ assignment: this.assignment(), successorCount: 0 }));
  }

  release({ releases }: { readonly releases: readonly ReleasedRun[] }) {
    this.releases.push([...releases]);
    return this.#answer('release', () => {
      let [releasedCount, refusedCount] = [0, 0];
      for (const { firstSection, sectionCount, epoch, trueMax } of releases) {
        for (let section: number = firstSection; section < firstSection + sectionCount; section++) {
          const state = this.sections[section]!;
          const isFit = state.owner === 'a' && state.epoch === epoch && state.base <= trueMax && trueMax <= state.maxSeq;
          // A planned successor gets it in the same entry.
          const after = state.isLeaving
            ? { owner: 'b', epoch: epoch + 1, maxSeq: trueMax + this.raiseBy }
            : { owner: undefined, epoch, maxSeq: trueMax };
          if (isFit) this.sections[section] = { ...after, base: trueMax, isLeaving: false };
          if (isFit) releasedCount += 1;
          else refusedCount += 1;
        }
      }
      if (releasedCount > 0) this.version += 1;
      return { releasedCount, refusedCount };
    });
  }

  load() {
    return this.#answer('load', () => this.assignment());
  }

  /** What is asked is answered as of when the question came, however late the answer is delivered. */
  confirm({ sections }: { readonly sections: readonly OwnedSection[] }): Promise<readonly boolean[]> {
    this.confirms.push([...sections]);
    return this.#answer('confirm', () =>
      sections.map(({ section, epoch }) => this.sections[section]!.owner === 'a' && this.sections[section]!.epoch === epoch),
    );
  }

  watch(_ask: unknown, handlers: WatchHandlers): () => void {
    this.#watcher = handlers;
    return () => {
      this.#watcher = undefined;
    };
  }

  get sectionCount(): number {
    return sectionCountOf(this.geometry);
  }

  #raiseOne({ section, epoch, to }: RaiseItem): RaiseOutcome {
    const state = this.sections[section]!;
    if (state.owner !== 'a' || state.epoch !== epoch) return { type: 'refused', error: new SeqError('NOT_OWNER', `section ${section} is not yours`) };
    if (to > state.maxSeq) state.maxSeq = to;
    return { type: 'raised', maxSeq: state.maxSeq as Seq };
  }

  #lease() {
    return { leaseMs: this.leaseMs, driftPpm: 10_000, marginMs: 100 };
  }

  #answer<Reply>(kind: Kind, decide: () => Reply): Promise<Reply> {
    this.counts[kind] += 1;
    const failure = this.failures.get(kind);
    if (failure !== undefined) return Promise.reject(failure);
    const reply = decide();
    if (this.lost.has(kind)) return Promise.reject(UNKNOWN);
    if (!this.held.has(kind)) return Promise.resolve(reply);
    return new Promise((resolve) => this.#replies.push({ kind, deliver: () => resolve(reply) }));
  }
}

export const UNKNOWN = new SeqError('TIMEOUT', 'no answer');
export const SUPERSEDED = new SeqError('NOT_OWNER', 'superseded: incarnation x of a is not its newest');
