import type { Geometry } from '../model/geometry.js';
import type { AllocId, Epoch, Incarnation, SectionId, Seq } from '../model/ids.js';
import type { LeaseTerms } from '../model/lease.js';
import type { Policy } from '../model/policy.js';
import type { SetMap } from '../model/sets.js';
import type { Version } from '../model/version.js';

/** Who asks: an AllocSvr, and which run of it. */
export interface Caller {
  readonly allocId: AllocId;
  readonly incarnation: Incarnation;
}

export interface AssignedRun extends Caller {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
}

/** One section's raise. */
export interface RaiseItem {
  readonly section: SectionId;
  readonly epoch: Epoch;
  /** The wanted maxSeq; what is already there or above stays. */
  readonly to: Seq;
}

/** Neighbouring sections of one epoch with one true maximum. */
export interface ReleasedRun {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
  readonly epoch: Epoch;
  /** base <= trueMax <= maxSeq. */
  readonly trueMax: Seq;
  /** SHA-256 of the counters, 64 hex digits, of one section alone; absent: there is nothing to hand over. */
  readonly digest?: string;
}

export interface Member {
  readonly id: number;
  readonly name: string;
  readonly nodeUuid: string;
  readonly peerAddress: string;
  readonly address: string;
}

/** For the audit trail. */
export interface Motive {
  /** Who wants it and why, for whoever reads the history. */
  readonly reason: string;
  /** By the wall clock of who proposed it, in ms since 1970; nothing is decided by it. */
  readonly atMs: number;
}

/** Guards of everything that the arbiter decides: refused unless both still hold when the entry is applied. */
interface Decision extends Motive {
  /** The term of the leader that decided; it must be the term of the entry. */
  readonly arbiterTerm: number;
  readonly basedOn: Version;
  readonly runs: readonly AssignedRun[];
}

/** What the Raft log carries (DESIGN 3.1). */
export type Command =
  | {
      readonly type: 'init';
      readonly clusterId: string;
      readonly generation: number;
      readonly geometry: Geometry;
      readonly lease: LeaseTerms;
      readonly raiseBy: bigint;
      /** Every member, each with the data directory that speaks for it from now on. */
      readonly members: readonly Member[];
    }
  | ({ readonly type: 'member' } & Member)
  | ({ readonly type: 'register'; readonly address: string; readonly zone: string } & Caller)
  | ({ readonly type: 'assign' } & Decision)
  | ({ readonly type: 'raise'; readonly raises: readonly RaiseItem[] } & Caller)
  | ({ readonly type: 'planMove' } & Decision)
  | ({ readonly type: 'release'; readonly generation: number; readonly releases: readonly ReleasedRun[] } & Caller)
  | ({ readonly type: 'drain' } & Caller & Motive)
  /** The newest run of a draining AllocSvr may be given sections again. */
  | ({ readonly type: 'resume'; readonly allocId: AllocId } & Motive)
  /** Its own parent saw this run end: nothing of it has to be waited for. */
  | ({ readonly type: 'reportDeath' } & Caller & Motive)
  /** Out of the set until it registers anew; its lease is waited out. */
  | ({ readonly type: 'removeAlloc'; readonly allocId: AllocId } & Motive)
  | ({ readonly type: 'setPolicy'; readonly policy: Policy } & Motive)
  | ({ readonly type: 'setLease'; readonly lease: LeaseTerms } & Motive)
  /** A leader has waited one former wait since lease `leaseNumber` was set, under `arbiterTerm`: the wait may follow the lease. */
  | { readonly type: 'settleWait'; readonly arbiterTerm: number; readonly leaseNumber: number }
  /** Compare-and-set, in the home set; `isCopy`: what the home set decided, and any newer version is taken. */
  | ({ readonly type: 'setSets'; readonly basedOn: number; readonly sets: SetMap; readonly isCopy: boolean } & Motive);
