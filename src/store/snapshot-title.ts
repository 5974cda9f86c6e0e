import { SeqError } from '../base/errors.js';
import type { Version } from '../model/version.js';
import { numberFromWire, placeFromWire, versionFromWire, versionToWire } from '../rpc/codec.js';
import type * as wire from '../rpc/gen/seqsvr/v1/admin.js';
import type { Growth } from './growth.js';
import { SNAPSHOT_BYTES_MAX } from './snapshot-intake.js';

const SHA256_BYTES = 32;

/** Everything about a copy of the state but its bytes. */
export interface SnapshotTitle {
  readonly clusterId: string;
  readonly version: Version;
  /** The last entry in it. */
  readonly index: number;
  /** Never below that of the entry. */
  readonly term: number;
  /** By the wall clock of the leader. */
  readonly takenAtMs: number;
  readonly stateHash: string;
  readonly totalBytes: number;
  readonly sha256: Buffer;
  /** Undefined: the leader had not run for long enough to know. */
  readonly growth: Growth | undefined;
}

export function titleToWire({
  clusterId,
  version,
  index,
  term,
  takenAtMs,
  stateHash,
  totalBytes,
  sha256,
  growth,
}: SnapshotTitle): wire.SnapshotTitle {
  return {
    clusterId,
    routingVersion: versionToWire(version),
    index: BigInt(index),
    term: BigInt(term),
    takenAtUnixMs: BigInt(Math.round(takenAtMs)),
    stateHash,
    totalBytes: BigInt(totalBytes),
    sha256,
    growth: growth && { maxSeqPerSecond: BigInt(growth.maxSeqPerSecond), observedMs: BigInt(growth.observedMs) },
  };
}

/** Throws PROTOCOL with the value and the rule when the title cannot be meant. */
export function titleFromWire(title: wire.SnapshotTitle): SnapshotTitle {
  const { clusterId, routingVersion, takenAtUnixMs, stateHash, sha256, growth } = title;
  if (!/^[0-9a-f]{32}$/.test(clusterId)) throw protocol('a cluster id must be 32 hex digits');
  if (routingVersion === undefined) throw protocol('a snapshot without a version');
  const [index, term] = [placeFromWire(title.index, 'index'), placeFromWire(title.term, 'term')];
  if (index === 0 || term === 0) throw protocol(`a snapshot at index ${index} of term ${term}`);
  const totalBytes = numberFromWire(title.totalBytes, 'total bytes');
  if (totalBytes < 1 || totalBytes > SNAPSHOT_BYTES_MAX) throw protocol(`a snapshot must have 1 to ${SNAPSHOT_BYTES_MAX} bytes, got ${totalBytes}`);
  if (!/^[0-9a-f]{0,64}$/.test(stateHash)) throw protocol('a state hash must be hex digits');
  if (sha256.length !== SHA256_BYTES) throw protocol(`a sha256 of ${sha256.length} bytes`);
  return {
    clusterId,
    version: versionFromWire(routingVersion),
    index,
    term,
    takenAtMs: numberFromWire(takenAtUnixMs, 'time'),
    stateHash,
    totalBytes,
    sha256,
    growth: growth && {
      maxSeqPerSecond: numberFromWire(growth.maxSeqPerSecond, 'growth'),
      observedMs: numberFromWire(growth.observedMs, 'observed time'),
    },
  };
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', message);
}
