import { SeqError, show } from '../base/errors.js';
import { isDialable } from './address.js';
import { parseName, type Uid, UID_MAX } from './ids.js';

/** One set as others see it: a uid range with its own StoreSvrs and AllocSvrs, sharing nothing with other sets. */
export interface SetEntry {
  readonly name: string;
  readonly firstUid: bigint;
  /** Inclusive. */
  readonly lastUid: bigint;
  /** `host:port` of some of its nodes, at least one. */
  readonly seeds: readonly string[];
  /** 32 hex digits. */
  readonly clusterId: string;
}

/** All sets, in uid order. Every set keeps a copy for clients; the home set decides. Invariant: ranges never overlap. */
export interface SetMap {
  /** Grows by 1 with each change; 0: there is only the set that answers. */
  readonly version: number;
  /** The name of the set that decides; '' with version 0. */
  readonly home: string;
  readonly sets: readonly SetEntry[];
}

export const NO_SETS: SetMap = { version: 0, home: '', sets: [] };
export const SETS_MAX = 1_000;
const SEEDS_MAX = 16;

/** Throws INVALID_ARGUMENT, with the value and the rule, unless the map is one; returns its sets in uid order. */
export function parseSetMap({ version, home, sets }: SetMap): SetMap {
  if (!Number.isSafeInteger(version) || version < 1) throw invalid(`the version of a set map must be at least 1, got ${version}`);
  if (sets.length < 1 || sets.length > SETS_MAX) throw invalid(`a set map has 1 to ${SETS_MAX} sets, got ${sets.length}`);
  for (const set of sets) checkEntry(set);
  const sorted = [...sets].sort((one, other) => (one.firstUid < other.firstUid ? -1 : 1));
  for (const [index, set] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before !== undefined && before.lastUid >= set.firstUid)
      throw invalid(`the ranges of ${before.name} and ${set.name} overlap at uid ${set.firstUid}`);
  }
  for (const key of ['name', 'clusterId'] as const) {
    if (new Set(sets.map((set) => set[key])).size !== sets.length) throw invalid(`every ${key} must be there once`);
  }
  if (!sets.some(({ name }) => name === home)) throw invalid(`home must be one of the sets, got ${show(home)}`);
  return { version, home, sets: sorted };
}

/** Throws INVALID_ARGUMENT when a set of `before` is gone or has moved: clients hold on to what they know. */
export function checkSetChange(before: SetMap, after: SetMap): void {
  for (const { name, firstUid, lastUid, clusterId } of before.sets) {
    const same = after.sets.find((set) => set.name === name);
    if (same === undefined) throw invalid(`set ${name} must stay in the map`);
    if (same.firstUid !== firstUid || same.lastUid !== lastUid || same.clusterId !== clusterId)
      throw invalid(`set ${name} is ${firstUid}..${lastUid} of cluster ${clusterId} and must stay so`);
  }
  if (before.version > 0 && after.home !== before.home) throw invalid(`the home set is ${before.home} and must stay so, got ${show(after.home)}`);
}

/** The set that the uid belongs to; undefined when it is in none. */
export function setOf({ sets }: SetMap, uid: Uid): SetEntry | undefined {
  let low = 0;
  let high = sets.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const set = sets[middle];
    if (set === undefined) return undefined;
    if (uid < set.firstUid) high = middle - 1;
    else if (uid > set.lastUid) low = middle + 1;
    else return set;
  }
  return undefined;
}

function checkEntry({ name, firstUid, lastUid, seeds, clusterId }: SetEntry): void {
  parseName(name, 'set name');
  if (firstUid < 0n || lastUid > UID_MAX || firstUid > lastUid)
    throw invalid(`set ${name} needs 0 <= firstUid <= lastUid <= ${UID_MAX}, got ${firstUid}..${lastUid}`);
  if (seeds.length < 1 || seeds.length > SEEDS_MAX) throw invalid(`set ${name} needs 1 to ${SEEDS_MAX} seeds, got ${seeds.length}`);
  for (const seed of seeds) if (!isDialable(seed)) throw invalid(`a seed of set ${name} must be host:port, got ${show(seed)}`);
  if (!/^[0-9a-f]{32}$/.test(clusterId)) throw invalid(`the cluster id of set ${name} must be 32 hex digits, got ${show(clusterId)}`);
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
