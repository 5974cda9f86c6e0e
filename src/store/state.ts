import { assert } from '../base/assert.js';
import { type Geometry, sectionCountOf } from '../model/geometry.js';
import { type AllocId, type Epoch, type Incarnation, NO_SEQ, type SectionId, type Seq, toEpoch, toSectionId } from '../model/ids.js';
import type { LeaseTerms } from '../model/lease.js';
import type { RoutingTable, SectionRun, StoreEndpoint } from '../model/routing.js';
import { NO_VERSION, type Version } from '../model/version.js';
import { appendRun, type WindowRun } from '../model/window.js';
import type { Caller, Member } from './command.js';

/** Neighbouring sections that are stored in one record: a raise writes one block, a failover few. */
export const SECTIONS_PER_BLOCK = 64;

/** What is fixed at bootstrap, and the version of everything that clients see. */
export interface Cluster {
  readonly clusterId: string;
  readonly geometry: Geometry;
  readonly lease: LeaseTerms;
  /** Default lift of one raise, and the first window of every grant. At least 1. */
  readonly raiseBy: bigint;
  readonly version: Version;
}

/** A value; sections that were treated alike share one. Invariant: base <= maxSeq. */
export interface Section {
  /** Undefined while nobody owns it. */
  readonly owner: Caller | undefined;
  /** Counts its owners. 0: it never had one. */
  readonly epoch: Epoch;
  readonly base: Seq;
  readonly maxSeq: Seq;
  /** Where a planned move takes it once the owner has released it. */
  readonly next: Caller | undefined;
}

export interface Alloc {
  readonly id: AllocId;
  /** Its newest run; all former ones are superseded. */
  readonly incarnation: Incarnation;
  readonly address: string;
  readonly zone: string;
  /** Superseded runs, newest first; only the last few. */
  readonly former: readonly Incarnation[];
}

const UNTOUCHED: Section = { owner: undefined, epoch: toEpoch(0), base: NO_SEQ, maxSeq: NO_SEQ, next: undefined };

/**
 * The replicated state of a set, in memory. Changed only by apply (state-machine.ts), in log order; everything that
 * it touched is noted, so that the disk gets the same.
 */
export class StoreState {
  #cluster: Cluster | undefined;
  readonly #allocs = new Map<AllocId, Alloc>();
  readonly #members = new Map<number, Member>();
  #sections: Section[] = [];
  readonly #touched = new Set<string>();
  #table: RoutingTable | undefined;

  get cluster(): Cluster | undefined {
    return this.#cluster;
  }

  get version(): Version {
    return this.#cluster?.version ?? NO_VERSION;
  }

  get sections(): readonly Section[] {
    return this.#sections;
  }

  /** In id order, so that every replica sees the same order. */
  get allocs(): readonly Alloc[] {
    return [...this.#allocs.values()].sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  get members(): readonly Member[] {
    return [...this.#members.values()].sort((one, other) => one.id - other.id);
  }

  alloc(id: AllocId): Alloc | undefined {
    return this.#allocs.get(id);
  }

  member(id: number): Member | undefined {
    return this.#members.get(id);
  }

  /** This run is the newest of its AllocSvr. */
  isCurrent({ allocId, incarnation }: Caller): boolean {
    return this.#allocs.get(allocId)?.incarnation === incarnation;
  }

  setCluster(cluster: Cluster): void {
    if (this.#cluster === undefined) this.#sections = new Array<Section>(sectionCountOf(cluster.geometry)).fill(UNTOUCHED);
    this.#cluster = cluster;
    this.#table = undefined;
    this.#touched.add('cluster');
  }

  setAlloc(alloc: Alloc): void {
    this.#allocs.set(alloc.id, alloc);
    this.#touched.add(`alloc/${alloc.id}`);
  }

  setMember(member: Member): void {
    this.#members.set(member.id, member);
    this.#table = undefined;
    this.#touched.add(`member/${member.id}`);
  }

  setSection(section: number, value: Section): void {
    assert(section < this.#sections.length, 'the section is one of the set');
    assert(value.base <= value.maxSeq, 'base <= maxSeq');
    this.#sections[section] = value;
    this.#touched.add(blockKey(Math.floor(section / SECTIONS_PER_BLOCK)));
  }

  /** Sections of one block, for its record. */
  block(number: number): readonly Section[] {
    return this.#sections.slice(number * SECTIONS_PER_BLOCK, (number + 1) * SECTIONS_PER_BLOCK);
  }

  /** Keys that changed since this was last called, in a fixed order. */
  takeTouched(): readonly string[] {
    const keys = [...this.#touched].sort();
    this.#touched.clear();
    return keys;
  }

  /** What clients see; made anew only when the version changed. Undefined before the bootstrap. */
  table(): RoutingTable | undefined {
    if (this.#cluster === undefined) return undefined;
    this.#table ??= this.#makeTable(this.#cluster);
    return this.#table;
  }

  /** What one incarnation may serve, in section order. */
  windowsOf({ allocId, incarnation }: Caller): readonly WindowRun[] {
    const runs: WindowRun[] = [];
    this.#sections.forEach(({ owner, epoch, base, maxSeq, next }, index) => {
      if (owner?.incarnation !== incarnation || owner.allocId !== allocId) return;
      appendRun(runs, { firstSection: toSectionId(index), sectionCount: 1, epoch, base, maxSeq, leaving: next !== undefined }, isAlikeWindow);
    });
    return runs;
  }

  #makeTable({ version, geometry }: Cluster): RoutingTable {
    const allocs = this.allocs;
    const indexOf = new Map(allocs.map(({ incarnation }, index) => [incarnation, index]));
    const runs: (SectionRun & { readonly firstSection: SectionId })[] = [];
    this.#sections.forEach(({ owner, epoch }, index) => {
      // A superseded run has no index: nobody serves its sections until its lease is waited out.
      const alloc = owner === undefined ? undefined : indexOf.get(owner.incarnation);
      appendRun(
        runs,
        { firstSection: toSectionId(index), sectionCount: 1, alloc, epoch },
        (one, other) => one.alloc === other.alloc && one.epoch === other.epoch,
      );
    });
    return {
      version,
      geometry,
      allocs: allocs.map(({ id, address, zone }) => ({ id, address, zone })),
      stores: this.members.map(({ id, name, address }): StoreEndpoint => ({ id, name, address })),
      runs: runs.map(({ sectionCount, alloc, epoch }) => ({ sectionCount, alloc, epoch })),
    };
  }
}

export function blockKey(number: number): string {
  return `block/${String(number).padStart(6, '0')}`;
}

function isAlikeWindow(one: WindowRun, other: WindowRun): boolean {
  return one.epoch === other.epoch && one.base === other.base && one.maxSeq === other.maxSeq && one.leaving === other.leaving;
}

/** The sections of [firstSection, firstSection + sectionCount), as ids; empty when the run leaves the set. */
export function sectionsIn(state: StoreState, run: { readonly firstSection: number; readonly sectionCount: number }): readonly SectionId[] {
  if (run.sectionCount < 1 || run.firstSection + run.sectionCount > state.sections.length) return [];
  return Array.from({ length: run.sectionCount }, (_, offset) => toSectionId(run.firstSection + offset));
}
