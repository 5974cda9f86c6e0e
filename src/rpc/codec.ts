import { optional, SeqError } from '../base/errors.js';
import { checkGeometry, type Geometry, sectionCountOf, SECTIONS_MAX } from '../model/geometry.js';
import { type Epoch, parseAllocId, parseIncarnation, SEQ_MAX, type SectionId, type Seq, toEpoch, toSectionId } from '../model/ids.js';
import { checkLeaseTerms, type LeaseTerms, waitMsOf } from '../model/lease.js';
import { parsePolicy, type Policy } from '../model/policy.js';
import type { RoutingTable } from '../model/routing.js';
import type { ChangedRun, RoutingDelta } from '../model/routing-delta.js';
import { parseSetMap, type SetMap } from '../model/sets.js';
import { NO_VERSION, type Version } from '../model/version.js';
import type { IncomingRun, WindowRun } from '../model/window.js';
import type * as common from './gen/seqsvr/v1/common.js';
import type * as log from './gen/seqsvr/v1/log.js';
import type * as store from './gen/seqsvr/v1/store.js';

/**
 * Proto <-> model. The only place where a uint64 of the wire becomes a checked number or a branded value. Everything
 * from the wire is untrusted: what breaks a rule throws PROTOCOL or INVALID_ARGUMENT with the value, and is not used.
 */

/** Bounds what one table may make the receiver allocate. */
const TABLE_NODES_MAX = 100_000;
/** SHA-256. */
const DIGEST_BYTES = 32;
/** The largest term and index of the Raft log. */
export const PLACE_MAX = 2 ** 47;
const WIRE_PLACE_MAX = BigInt(PLACE_MAX);

export function numberFromWire(value: bigint, what: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 0) throw protocol(`${what} must be at most 2^53-1, got ${value}`);
  return number;
}

/** A term or an index of the Raft log. The disk has 48 bits for it, and what follows must fit too; no cluster gets there. */
export function placeFromWire(value: bigint, what: string): number {
  if (value > WIRE_PLACE_MAX) throw protocol(`${what} must be at most 2^47, got ${value}`);
  return numberFromWire(value, what);
}

export function epochFromWire(value: bigint): Epoch {
  return toEpoch(numberFromWire(value, 'epoch'));
}

export function seqFromWire(value: bigint): Seq {
  if (value < 0n || value > SEQ_MAX) throw protocol(`a seq must be at most 2^63-1, got ${value}`);
  return value as Seq;
}

export function versionToWire({ generation, value }: Version): common.Version {
  return { generation: BigInt(generation), value: BigInt(value) };
}

export function versionFromWire(version: common.Version): Version {
  return { generation: numberFromWire(version.generation, 'generation'), value: numberFromWire(version.value, 'routing version') };
}

/** The version of the table that a caller says it has; NO_VERSION when it has none. */
export function callerVersionFromWire(version: common.Version | undefined): Version {
  return version === undefined ? NO_VERSION : versionFromWire(version);
}

export function geometryFromWire(geometry: common.Geometry | undefined): Geometry {
  if (geometry === undefined) throw protocol('a geometry is missing');
  checkGeometry(geometry);
  return { firstUid: geometry.firstUid, lastUid: geometry.lastUid, uidsPerSection: geometry.uidsPerSection };
}

export function leaseTermsFromWire(terms: store.LeaseTerms | undefined): LeaseTerms {
  if (terms === undefined) throw protocol('the lease terms are missing');
  const { leaseMs, driftPpm, marginMs } = terms;
  checkLeaseTerms({ leaseMs, driftPpm, marginMs });
  return { leaseMs, driftPpm, marginMs };
}

/** `waitMs`: the committed one; without it the one that follows from the terms. */
export function leaseTermsToWire(terms: LeaseTerms, waitMs = waitMsOf(terms)): store.LeaseTerms {
  const { leaseMs, driftPpm, marginMs } = terms;
  return { leaseMs, driftPpm, marginMs, waitMs };
}

/** 64 hex digits <-> 32 bytes; absent <-> none. */
export function digestToWire(digest: string | undefined): Buffer {
  return Buffer.from(digest ?? '', 'hex');
}

/** Throws PROTOCOL unless it is 32 bytes or none. */
export function digestFromWire(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes.length !== DIGEST_BYTES) throw protocol(`a digest has ${DIGEST_BYTES} bytes, got ${bytes.length}`);
  return Buffer.from(bytes).toString('hex');
}

export function policyToWire({ placement, standbys, isPaused, movesInFlightMax, silentShareMaxPercent }: Policy): log.Policy {
  return { placement, standbys: [...standbys], isPaused, movesInFlightMax, silentShareMaxPercent };
}

