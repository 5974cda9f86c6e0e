import { assert } from '../base/assert.js';
import { parseAllocId, parseIncarnation } from '../model/ids.js';
import { NO_SETS } from '../model/sets.js';
import type { Handoff } from '../model/window.js';
import type { StateWrite } from '../raft/ports.js';
import {
  callerFromWire,
  digestFromWire,
  epochFromWire,
  geometryFromWire,
  leaseTermsFromWire,
  leaseTermsToWire,
  numberFromWire,
  policyFromWire,
  policyToWire,
  seqFromWire,
  setMapFromWire,
  setMapToWire,
  versionFromWire,
  versionToWire,
} from '../rpc/codec.js';
import { AllocRecord, AuditRecord, ClusterRecord, MemberRecord, RemovedRecord, SectionBlock, type SectionRecord } from '../rpc/gen/seqsvr/v1/log.js';
import type { Caller } from './command.js';
import { DamageError } from './damage.js';
import { encodeBlock } from './section-block.js';
import { type Alloc, type AuditEntry, type Section, SECTIONS_PER_BLOCK, StoreState } from './state.js';

/**
 * The state's keys on disk:  cluster | alloc/<id> | member/<id> | removed | audit/<place> | block/<number>, each a protobuf record.
 * The codec of one key is deterministic: replicas with the same state write the same bytes.
 */
export function recordOf(state: StoreState, key: string): StateWrite {
  const [kind = '', name = ''] = key.split('/');
  switch (kind) {
    case 'cluster':
      return { key, value: encodeCluster(state) };
    case 'alloc': {
      const alloc = state.alloc(parseAllocId(name));
      return { key, value: alloc && AllocRecord.encode({ ...alloc, former: [...alloc.former], dead: [...alloc.dead] }).finish() };
    }
    case 'member': {
      const member = state.member(Number(name));
      return { key, value: member && MemberRecord.encode({ ...member, replacesId: member.replacesId ?? 0 }).finish() };
    }
    case 'removed':
      return { key, value: RemovedRecord.encode({ members: state.removed.map((member) => ({ ...member })) }).finish() };
    case 'audit': {
      const entry = state.auditIn(Number(name));
      return { key, value: entry && encodeAudit(entry) };
    }
    case 'block':
      return { key, value: encodeBlock(state.block(Number(name))) };
    default:
      throw new DamageError(`a state key of unknown kind: ${key}`);
  }
}

/** The state as its records say. Throws DamageError when one of them cannot be believed. */
export function stateFrom(records: ReadonlyMap<string, Uint8Array>): StoreState {
  const state = new StoreState();
  try {
    const cluster = records.get('cluster');
    if (cluster !== undefined) loadCluster(state, cluster);
    else if (records.size > 0) throw new DamageError('the state has records but no cluster');
    for (const [key, value] of records) load(state, key, value);
  } catch (cause) {
    throw cause instanceof DamageError ? cause : new DamageError('a record of the state cannot be read', { cause });
  }
  state.takeTouched();
  return state;
}

function load(state: StoreState, key: string, value: Uint8Array): void {
  const [kind = '', name = ''] = key.split('/');
  switch (kind) {
    case 'cluster':
      return; // Loaded first.
    case 'alloc': {
      const { id, incarnation, address, zone, former, state: standing, dead } = AllocRecord.decode(value);
      return state.setAlloc({
        id: parseAllocId(id),
        incarnation: parseIncarnation(incarnation),
        address,
        zone,
        former: former.map(parseIncarnation),
        state: standingFrom(standing),
        dead: dead.map(parseIncarnation),
      });
    }
    case 'member': {
      const member = MemberRecord.decode(value);
      return state.setMember({ ...member, replacesId: member.replacesId === 0 ? undefined : member.replacesId });
    }
    case 'removed':
      return state.setRemoved(RemovedRecord.decode(value).members);
    case 'audit':
      return state.setAudit(auditFrom(AuditRecord.decode(value)));
    case 'block': {
      let section = Number(name) * SECTIONS_PER_BLOCK;
      for (const run of SectionBlock.decode(value).runs) {
        const shared = sectionFrom(run);
        for (let count = 0; count < run.sectionCount; count += 1) state.setSection(section++, shared);
      }
      return;
    }
    default:
      throw new DamageError(`a state key of unknown kind: ${key}`);
  }
}

