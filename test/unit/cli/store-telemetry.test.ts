import { expect } from 'chai';
import { storeTelemetry } from '../../../src/cli/store-telemetry.js';
import { NO_FIGURES } from '../../../src/rpc/server-figures.js';
import type { StoreServer } from '../../../src/store/server.js';
import { readPage } from '../ops/page.js';

/** As much of the members as metrics look at: this node is the learner. */
const MEMBERS = [
  { id: 1, role: 'learner', isActive: true, lag: 7 },
  { id: 2, role: 'voter', isActive: true, lag: 0 },
  { id: 3, role: 'voter', isActive: false, lag: undefined },
];

describe('storeTelemetry', () => {
  /** As much of a node as metrics look at. */
  const serverThat = (isLeading: boolean): Pick<StoreServer, 'node' | 'gateFigures'> =>
    ({
      gateFigures: {
        connections: { openCount: 1, refusedCount: 2, silentCount: 3, strangerCount: 4, faultyCount: 9 },
        calls: { openCount: 5, refusedCount: 6, unfinishedCount: 7, deniedCount: 8, compressedCount: 10 },
        methods: [],
      },
      node: {
        isLeading,
        identity: { nodeId: 1 },
        members: { list: () => MEMBERS },
        raft: {
          role: isLeading ? 'leader' : 'follower',
          term: 1,
          leaderId: 2,
          log: { firstIndex: 3, lastIndex: 9, commitIndex: 1, appliedIndex: 1 },
        },
        transport: { counts: { refused: {}, badMessages: 0, dropped: {}, snapshotsRefused: 0 } },
        state: { table: () => undefined, version: { generation: 0, value: 0 }, cluster: undefined, allocs: [{ state: 'joined' }, { state: 'gone' }] },
      },
    }) as unknown as StoreServer;

  it('counts a decision on the node that made it only, so that the sum over all stores is right', async () => {
    const telemetry = storeTelemetry({ version: 'x', dataDir: '.' });
    for (const isLeading of [false, true]) {
      telemetry.watch(serverThat(isLeading));
      telemetry.observe({ type: 'sectionsAssigned', sectionCount: 3, reason: 'lease over: a', version: '1.1' });
      telemetry.observe({ type: 'movePlanned', sectionCount: 2, reason: 'spread evenly', version: '1.2' });
    }
    const samples = readPage(await telemetry.metrics.render()).get('seqsvr_arbiter_moves_total')?.samples;
    expect(samples?.get('seqsvr_arbiter_moves_total{reason="lease_over"}')).to.equal(3);
    expect(samples?.get('seqsvr_arbiter_moves_total{reason="spread"}')).to.equal(2);
  });

  it('shows what the gates of its ports have counted, 0 before the node serves', async () => {
    const telemetry = storeTelemetry({ version: 'x', dataDir: '.' });
    const shown = async (): Promise<Record<string, number>> => {
      const page = readPage(await telemetry.metrics.render());
      return Object.fromEntries([...page].filter(([name]) => /^seqsvr_(connections|calls)_/.test(name)).flatMap(([, { samples }]) => [...samples]));
    };
    const of = (values: readonly number[]): Record<string, number> =>
      Object.fromEntries(
        [
          'seqsvr_connections_open',
          'seqsvr_connections_refused_total{reason="too_many"}',
          'seqsvr_connections_refused_total{reason="silent"}',
          'seqsvr_connections_refused_total{reason="not_http2"}',
          'seqsvr_calls_open',
          'seqsvr_calls_refused_total{reason="too_many"}',
          'seqsvr_calls_refused_total{reason="unfinished"}',
          'seqsvr_calls_refused_total{reason="denied"}',
          'seqsvr_connections_refused_total{reason="faults"}',
          'seqsvr_calls_refused_total{reason="compressed"}',
        ].map((name, at) => [name, values[at] ?? -1]),
      );
    expect(await shown()).to.deep.equal(of([0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    telemetry.watch(serverThat(false));
    expect(await shown()).to.deep.equal(of([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
  });

  it('shows what the gates of a quarantined node have counted, and that it is one, until a StoreSvr runs', async () => {
    const telemetry = storeTelemetry({ version: 'x', dataDir: '.' });
    const shown = async (): Promise<(number | undefined)[]> => {
      const page = readPage(await telemetry.metrics.render());
      return ['seqsvr_store_quarantined', 'seqsvr_connections_open'].map((name) => page.get(name)?.samples.get(name));
    };
    expect(await shown()).to.deep.equal([0, 0]);
    telemetry.watchQuarantined({ gateFigures: { ...serverThat(false).gateFigures, connections: { ...NO_FIGURES.connections, openCount: 9 } } });
    expect(await shown()).to.deep.equal([1, 9]);
    telemetry.watch(serverThat(false));
    expect(await shown()).to.deep.equal([0, 1]);
  });

  it('shows the members, and what only a leader knows of them on the leader alone', async () => {
    const telemetry = storeTelemetry({ version: 'x', dataDir: '.' });
    const names = ['raft_is_learner', 'raft_members', 'raft_members_active', 'raft_lag_entries_max', 'store_log_entries'].map(
      (name) => `seqsvr_${name}`,
    );
    const shown = async (): Promise<(number | undefined)[]> => {
      const page = readPage(await telemetry.metrics.render());
      return names.map((name) => page.get(name)?.samples.get(name));
    };
    telemetry.watch(serverThat(false));
    expect(await shown()).to.deep.equal([1, 3, 0, 0, 7]);
    telemetry.watch(serverThat(true));
    expect(await shown()).to.deep.equal([1, 3, 2, 7, 7]);
  });

  it('is not ready before the node runs, nor while the cluster is not founded', () => {
    const telemetry = storeTelemetry({ version: 'x', dataDir: '.' });
    const passed = (): boolean[] => telemetry.checks.map((check) => check.isPassed());
    expect(passed()).to.deep.equal([false, false]);
    telemetry.watch(serverThat(false));
    expect(passed()).to.deep.equal([true, false]);
  });
});