/** Throws INVALID_ARGUMENT unless it makes sense. */
export function policyFromWire(wire: log.Policy | undefined): Policy {
  if (wire === undefined) throw protocol('a policy is missing');
  return parsePolicy(wire);
}

export function setMapToWire({ version, home, sets }: SetMap): common.SetMap {
  return { version: BigInt(version), home, sets: sets.map((set) => ({ ...set, seeds: [...set.seeds] })) };
}

/** Throws INVALID_ARGUMENT unless it is a map, of version 1 or more. */
export function setMapFromWire(wire: common.SetMap | undefined): SetMap {
  if (wire === undefined) throw protocol('a set map is missing');
  const sets = wire.sets.map(({ name, firstUid, lastUid, seeds, clusterId }) => ({ name, firstUid, lastUid, seeds, clusterId }));
  return parseSetMap({ version: numberFromWire(wire.version, 'set map version'), home: wire.home, sets });
}

/** A table is a value that goes to many: its wire form is made once. */
const wires = new WeakMap<RoutingTable, common.RoutingTable>();

export function tableToWire(table: RoutingTable): common.RoutingTable {
  let wire = wires.get(table);
  if (wire === undefined) {
    wire = wireOf(table);
    wires.set(table, wire);
  }
  return wire;
}

function wireOf(table: RoutingTable): common.RoutingTable {
  return {
    version: versionToWire(table.version),
    geometry: { ...table.geometry },
    allocs: table.allocs.map(({ id, address, zone }) => ({ id, address, zone })),
    runs: table.runs.map((run) => ({ sectionCount: run.sectionCount, alloc: run.alloc === undefined ? 0 : run.alloc + 1, epoch: BigInt(run.epoch) })),
    stores: table.stores.map(({ id, name, address }) => ({ id, name, address })),
  };
}

/** Throws PROTOCOL unless the table is whole: known version, runs that cover the set once, owners that exist. */
export function tableFromWire(wire: common.RoutingTable): RoutingTable {
  if (wire.version === undefined) throw protocol('a routing table without a version');
  if (wire.allocs.length + wire.stores.length > TABLE_NODES_MAX) throw protocol(`a routing table with more than ${TABLE_NODES_MAX} nodes`);
  const geometry = geometryFromWire(wire.geometry);
  const runs = wire.runs.map((run) => {
    if (run.sectionCount === 0) throw protocol('a routing table with an empty run');
    if (run.alloc > wire.allocs.length) throw protocol(`a routing table with owner ${run.alloc} of ${wire.allocs.length}`);
    return { sectionCount: run.sectionCount, alloc: run.alloc === 0 ? undefined : run.alloc - 1, epoch: epochFromWire(run.epoch) };
  });
  const covered = runs.reduce((sum, run) => sum + run.sectionCount, 0);
  if (covered !== sectionCountOf(geometry)) throw protocol(`a routing table that covers ${covered} of ${sectionCountOf(geometry)} sections`);
  return {
    version: versionFromWire(wire.version),
    geometry,
    allocs: wire.allocs.map(({ id, address, zone }) => ({ id: parseAllocId(id), address, zone })),
    stores: wire.stores.map(({ id, name, address }) => ({ id, name, address })),
    runs,
  };
}

/** A delta goes to many, too. */
const deltaWires = new WeakMap<RoutingDelta, common.RoutingDelta>();

export function deltaToWire(delta: RoutingDelta): common.RoutingDelta {
  let wire = deltaWires.get(delta);
  if (wire === undefined) {
    wire = deltaWireOf(delta);
    deltaWires.set(delta, wire);
  }
  return wire;
}

function deltaWireOf({ basedOn, version, allocs, goneAllocs, runs, stores }: RoutingDelta): common.RoutingDelta {
  let end = 0;
  const changed = runs.map(({ firstSection, sectionCount, alloc, epoch }) => {
    const skipped = firstSection - end;
    end = firstSection + sectionCount;
    return { skipped, sectionCount, alloc: alloc === undefined ? 0 : alloc + 1, epoch: BigInt(epoch) };
  });
  return {
    basedOn: versionToWire(basedOn),
    version: versionToWire(version),
    allocs: allocs.map(({ id, address, zone }) => ({ id, address, zone })),
    goneAllocIds: [...goneAllocs],
    runs: changed,
    hasStores: stores !== undefined,
    stores: (stores ?? []).map(({ id, name, address }) => ({ id, name, address })),
  };
}

