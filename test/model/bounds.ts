import { type LeaseTerms, waitMsOf } from '../../src/model/lease.js';

/** What one exploration is about. All counts are upper bounds: everything up to them happens in every order. */
export interface Bounds {
  /** AllocSvrs that have joined at the beginning: 1 or 2. The first one owns every section then. */
  readonly allocs: number;
  readonly sections: number;
  /** Uids of each section. */
  readonly uids: number;
  /** How far the leader's clock may run ahead of an AllocSvr's between any two moments that somebody measures, in ticks. */
  readonly skew: number;
  /** A lease, in ticks. */
  readonly lease: number;
  /** Renewals of one run on their way at the same time. */
  readonly renewals: number;
  /** A renewal is confirmed and answered in two steps; false: in one. */
  readonly isFine: boolean;
  /** A process may stop between the look at its clock and the number that it takes. */
  readonly pauses: boolean;
  /** The last term; the first is 1. */
  readonly terms: number;
  /** No section comes to an epoch above it by an assignment; it starts in epoch 1. */
  readonly epochs: number;
  /** The first window of an epoch, and of a raise. */
  readonly raiseBy: number;
  /** No raise asks for more than that. 0: none is ever asked. */
  readonly seqMax: number;
  /** Planned moves, those that are called off included. */
  readonly moves: number;
  /** Processes that crash. */
  readonly crashes: number;
  /** New runs of an AllocSvr, whose former run may be living still. */
  readonly spawns: number;
  /** AllocSvrs that stop cleanly: all sealed, saved and released. */
  readonly stops: number;
  /** A committed raise or release may be answered or not, and comes again as long as it was not. */
  readonly repeats: boolean;
  /** Changes of the lease by an operator, each to half or to all of `lease`. */
  readonly leaseChanges: number;
}

/** Milliseconds of one tick in the real arithmetic. */
export const TICK_MS = 1_000;

/**
 * Real lease terms whose wait is exactly the lease and `skew` ticks: for while a clock that is slow counts one lease, one that is
 * fast counts lease x (1 + d) / (1 - d), which is lease + skew ticks for this d. Where the lease changes the margin is the skew, so
 * that it is the same for each lease.
 */
export function leaseTermsOf({ lease, skew, leaseChanges }: Pick<Bounds, 'lease' | 'skew' | 'leaseChanges'>): LeaseTerms {
  if (leaseChanges > 0) return { leaseMs: lease * TICK_MS, driftPpm: 0, marginMs: skew * TICK_MS };
  return { leaseMs: lease * TICK_MS, driftPpm: Math.floor((1e6 * skew) / (2 * lease + skew)), marginMs: 0 };
}

/** The arbiter's wait in ticks, by the real arithmetic. */
export function waitTicksOf(terms: LeaseTerms): number {
  return Math.ceil(waitMsOf(terms) / TICK_MS);
}

/** The smallest that show something: one section, one tick of skew, no fault but delay and loss. */
export const SMALL: Bounds = {
  allocs: 2,
  sections: 1,
  uids: 1,
  skew: 1,
  lease: 1,
  renewals: 1,
  isFine: false,
  pauses: false,
  terms: 1,
  epochs: 3,
  raiseBy: 1,
  seqMax: 0,
  moves: 0,
  crashes: 0,
  spawns: 0,
  stops: 0,
  repeats: false,
  leaseChanges: 0,
};

/** Skew and lease of the issue: 3 ticks, with a lease of 2. */
const WIDE: Bounds = { ...SMALL, skew: 3, lease: 2 };

/** What is explored by `npm run model`: each is small where another is large, for all of it together has no end. */
export const SCOPES = {
  /** Takeovers of two sections that share leases and versions. */
  takeovers: { ...WIDE, sections: 2, terms: 2, epochs: 2, crashes: 1 },
  /** Of two sections one moves by plan, while the other, or the same, is taken over. */
  moves: { ...WIDE, sections: 2, epochs: 2, moves: 1 },
  /** Every stage of a renewal, three leaders, and processes that stop between the look at the clock and the number. */
  leases: { ...WIDE, isFine: true, pauses: true, terms: 3, epochs: 2 },
  /** Counters that change hands, two uids with different ones, while processes crash. */
  handoffs: { ...SMALL, uids: 2, raiseBy: 2, moves: 1, crashes: 1 },
  /** A -> B -> A. */
  returns: { ...SMALL, moves: 2, epochs: 4 },
  /** Raises and releases that are late, lost and repeated. */
  raises: { ...SMALL, seqMax: 3, repeats: true, moves: 1, epochs: 2 },
  /** New runs beside their former ones, deaths that are reported. */
  runs: { ...SMALL, spawns: 1, crashes: 1, epochs: 2 },
  /** Clean stops: counters in a file, and a new run that has it. */
  stops: { ...SMALL, spawns: 1, stops: 1, epochs: 2 },
  /** Leases that are lowered, raised and lowered again. */
  settings: { ...WIDE, leaseChanges: 2, epochs: 2 },
} satisfies Readonly<Record<string, Bounds>>;

/** All faults at once, at the bounds of the issue: by name only, for nobody has waited for its end. */
export const WHOLE: Bounds = { ...WIDE, sections: 2, terms: 2, epochs: 2, moves: 1, crashes: 1 };
