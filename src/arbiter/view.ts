import type { AllocId, Incarnation, SectionId } from '../model/ids.js';
import type { LeaseTerms } from '../model/lease.js';
import type { Policy } from '../model/policy.js';
import type { Version } from '../model/version.js';

/** An AllocSvr that is registered, and its newest run. */
export interface Candidate {
  readonly id: AllocId;
  readonly incarnation: Incarnation;
  readonly zone: string;
}

/** Neighbouring sections. */
export interface SectionSpan {
  readonly firstSection: SectionId;
  /** At least 1. */
  readonly sectionCount: number;
}

/** Neighbouring sections that one run holds. */
export interface Holding extends SectionSpan {
  /** The run that holds them, newest or superseded; undefined: nobody does. */
  readonly holder: Incarnation | undefined;
  /** The AllocSvr of that run. */
  readonly holderId: AllocId | undefined;
  /** The run that a planned move is to bring them to; undefined: none is under way. */
  readonly next: Incarnation | undefined;
  /** While nobody holds them: who has the counters that the next owner may install. */
  readonly heir: AllocId | undefined;
}

/** The committed state as the planner sees it, under one leader. */
export interface ClusterView {
  /** The leader's term: a decision made on this view counts only in it. */
  readonly term: number;
  readonly version: Version;
  readonly lease: LeaseTerms;
  /** Which lease it is: grows with each change. */
  readonly leaseNumber: number;
  /** How long to wait for a lease to be surely over, in ms. */
  readonly waitMs: number;
  readonly policy: Policy;
  /** AllocSvrs that may be given sections, in id order. */
  readonly allocs: readonly Candidate[];
  /** AllocSvrs that are about to stop, in id order. */
  readonly draining: readonly Candidate[];
  /** Runs that were seen to end: nothing of them is waited for. */
  readonly dead: ReadonlySet<Incarnation>;
  /** In section order, covering the set. */
  readonly holdings: readonly Holding[];
}

/** Sections for one run of an AllocSvr. */
export interface Move extends SectionSpan {
  readonly to: Candidate;
}

/** Sections that are to change their owner together, for one reason. */
export interface Plan {
  /** In section order, each section at most once. */
  readonly moves: readonly Move[];
  /** For people: it begins with one of a few fixed words (reasons.ts). Empty when there are no moves. */
  readonly reason: string;
}

export const NO_PLAN: Plan = { moves: [], reason: '' };

/** How busy sections are, in calls a second; one that is not in it is idle. */
export type LoadMap = ReadonlyMap<SectionId, number>;

/** Sections in all of them. */
export function sectionsIn(spans: readonly SectionSpan[]): number {
  return spans.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
}