/** Throws PROTOCOL unless it is a delta; whether it fits the receiver's table is for that to say. */
export function deltaFromWire(wire: common.RoutingDelta): RoutingDelta {
  if (wire.basedOn === undefined || wire.version === undefined) throw protocol('a routing delta without its versions');
  if (wire.allocs.length + wire.stores.length + wire.goneAllocIds.length > TABLE_NODES_MAX)
    throw protocol(`a routing delta with more than ${TABLE_NODES_MAX} nodes`);
  let end = 0;
  const runs = wire.runs.map(({ skipped, sectionCount, alloc, epoch }): ChangedRun => {
    if (sectionCount === 0) throw protocol('a routing delta with an empty run');
    const firstSection = toSectionId(end + skipped);
    end = firstSection + sectionCount;
    if (end > SECTIONS_MAX) throw protocol(`a routing delta that reaches section ${end}`);
    return { firstSection, sectionCount, alloc: alloc === 0 ? undefined : alloc - 1, epoch: epochFromWire(epoch) };
  });
  return {
    basedOn: versionFromWire(wire.basedOn),
    version: versionFromWire(wire.version),
    allocs: wire.allocs.map(({ id, address, zone }) => ({ id: parseAllocId(id), address, zone })),
    goneAllocs: wire.goneAllocIds.map(parseAllocId),
    runs,
    stores: wire.hasStores ? wire.stores.map(({ id, name, address }) => ({ id, name, address })) : undefined,
  };
}

export function windowToWire(run: WindowRun): store.WindowRun {
  return {
    firstSection: run.firstSection,
    sectionCount: run.sectionCount,
    epoch: BigInt(run.epoch),
    base: run.base,
    maxSeq: run.maxSeq,
    leaving: run.leaving,
    nextAllocId: run.next ?? '',
    handoff: run.handoff && {
      epoch: BigInt(run.handoff.epoch),
      digest: digestToWire(run.handoff.digest),
      fromAllocId: run.handoff.from,
      fromAddress: run.handoff.fromAddress ?? '',
    },
  };
}

/** Throws PROTOCOL unless the run lies within the set and base <= maxSeq. */
export function windowFromWire(wire: store.WindowRun, geometry: Geometry): WindowRun {
  const { firstSection, sectionCount } = sectionRunFromWire(wire, geometry);
  const base = seqFromWire(wire.base);
  const maxSeq = seqFromWire(wire.maxSeq);
  if (base > maxSeq) throw protocol(`a window with base ${base} above max_seq ${maxSeq}`);
  return {
    firstSection,
    sectionCount,
    epoch: epochFromWire(wire.epoch),
    base,
    maxSeq,
    leaving: wire.leaving,
    ...optional('next', wire.nextAllocId === '' ? undefined : parseAllocId(wire.nextAllocId)),
    ...optional('handoff', wire.handoff && handoffFromWire(wire.handoff)),
  };
}

function handoffFromWire(wire: store.Handoff): NonNullable<WindowRun['handoff']> {
  const digest = digestFromWire(wire.digest);
  if (digest === undefined) throw protocol('a hand-off without a digest');
  return {
    epoch: epochFromWire(wire.epoch),
    digest,
    from: parseAllocId(wire.fromAllocId),
    ...optional('fromAddress', wire.fromAddress === '' ? undefined : wire.fromAddress),
  };
}

export function incomingToWire(run: IncomingRun): store.IncomingRun {
  return {
    firstSection: run.firstSection,
    sectionCount: run.sectionCount,
    epoch: BigInt(run.epoch),
    fromAllocId: run.from,
    fromAddress: run.fromAddress,
  };
}

/** Throws PROTOCOL unless the run lies within the set. */
export function incomingFromWire(wire: store.IncomingRun, geometry: Geometry): IncomingRun {
  const { firstSection, sectionCount } = sectionRunFromWire(wire, geometry);
  return { firstSection, sectionCount, epoch: epochFromWire(wire.epoch), from: parseAllocId(wire.fromAllocId), fromAddress: wire.fromAddress };
}

/** Throws PROTOCOL unless [firstSection, firstSection + sectionCount) is a run of sections of the set. */
export function sectionRunFromWire(
  wire: { readonly firstSection: number; readonly sectionCount: number },
  geometry: Geometry,
): { readonly firstSection: SectionId; readonly sectionCount: number } {
  const count = sectionCountOf(geometry);
  if (wire.sectionCount < 1 || wire.firstSection + wire.sectionCount > count) {
    throw protocol(`sections ${wire.firstSection}+${wire.sectionCount} lie outside a set of ${count}`);
  }
  return { firstSection: toSectionId(wire.firstSection), sectionCount: wire.sectionCount };
}

/** Who is asking: throws INVALID_ARGUMENT unless both are well-formed. */
export function callerFromWire(wire: { readonly allocId: string; readonly incarnation: string }) {
  return { allocId: parseAllocId(wire.allocId), incarnation: parseIncarnation(wire.incarnation) };
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message);
}
