import { SeqError } from '../base/errors.js';
import type { Geometry } from '../model/geometry.js';
import type { Epoch, SectionId, Seq } from '../model/ids.js';
import type { LeaseTerms } from '../model/lease.js';
import type { RoutingTable } from '../model/routing.js';
import type { IncomingRun, WindowRun } from '../model/window.js';
import { NO_SETS, type SetMap } from '../model/sets.js';
import {
  digestToWire,
  geometryFromWire,
  incomingFromWire,
  leaseTermsFromWire,
  seqFromWire,
  setMapFromWire,
  tableFromWire,
  windowFromWire,
} from '../rpc/codec.js';
import type * as wire from '../rpc/gen/seqsvr/v1/store.js';
import { errorFromDetail } from '../rpc/status.js';
import type { RaiseItem, ReleasedRun } from './command.js';

/** What the set tells a newcomer. */
export interface Registration {
  readonly clusterId: string;
  readonly geometry: Geometry;
  /** How far one raise lifts maxSeq when nothing is known about the rate; at least 1. */
  readonly raiseBy: bigint;
  readonly lease: LeaseTerms;
}

/** A table and what it means for one incarnation. */
export interface Assignment {
  readonly table: RoutingTable;
  /** The windows of every section that the incarnation owns in this table, in section order. */
  readonly windows: readonly WindowRun[];
  /** Sections that planned moves are to bring to the incarnation, in section order. */
  readonly incoming: readonly IncomingRun[];
  readonly sets: SetMap;
}

export interface Renewal {
  readonly lease: LeaseTerms;
  /** Undefined: the caller's table is as new as the leader's. */
  readonly assignment: Assignment | undefined;
}

export type RaiseOutcome =
  | { readonly type: 'raised' /** As committed: at or above what was asked for. */; readonly maxSeq: Seq }
  | { readonly type: 'refused'; readonly error: SeqError };

/** What a draining AllocSvr is told. */
export interface Draining {
  readonly assignment: Assignment;
  /** AllocSvrs that could take over; 0: whatever the caller has goes to nobody. */
  readonly successorCount: number;
}

/** A section, and the epoch that the caller believes to own it in. */
export interface OwnedSection {
  readonly section: SectionId;
  readonly epoch: Epoch;
}

/** How busy a section is. */
export interface SectionLoad {
  readonly section: SectionId;
  readonly callsPerSecond: number;
}

export interface ReleaseOutcome {
  readonly releasedCount: number;
  readonly refusedCount: number;
}

export function registrationFromWire(response: wire.RegisterResponse): Registration {
  const { clusterId, raiseBy } = response;
  if (raiseBy < 1n) throw new SeqError('PROTOCOL', `raise_by must be at least 1, got ${raiseBy}`);
  return { clusterId, geometry: geometryFromWire(response.geometry), raiseBy: seqFromWire(raiseBy), lease: leaseTermsFromWire(response.lease) };
}

export function renewalFromWire(response: wire.RenewResponse): Renewal {
  const lease = leaseTermsFromWire(response.lease);
  return { lease, assignment: response.assignment === undefined ? undefined : assignmentFromWire(response.assignment) };
}

export function assignmentFromWire(assignment: wire.Assignment | undefined): Assignment {
  if (assignment?.routing === undefined) throw new SeqError('PROTOCOL', 'an assignment without a routing table');
  const table = tableFromWire(assignment.routing);
  return {
    table,
    windows: assignment.windows.map((run) => windowFromWire(run, table.geometry)),
    incoming: assignment.incoming.map((run) => incomingFromWire(run, table.geometry)),
    sets: assignment.sets === undefined ? NO_SETS : setMapFromWire(assignment.sets),
  };
}

export function raisesToWire(raises: readonly RaiseItem[]): wire.Raise[] {
  return raises.map(({ section, epoch, to }) => ({ section, epoch: BigInt(epoch), to }));
}

/** Throws PROTOCOL unless there is one outcome for each of the `askedCount` raises. */
export function outcomesFromWire(response: wire.RaiseResponse, askedCount: number): RaiseOutcome[] {
  const { outcomes } = response;
  if (outcomes.length !== askedCount) throw new SeqError('PROTOCOL', `${askedCount} raises asked, ${outcomes.length} answered`);
  return outcomes.map(({ maxSeq, error }) =>
    error === undefined ? { type: 'raised', maxSeq: seqFromWire(maxSeq) } : { type: 'refused', error: errorFromDetail(error) },
  );
}

export function releasesToWire(releases: readonly ReleasedRun[]): wire.ReleasedRun[] {
  return releases.map(({ firstSection, sectionCount, epoch, trueMax, digest }) => ({
    firstSection,
    sectionCount,
    epoch: BigInt(epoch),
    trueMax,
    digest: digestToWire(digest),
  }));
}
