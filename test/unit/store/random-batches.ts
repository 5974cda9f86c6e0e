import type { InstallBatch, StorageBatch } from '../../../src/raft/ports.js';
import { type ConfState, EMPTY_CONF_STATE, type Entry } from '../../../src/raft/types.js';
import { entriesOf, MemoryStorage } from '../raft/memory-storage.js';
import type { SeededRandom } from '../seeded-random.js';
import { put } from './disk.js';

/** One call of a RaftStorage. */
export type Call = { readonly type: 'write'; readonly batch: StorageBatch } | { readonly type: 'install'; readonly batch: InstallBatch };

/** What a disk holds, as plain values. The log is compared from the first entry on that both still have. */
export interface Content {
  readonly log: readonly string[];
  readonly firstIndex: number;
  readonly rest: string;
}

/** Calls as Raft could make them: appends, conflicts, votes, applied state, compaction, snapshots; and what is on disk after each. */
export function randomCalls(random: SeededRandom, count: number): { readonly calls: readonly Call[]; readonly contents: readonly Content[] } {
  const model = MemoryStorage.holding({
    start: { index: 1, term: 1 },
    hardState: { term: 1 },
    confState: { ...EMPTY_CONF_STATE, voters: [1, 2, 3] },
  });
  const calls: Call[] = [];
  const contents = [contentIn(model)];
  while (calls.length < count) {
    const call = randomCall(random, model);
    if (call.type === 'write') model.save(call.batch);
    else model.replace(call.batch);
    calls.push(call);
    contents.push(contentIn(model));
  }
  return { calls, contents };
}

export function contentIn(
  storage: Pick<MemoryStorage, 'firstIndex' | 'lastIndex' | 'entries' | 'hardState' | 'appliedIndex' | 'confState' | 'termAt'> & {
    readonly state: ReadonlyMap<string, Uint8Array>;
  },
): Content {
  const { firstIndex, lastIndex, hardState, appliedIndex, confState } = storage;
  const state = [...storage.state].map(([key, value]) => `${key}=${Buffer.from(value).toString()}`).sort();
  const log = storage.entries(firstIndex, lastIndex, 1e9).map((entry) => show(entry));
  return { log, firstIndex, rest: JSON.stringify({ lastIndex, lastTerm: storage.termAt(lastIndex), hardState, appliedIndex, confState, state }) };
}

/** A disk may keep more of what was compacted away than asked, and nothing else may differ. */
export function isSame(found: Content, wanted: Content): boolean {
  if (found.rest !== wanted.rest || found.firstIndex > wanted.firstIndex) return false;
  return JSON.stringify(found.log.slice(wanted.firstIndex - found.firstIndex)) === JSON.stringify(wanted.log);
}

function show({ index, term, type, data }: Entry): string {
  return `${index}@${term} ${type} ${Buffer.from(data).toString('hex')}`;
}

function randomCall(random: SeededRandom, model: MemoryStorage): Call {
  const { term, commitIndex, votedFor } = model.hardState;
  if (random.chance(0.06)) {
    const index = random.chance(0.5) ? model.lastIndex + 1 + random.below(5) : Math.max(commitIndex, model.appliedIndex) + random.below(3);
    // A vote is never taken back in its term.
    const hardState = random.chance(0.5) ? { term, votedFor, commitIndex: index } : { term: term + 1, votedFor: undefined, commitIndex: index };
    return {
      type: 'install',
      batch: { index, term, hardState, confState: membersOf(random), state: new Map(randomWrites(random).map((write) => [write.key, write.value!])) },
    };
  }
  const isNewTerm = random.chance(0.15);
  const nextTerm = isNewTerm ? term + 1 : term;
  const hasEntries = random.chance(0.7);
  // A new leader may overwrite what is not committed.
  const from = isNewTerm && random.chance(0.6) ? Math.max(commitIndex + 1, model.lastIndex - random.below(5)) : model.lastIndex + 1;
  const entries = hasEntries ? entriesOf(Array<number>(1 + random.below(3)).fill(nextTerm), from).map((entry) => ofType(random, entry)) : [];
  const lastIndex = hasEntries ? from + entries.length - 1 : model.lastIndex;
  const commit = commitIndex + random.below(lastIndex - commitIndex + 1);
  const hardState =
    isNewTerm || random.chance(0.5) ? { term: nextTerm, votedFor: isNewTerm ? 1 + random.below(3) : votedFor, commitIndex: commit } : undefined;
  const committed = (hardState ?? model.hardState).commitIndex;
  const isApplied = committed > model.appliedIndex && random.chance(0.6);
  const index = isApplied ? model.appliedIndex + 1 + random.below(committed - model.appliedIndex) : 0;
  const applied = isApplied ? { index, confState: membersOf(random), writes: randomWrites(random) } : undefined;
  const compactTo = random.chance(0.2) ? Math.max(model.firstIndex - 1, model.appliedIndex - random.below(4)) : undefined;
  return { type: 'write', batch: { entries, hardState, applied, compactTo } };
}

function ofType(random: SeededRandom, entry: Entry): Entry {
  return random.chance(0.2) ? { ...entry, type: 'confChange' } : entry;
}

function membersOf(random: SeededRandom): ConfState {
  return {
    voters: [1, 2, 3 + random.below(3)],
    votersOutgoing: random.chance(0.3) ? [1] : [],
    learners: [7],
    learnersNext: [],
    autoLeave: random.chance(0.5),
  };
}

function randomWrites(random: SeededRandom) {
  return Array.from({ length: random.below(4) }, () => put(`key/${random.below(12)}`, String(random.below(1e6))));
}
