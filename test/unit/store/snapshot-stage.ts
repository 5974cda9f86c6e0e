import { createHash } from 'node:crypto';
import type { SnapshotHeader } from '../../../src/store/snapshot-header.js';
import { SnapshotWriter } from '../../../src/store/snapshot-file.js';
import type { SnapshotTitle } from '../../../src/store/snapshot-title.js';
import { CLUSTER_ID, raiseOf, run, TestReplica } from './fixture.js';

export const TAKEN_AT_MS = 1_760_000_000_000;
export const A = run('a1');

/** A cluster of 70 sections, three of them in use. */
export function usedCluster(): TestReplica {
  const store = TestReplica.with(A);
  store.assign(A, 0, 3);
  store.raise(A, raiseOf(1, 1, 5_000n));
  return store;
}

export function titleOf(store: TestReplica, change: Partial<SnapshotTitle> = {}): SnapshotTitle & { readonly data: Uint8Array } {
  const data = store.replica.snapshot();
  return {
    clusterId: CLUSTER_ID,
    version: store.state.version,
    index: 5,
    term: 2,
    takenAtMs: TAKEN_AT_MS,
    stateHash: store.replica.hash,
    totalBytes: data.length,
    sha256: createHash('sha256').update(data).digest(),
    growth: { maxSeqPerSecond: 12, observedMs: 60_000 },
    data,
    ...change,
  };
}

/** Writes the state of `store` as a snapshot file, in chunks of 100 bytes. */
export async function writeSnapshot(path: string, store: TestReplica, change: Partial<SnapshotTitle> = {}): Promise<SnapshotHeader['index']> {
  const { data, ...title } = titleOf(store, change);
  const writer = await SnapshotWriter.begin(path, title, 'test');
  for (let at = 0; at < data.length; at += 100) await writer.add(data.subarray(at, at + 100));
  await writer.finish();
  return title.index;
}
