import { expect } from 'chai';
import { Metrics } from '../../../src/ops/metrics.js';
import { REASONS } from '../../../src/arbiter/reasons.js';
import { moveReason, StoreMetrics, type StoreReading } from '../../../src/ops/store-metrics.js';
import { readPage, type Shown } from './page.js';

const READING: StoreReading = {
  hasLeader: true,
  isLeader: false,
  isLearner: false,
  term: 3,
  commitIndex: 12,
  appliedIndex: 11,
  logEntryCount: 8,
  members: { count: 3, activeCount: 2, lagMax: 40 },
  allocs: { joined: 5, draining: 1, gone: 0 },
  isArbiter: false,
  unassignedCount: 4,
  version: { generation: 1_750_000_000, value: 9 },
  peers: { refused: { badFrame: 3, otherCluster: 0 }, badMessages: 5, dropped: { full: 7 }, snapshotsRefused: 2 },
};

describe('StoreMetrics', () => {
  let metrics: Metrics;
  let store: StoreMetrics;
  let reading: StoreReading | undefined;

  beforeEach(() => {
    reading = READING;
    metrics = new Metrics({ version: 'test', hasProcess: false });
    store = new StoreMetrics(metrics, () => reading);
  });
  const shown = async (name: string): Promise<Shown> => readPage(await metrics.render()).get(name)!;
  const valueOf = async (name: string, sample = name): Promise<number | undefined> => (await shown(name)).samples.get(sample);

  it('shows the node as it is when someone asks', async () => {
    const rows: readonly [string, number][] = [
      ['seqsvr_raft_has_leader', 1],
      ['seqsvr_raft_is_leader', 0],
      ['seqsvr_raft_term', 3],
      ['seqsvr_raft_commit_index', 12],
      ['seqsvr_raft_applied_index', 11],
      ['seqsvr_raft_is_learner', 0],
      ['seqsvr_raft_members', 3],
      ['seqsvr_raft_members_active', 2],
      ['seqsvr_raft_lag_entries_max', 40],
      ['seqsvr_store_log_entries', 8],
      ['seqsvr_arbiter_active', 0],
      ['seqsvr_arbiter_sections_unassigned', 4],
      ['seqsvr_route_generation', 1_750_000_000],
      ['seqsvr_route_version', 9],
    ];
    for (const [name, value] of rows) expect(await valueOf(name), name).to.equal(value);
    reading = { ...READING, isLeader: true, isArbiter: true, isLearner: true };
    for (const name of ['seqsvr_raft_is_leader', 'seqsvr_raft_is_learner', 'seqsvr_arbiter_active']) expect(await valueOf(name), name).to.equal(1);
    reading = undefined;
    for (const [name] of rows) expect(await valueOf(name), name).to.equal(0);
  });

  it('shows what peers did wrong, by reason', async () => {
    const rows: readonly [string, string, number][] = [
      ['seqsvr_peer_refused_total', 'seqsvr_peer_refused_total{reason="badFrame"}', 3],
      ['seqsvr_peer_refused_total', 'seqsvr_peer_refused_total{reason="otherCluster"}', 0],
      ['seqsvr_peer_dropped_total', 'seqsvr_peer_dropped_total{reason="full"}', 7],
      ['seqsvr_peer_bad_messages_total', 'seqsvr_peer_bad_messages_total', 5],
      ['seqsvr_peer_snapshots_refused_total', 'seqsvr_peer_snapshots_refused_total', 2],
    ];
    for (const [name, sample, value] of rows) expect(await valueOf(name, sample), sample).to.equal(value);
  });

  it('shows AllocSvrs by what they are, none before the node runs', async () => {
    const states = async (): Promise<readonly number[]> => [...(await shown('seqsvr_arbiter_allocs')).samples.values()];
    expect(await states()).to.deep.equal([5, 1, 0]);
    reading = undefined;
    expect(await states()).to.deep.equal([0, 0, 0]);
  });

  it('shows that the brake is on, and only while this node is the arbiter', async () => {
    const held = (): Promise<number | undefined> => valueOf('seqsvr_arbiter_held');
    store.arbiterHeld(true);
    expect(await held()).to.equal(0);
    reading = { ...READING, isArbiter: true };
    expect(await held()).to.equal(1);
    store.arbiterHeld(false);
    expect(await held()).to.equal(0);
  });

  it('counts snapshots by what became of them, stalls of the disk, and states that differ', async () => {
    for (const result of ['sent', 'sent', 'failed'] as const) store.snapshot(result);
    store.diskStalled();
    store.stateDiffers();
    expect([...(await shown('seqsvr_raft_snapshots_total')).samples.values()]).to.deep.equal([2, 1, 0]);
    expect([await valueOf('seqsvr_store_disk_stalls_total'), await valueOf('seqsvr_store_state_differs_total')]).to.deep.equal([1, 1]);
  });

  it('counts a leader once in its term, whatever else changes in it', async () => {
    for (const [term, leaderId] of [
      [1, undefined],
      [1, 2],
      [1, undefined],
      [1, 2],
      [2, undefined],
      [4, 2],
    ] as const) {
      store.roleChanged({ term, leaderId });
    }
    expect(await valueOf('seqsvr_raft_leader_changes_total')).to.equal(2);
  });

  it('measures synced writes in seconds, and their entries', async () => {
    store.written({ entryCount: 3, tookMs: 2 });
    store.written({ entryCount: 0, tookMs: 0.01 });
    const fsync = 'seqsvr_store_fsync_duration_seconds';
    expect(await valueOf(fsync, `${fsync}_sum`)).to.be.closeTo(0.00201, 1e-9);
    expect(await valueOf(fsync, `${fsync}_bucket{le="0.00005"}`)).to.equal(1);
    const batch = 'seqsvr_store_batch_entries';
    expect([await valueOf(batch, `${batch}_bucket{le="0"}`), await valueOf(batch, `${batch}_bucket{le="4"}`)]).to.deep.equal([1, 2]);
  });

  it('counts moved sections by a kind of reason, never by the names in it', async () => {
    for (const reason of ['lease over: alloc-1', 'lease over: alloc-2, alloc-3', 'spread evenly', 'something new: x']) {
      store.decided({ sectionCount: 10, reason });
    }
    expect([...(await shown('seqsvr_arbiter_moves_total')).samples]).to.deep.equal([
      ['seqsvr_arbiter_moves_total{reason="lease_over"}', 20],
      ['seqsvr_arbiter_moves_total{reason="former_run"}', 0],
      ['seqsvr_arbiter_moves_total{reason="no_owner"}', 0],
      ['seqsvr_arbiter_moves_total{reason="spread"}', 10],
      ['seqsvr_arbiter_moves_total{reason="reported_dead"}', 0],
      ['seqsvr_arbiter_moves_total{reason="draining"}', 0],
      ['seqsvr_arbiter_moves_total{reason="operator"}', 0],
      ['seqsvr_arbiter_moves_total{reason="called_off"}', 0],
      ['seqsvr_arbiter_moves_total{reason="standby"}', 0],
      ['seqsvr_arbiter_moves_total{reason="other"}', 10],
    ]);
  });

  it('has a kind for everything that the arbiter says', () => {
    // Ops does not know the arbiter; a test may.
    const kinds = Object.values(REASONS).map((reason) => moveReason(`${reason}: a1`));
    expect(kinds).to.have.members([
      'reported_dead',
      'lease_over',
      'standby',
      'former_run',
      'no_owner',
      'draining',
      'spread',
      'operator',
      'called_off',
    ]);
  });
});
