import type { AllocId, Incarnation, SectionId } from '../model/ids.js';
import type { LeaseTerms } from '../model/lease.js';
import type { Version } from '../model/version.js';

/** An AllocSvr that is registered, and its newest run. */
export interface Candidate {
  readonly id: AllocId;
  readonly incarnation: Incarnation;
  readonly zone: string;
}

/** Neighbouring sections that one run holds. */
export interface Holding {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
  /** The run that holds them, newest or superseded; undefined: nobody does. */
  readonly holder: Incarnation | undefined;
  /** A planned move is under way. */
  readonly isMoving: boolean;
}

/** The committed state as the planner sees it, under one leader. */
export interface ClusterView {
  /** The leader's term: a decision made on this view counts only in it. */
  readonly term: number;
  readonly version: Version;
  readonly lease: LeaseTerms;
  /** In id order. */
  readonly allocs: readonly Candidate[];
  /** In section order, covering the set. */
  readonly holdings: readonly Holding[];
}

/** Sections for one run of an AllocSvr. */
export interface Move {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
  readonly to: Candidate;
}
