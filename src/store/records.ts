import { assert } from '../base/assert.js';
import { parseAllocId, parseIncarnation } from '../model/ids.js';
import type { StateWrite } from '../raft/ports.js';
import { callerFromWire, epochFromWire, geometryFromWire, leaseTermsFromWire, seqFromWire, versionFromWire, versionToWire } from '../rpc/codec.js';
import { AllocRecord, ClusterRecord, MemberRecord, RemovedRecord, SectionBlock, type SectionRecord } from '../rpc/gen/seqsvr/v1/log.js';
import type { Caller } from './command.js';
import { DamageError } from './damage.js';
import { encodeBlock } from './section-block.js';
import { type Section, SECTIONS_PER_BLOCK, StoreState } from './state.js';

/**
 * The state's keys on disk:  cluster | alloc/<id> | member/<id> | removed | block/<number>, each a protobuf record.
 * The codec of one key is deterministic: replicas with the same state write the same bytes.
 */
export function recordOf(state: StoreState, key: string): StateWrite {
  const [kind = '', name = ''] = key.split('/');
  switch (kind) {
    case 'cluster':
      return { key, value: encodeCluster(state) };
    case 'alloc': {
      const alloc = state.alloc(parseAllocId(name));
      return { key, value: alloc && AllocRecord.encode({ ...alloc, former: [...alloc.former] }).finish() };
    }
    case 'member': {
      const member = state.member(Number(name));
      return { key, value: member && MemberRecord.encode({ ...member, replacesId: member.replacesId ?? 0 }).finish() };
    }
    case 'removed':
      return { key, value: RemovedRecord.encode({ members: state.removed.map((member) => ({ ...member })) }).finish() };
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
      const { id, incarnation, address, zone, former, isDraining } = AllocRecord.decode(value);
      return state.setAlloc({
        id: parseAllocId(id),
        incarnation: parseIncarnation(incarnation),
        address,
        zone,
        former: former.map(parseIncarnation),
        isDraining,
      });
    }
    case 'member': {
      const member = MemberRecord.decode(value);
      return state.setMember({ ...member, replacesId: member.replacesId === 0 ? undefined : member.replacesId });
    }
    case 'removed':
      return state.setRemoved(RemovedRecord.decode(value).members);
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
  const { clusterId, geometry, lease, raiseBy, version } = cluster;
  return ClusterRecord.encode({ clusterId, geometry, lease, raiseBy, routingVersion: versionToWire(version) }).finish();
}

function loadCluster(state: StoreState, value: Uint8Array): void {
  const { clusterId, geometry, lease, raiseBy, routingVersion } = ClusterRecord.decode(value);
  if (routingVersion === undefined) throw new DamageError('the cluster record has no version');
  state.setCluster({
    clusterId,
    geometry: geometryFromWire(geometry),
    lease: leaseTermsFromWire(lease),
    raiseBy,
    version: versionFromWire(routingVersion),
  });
}

function sectionFrom(run: SectionRecord): Section {
  return {
    owner: callerFrom(run.allocId, run.incarnation),
    epoch: epochFromWire(run.epoch),
    base: seqFromWire(run.base),
    maxSeq: seqFromWire(run.maxSeq),
    next: callerFrom(run.nextAllocId, run.nextIncarnation),
  };
}

function callerFrom(allocId: string, incarnation: string): Caller | undefined {
  return allocId === '' ? undefined : callerFromWire({ allocId, incarnation });
}
