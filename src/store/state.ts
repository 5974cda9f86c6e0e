import { assert } from '../base/assert.js';
import { optional } from '../base/errors.js';
import { type Geometry, sectionCountOf } from '../model/geometry.js';
import { type AllocId, type Epoch, type Incarnation, NO_SEQ, type SectionId, type Seq, toEpoch, toSectionId } from '../model/ids.js';
import type { LeaseTerms } from '../model/lease.js';
import type { Policy } from '../model/policy.js';
import type { RoutingTable, SectionRun, StoreEndpoint } from '../model/routing.js';
import type { SetMap } from '../model/sets.js';
import { NO_VERSION, type Version } from '../model/version.js';
import { collectRuns, type Handoff, type IncomingRun, isSameHandoff, type WindowRun } from '../model/window.js';
import type { Caller, Member } from './command.js';

/** Neighbouring sections that are stored in one record: a raise writes one block, a failover few. */
export const SECTIONS_PER_BLOCK = 64;

/** What is fixed at bootstrap, and the version of everything that clients see. */
export interface Cluster {
  readonly clusterId: string;
  readonly geometry: Geometry;
  readonly lease: LeaseTerms;
  /** How often the lease was changed. */
  readonly leaseNumber: number;
  /** How long the arbiter waits, in ms. Never less than the lease needs; more for a while after it was lowered. */
  readonly waitMs: number;
  readonly policy: Policy;
  readonly sets: SetMap;
  /** Decisions ever made. */
  readonly auditCount: number;
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
  /** What the epoch that ended last left behind: for the next epoch only, and gone after it. */
  readonly handoff: Handoff | undefined;
}

export interface Alloc {
  readonly id: AllocId;
  /** Its newest run; all former ones are superseded. */
  readonly incarnation: Incarnation;
  readonly address: string;
  readonly zone: string;
  /** Superseded runs, newest first; only the last few. */
  readonly former: readonly Incarnation[];
  /** Of the newest run. draining: it gets no further sections; gone: it is dead, or was taken out. */
  readonly state: 'joined' | 'draining' | 'gone';
  /** Runs that their own parent saw end, newest first; only the last few. */
  readonly dead: readonly Incarnation[];
}

/** One decision, for people. */
export interface AuditEntry {
  /** Counts all decisions from 1. */
  readonly number: number;
  /** By the wall clock of who proposed it, in ms since 1970. */
  readonly atMs: number;
  readonly term: number;
  readonly kind: string;
  readonly reason: string;
  /** Sections that it changed. */
  readonly sectionCount: number;
  readonly version: Version;
}

/** Decisions that are remembered: each is kept in the place of its number. */
export const AUDIT_MAX = 500;

/** A member as the group knows it; which of them vote is Raft's own to say. */
export interface MemberEntry extends Member {
  /** A learner that the leader makes a voter once it has caught up. */
  readonly wantsVote: boolean;
  /** The member that leaves when this one becomes a voter. */
  readonly replacesId: number | undefined;
  /** A voter until the joint configuration is left. */
  readonly isLeaving: boolean;
}

/** Whose data directory never counts again. */
export interface RemovedMember {
  readonly id: number;
  readonly nodeUuid: string;
}

/** Former members that are remembered, to tell them; whoever is older gets no answer instead of that one. */
const REMOVED_MAX = 1_000;

const UNTOUCHED: Section = { owner: undefined, epoch: toEpoch(0), base: NO_SEQ, maxSeq: NO_SEQ, next: undefined, handoff: undefined };

/**
 * The replicated state of a set, in memory. Changed only by apply (state-machine.ts), in log order; everything that
 * it touched is noted, so that the disk gets the same.
 */
export class StoreState {
  #cluster: Cluster | undefined;
  readonly #allocs = new Map<AllocId, Alloc>();
  readonly #members = new Map<number, MemberEntry>();
  #removed: readonly RemovedMember[] = [];
  #sections: Section[] = [];
  readonly #audit = new Map<number, AuditEntry>();
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

