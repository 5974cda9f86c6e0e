import type { Version } from '../model/version.js';
import type { Growth } from './growth.js';
import type { SnapshotTitle } from './snapshot-title.js';

/** What a snapshot file says of its content. JSON, so that `head -c 600 FILE` shows it when no program of ours is at hand. */
export interface SnapshotHeader {
  readonly clusterId: string;
  readonly version: Version;
  readonly index: number;
  readonly term: number;
  /** By the wall clock of the leader that made it, ms since 1970. */
  readonly takenAtMs: number;
  readonly stateHash: string;
  readonly dataBytes: number;
  /** Of the state alone, as the leader worked it out, 64 hex digits. */
  readonly dataSha256: string;
  /** Undefined: the leader had not run for long enough to know. */
  readonly growth: Growth | undefined;
  /** Version of the program. */
  readonly writtenBy: string;
}

export function encodeHeader(title: SnapshotTitle, writtenBy: string): Buffer {
  const { totalBytes, sha256, clusterId, version, index, term, takenAtMs, stateHash, growth } = title;
  const rest = { dataBytes: totalBytes, dataSha256: sha256.toString('hex'), growth, writtenBy };
  const header: SnapshotHeader = { clusterId, version, index, term, takenAtMs, stateHash, ...rest };
  return Buffer.from(JSON.stringify(header));
}

/** Undefined: it is not a header that this program writes. */
export function decodeHeader(bytes: Uint8Array): SnapshotHeader | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  return isHeader(value) ? value : undefined;
}

function isHeader(value: unknown): value is SnapshotHeader {
  if (!isRecord(value)) return false;
  const { clusterId, version, index, term, takenAtMs, stateHash, dataBytes, dataSha256, growth, writtenBy } = value;
  return (
    [index, term, takenAtMs, dataBytes].every(isCount) &&
    isText(clusterId, /^[0-9a-f]{32}$/) &&
    isText(stateHash, /^[0-9a-f]*$/) &&
    isText(dataSha256, /^[0-9a-f]{64}$/) &&
    isText(writtenBy, /^/) &&
    isRecord(version) &&
    isCount(version['generation']) &&
    isCount(version['value']) &&
    (growth === undefined || (isRecord(growth) && isCount(growth['maxSeqPerSecond']) && isCount(growth['observedMs'])))
  );
}

function isRecord(value: unknown): value is Partial<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isText(value: unknown, rule: RegExp): boolean {
  return typeof value === 'string' && rule.test(value);
}