function encodeCluster({ cluster }: StoreState): Uint8Array {
  assert(cluster !== undefined, 'a cluster that was touched exists');
  const { clusterId, geometry, lease, waitMs, raiseBy, version, policy, sets, auditCount, leaseNumber } = cluster;
  return ClusterRecord.encode({
    clusterId,
    geometry,
    lease: leaseTermsToWire(lease, waitMs),
    raiseBy,
    routingVersion: versionToWire(version),
    policy: policyToWire(policy),
    sets: sets.version === 0 ? undefined : setMapToWire(sets),
    auditCount: BigInt(auditCount),
    leaseNumber: BigInt(leaseNumber),
  }).finish();
}

function loadCluster(state: StoreState, value: Uint8Array): void {
  const { clusterId, geometry, lease, raiseBy, routingVersion, policy, sets, auditCount, leaseNumber } = ClusterRecord.decode(value);
  if (routingVersion === undefined) throw new DamageError('the cluster record has no version');
  state.setCluster({
    clusterId,
    geometry: geometryFromWire(geometry),
    lease: leaseTermsFromWire(lease),
    leaseNumber: numberFromWire(leaseNumber, 'lease number'),
    waitMs: lease?.waitMs ?? 0,
    policy: policyFromWire(policy),
    sets: sets === undefined ? NO_SETS : setMapFromWire(sets),
    auditCount: numberFromWire(auditCount, 'audit count'),
    raiseBy,
    version: versionFromWire(routingVersion),
  });
}

function sectionFrom(run: SectionRecord): Section {
  const section: Section = {
    owner: callerFrom(run.allocId, run.incarnation),
    epoch: epochFromWire(run.epoch),
    base: seqFromWire(run.base),
    maxSeq: seqFromWire(run.maxSeq),
    next: callerFrom(run.nextAllocId, run.nextIncarnation),
    handoff: handoffFrom(run),
  };
  // A snapshot has no record of a block that never had an owner, so there is nothing to have.
  const isUntouched = section.owner === undefined && section.next === undefined && section.handoff === undefined && section.maxSeq === 0n;
  if (section.epoch === 0 && !isUntouched) throw new DamageError('a section that never had an owner has one, or numbers, or where to go');
  return section;
}

function handoffFrom({ handoffEpoch, handoffDigest, handoffAllocId }: SectionRecord): Handoff | undefined {
  const digest = digestFromWire(handoffDigest);
  return digest === undefined ? undefined : { epoch: epochFromWire(handoffEpoch), digest, from: parseAllocId(handoffAllocId) };
}

function standingFrom(text: string): Alloc['state'] {
  if (text === 'joined' || text === 'draining' || text === 'gone') return text;
  throw new DamageError(`an AllocSvr in unknown state '${text}'`);
}

function encodeAudit(entry: AuditEntry): Uint8Array {
  const { number, atMs, term, kind, reason, sectionCount, version } = entry;
  return AuditRecord.encode({
    number: BigInt(number),
    atUnixMs: BigInt(atMs),
    term: BigInt(term),
    kind,
    reason,
    sectionCount,
    version: versionToWire(version),
  }).finish();
}

function auditFrom({ number, atUnixMs, term, kind, reason, sectionCount, version }: AuditRecord): AuditEntry {
  if (version === undefined) throw new DamageError('an audit record has no version');
  return {
    number: numberFromWire(number, 'audit number'),
    atMs: numberFromWire(atUnixMs, 'time'),
    term: numberFromWire(term, 'term'),
    kind,
    reason,
    sectionCount,
    version: versionFromWire(version),
  };
}

function callerFrom(allocId: string, incarnation: string): Caller | undefined {
  return allocId === '' ? undefined : callerFromWire({ allocId, incarnation });
}