  get members(): readonly MemberEntry[] {
    return [...this.#members.values()].sort((one, other) => one.id - other.id);
  }

  alloc(id: AllocId): Alloc | undefined {
    return this.#allocs.get(id);
  }

  member(id: number): MemberEntry | undefined {
    return this.#members.get(id);
  }

  /** Former members, oldest first. */
  get removed(): readonly RemovedMember[] {
    return this.#removed;
  }

  /** Neither the id nor the data directory of a former member is ever one again. */
  wasMember({ id, nodeUuid }: RemovedMember): boolean {
    return this.#removed.some((removed) => removed.id === id || removed.nodeUuid === nodeUuid);
  }

  /** It may be given sections: the newest run of its AllocSvr, and not about to stop. */
  mayOwn(caller: Caller): boolean {
    return this.isCurrent(caller) && this.#allocs.get(caller.allocId)?.state === 'joined';
  }

  /** This run is the newest of its AllocSvr, and not gone. */
  isCurrent({ allocId, incarnation }: Caller): boolean {
    const alloc = this.#allocs.get(allocId);
    return alloc?.incarnation === incarnation && alloc.state !== 'gone';
  }

  /** Decisions that are remembered, oldest first. */
  get audit(): readonly AuditEntry[] {
    return [...this.#audit.values()].sort((one, other) => one.number - other.number);
  }

  auditIn(place: number): AuditEntry | undefined {
    return this.#audit.get(place);
  }

  setAudit(entry: AuditEntry): void {
    const place = entry.number % AUDIT_MAX;
    this.#audit.set(place, entry);
    this.#touched.add(auditKey(place));
  }

  setCluster(cluster: Cluster): void {
    if (this.#cluster === undefined) this.#sections = Array.from({ length: sectionCountOf(cluster.geometry) }, () => UNTOUCHED);
    this.#cluster = cluster;
    this.#table = undefined;
    this.#touched.add('cluster');
  }

  setAlloc(alloc: Alloc): void {
    this.#allocs.set(alloc.id, alloc);
    this.#touched.add(`alloc/${alloc.id}`);
  }

  removeAlloc(id: AllocId): void {
    this.#allocs.delete(id);
    this.#touched.add(`alloc/${id}`);
  }

  setMember(member: MemberEntry): void {
    this.#members.set(member.id, member);
    this.#table = undefined;
    this.#touched.add(`member/${member.id}`);
  }

  removeMember(id: number): void {
    const member = this.#members.get(id);
    assert(member !== undefined, 'only a member is removed');
    this.#members.delete(id);
    this.#table = undefined;
    this.#touched.add(`member/${id}`);
    this.setRemoved([...this.#removed, { id, nodeUuid: member.nodeUuid }]);
  }

  setRemoved(removed: readonly RemovedMember[]): void {
    this.#removed = removed.slice(-REMOVED_MAX);
    this.#touched.add('removed');
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

  /** Every key that the state has, in a fixed order. */
  keys(): readonly string[] {
    if (this.#cluster === undefined) return [];
    const blockCount = Math.ceil(this.#sections.length / SECTIONS_PER_BLOCK);
    // Who never had an owner is as a new state has it.
    const blocks = Array.from({ length: blockCount }, (_, number) => number).filter((number) => this.block(number).some(({ epoch }) => epoch > 0));
    const removed = this.#removed.length === 0 ? [] : ['removed'];
    return [
      'cluster',
      ...this.allocs.map(({ id }) => `alloc/${id}`),
      ...this.members.map(({ id }) => `member/${id}`),
      ...removed,
      ...[...this.#audit.keys()].sort((one, other) => one - other).map(auditKey),
      ...blocks.map(blockKey),
    ];
  }

  /** What clients see; made anew only when the version changed. Undefined before the bootstrap. */
  table(): RoutingTable | undefined {
    if (this.#cluster === undefined) return undefined;
    this.#table ??= this.#makeTable(this.#cluster);
    return this.#table;
  }

  /** What one incarnation may serve, in section order. */
  windowsOf({ allocId, incarnation }: Caller): readonly WindowRun[] {
    const isOwn = ({ owner }: Section): boolean => owner?.incarnation === incarnation && owner.allocId === allocId;
    return this.#collect(
      (one, other) => (isOwn(one) ? isOwn(other) && isAlikeWindow(one, other) : !isOwn(other)),
      (section, first, sectionCount): readonly WindowRun[] => {
        return isOwn(section) ? [this.#windowOf(section, first, sectionCount)] : [];
      },
    ).flat();
  }

  #windowOf({ epoch, base, maxSeq, next, handoff }: Section, first: number, sectionCount: number): WindowRun {
    const fromAddress = handoff && this.#allocs.get(handoff.from)?.address;
    return {
      firstSection: toSectionId(first),
      sectionCount,
      epoch,
      base,
      maxSeq,
      leaving: next !== undefined,
      ...optional('next', next?.allocId),
      ...optional('handoff', handoff && { ...handoff, ...optional('fromAddress', fromAddress) }),
    };
  }

  /** Sections that planned moves are to bring to one incarnation, in section order. */
  incomingOf({ allocId, incarnation }: Caller): readonly IncomingRun[] {
    const isComing = ({ next }: Section): boolean => next?.incarnation === incarnation && next.allocId === allocId;
    return this.#collect(
      (one, other) =>
        isComing(one) === isComing(other) && (!isComing(one) || (one.epoch === other.epoch && one.owner?.incarnation === other.owner?.incarnation)),
      ({ owner, epoch, next }, first, sectionCount): readonly IncomingRun[] => {
        const from = owner && this.#allocs.get(owner.allocId);
        if (from === undefined || next?.incarnation !== incarnation || next.allocId !== allocId) return [];
        return [{ firstSection: toSectionId(first), sectionCount, epoch, from: from.id, fromAddress: from.address }];
      },
    ).flat();
  }

  /** Runs of neighbours that `isAlike` calls alike; it is not asked about neighbours that share one value. */
  #collect<Run>(isAlike: (one: Section, other: Section) => boolean, make: (section: Section, first: number, count: number) => Run): Run[] {
    const sectionAt = (place: number): Section => this.#sections[place] ?? UNTOUCHED;
    return collectRuns({
      count: this.#sections.length,
      isAlike: (one, other) => sectionAt(one) === sectionAt(other) || isAlike(sectionAt(one), sectionAt(other)),
      make: (first, count) => make(sectionAt(first), first, count),
    });
  }

  /** Who holds what, as runs: newest or superseded, and where planned moves take them. */
  holdings(): readonly {
    readonly firstSection: SectionId;
    readonly sectionCount: number;
    readonly holder: Incarnation | undefined;
    readonly holderId: AllocId | undefined;
    /** The run that a planned move is to bring them to. */
    readonly next: Incarnation | undefined;
    /** Of sections that nobody owns: who has the counters that the next owner may install. */
    readonly heir: AllocId | undefined;
  }[] {
    const heirOf = ({ owner, handoff }: Section): AllocId | undefined => (owner === undefined ? handoff?.from : undefined);
    return this.#collect(
      (one, other) =>
        one.owner?.incarnation === other.owner?.incarnation && one.next?.incarnation === other.next?.incarnation && heirOf(one) === heirOf(other),
      (section, firstSection, sectionCount) => ({
        firstSection: toSectionId(firstSection),
        sectionCount,
        holder: section.owner?.incarnation,
        holderId: section.owner?.allocId,
        next: section.next?.incarnation,
        heir: heirOf(section),
      }),
    );
  }

  #makeTable({ version, geometry }: Cluster): RoutingTable {
    const allocs = this.allocs.filter((alloc) => alloc.state !== 'gone');
    const indexOf = new Map(allocs.map(({ incarnation }, index) => [incarnation, index]));
    // A superseded run, or one that is gone, has no index: nobody serves its sections until its lease is waited out.
    const allocOf = ({ owner }: Section): number | undefined => (owner === undefined ? undefined : indexOf.get(owner.incarnation));
    const runs = this.#collect(
      (one, other) => one.epoch === other.epoch && allocOf(one) === allocOf(other),
      (section, _, sectionCount): SectionRun => ({ sectionCount, alloc: allocOf(section), epoch: section.epoch }),
    );
    return {
      version,
      geometry,
      allocs: allocs.map(({ id, address, zone }) => ({ id, address, zone })),
      stores: this.members.map(({ id, name, address }): StoreEndpoint => ({ id, name, address })),
      runs,
    };
  }
}

function auditKey(place: number): string {
  return `audit/${String(place).padStart(3, '0')}`;
}

function blockKey(number: number): string {
  return `block/${String(number).padStart(6, '0')}`;
}

function isAlikeWindow(one: Section, other: Section): boolean {
  return (
    one.epoch === other.epoch &&
    one.base === other.base &&
    one.maxSeq === other.maxSeq &&
    one.next?.allocId === other.next?.allocId &&
    isSameHandoff(one.handoff, other.handoff)
  );
}

/** The sections of [firstSection, firstSection + sectionCount), as ids; empty when the run leaves the set. */
export function sectionsIn(state: StoreState, run: { readonly firstSection: number; readonly sectionCount: number }): readonly SectionId[] {
  if (run.sectionCount < 1 || run.firstSection + run.sectionCount > state.sections.length) return [];
  return Array.from({ length: run.sectionCount }, (_, offset) => toSectionId(run.firstSection + offset));
}
