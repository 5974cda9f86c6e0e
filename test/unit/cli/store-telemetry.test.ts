import { expect } from 'chai';
import { storeTelemetry } from '../../../src/cli/store-telemetry.js';
import type { StoreServer } from '../../../src/store/server.js';
import { readPage } from '../ops/page.js';

describe('storeTelemetry', () => {
  /** As much of a node as metrics look at. */
  const serverThat = (isLeading: boolean): Pick<StoreServer, 'node' | 'gateFigures'> =>
    ({
      gateFigures: {
        connections: { openCount: 1, refusedCount: 2, silentCount: 3, strangerCount: 4 },
        calls: { openCount: 5, refusedCount: 6, unfinishedCount: 7 },
      },
      node: {
        isLeading,
        raft: { role: 'follower', term: 1, leaderId: 2, log: { commitIndex: 1, appliedIndex: 1 } },
        transport: { counts: { refused: {}, badMessages: 0, dropped: {}, snapshotsRefused: 0 } },
        state: { table: () => undefined, version: { generation: 0, value: 0 }, cluster: undefined },
      },
    }) as unknown as StoreServer;

  it('counts a decision on the node that made it only, so that the sum over all stores is right', async () => {
    const telemetry = storeTelemetry('x');
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
    const telemetry = storeTelemetry('x');
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
        ].map((name, at) => [name, values[at] ?? -1]),
      );
    expect(await shown()).to.deep.equal(of([0, 0, 0, 0, 0, 0, 0]));
    telemetry.watch(serverThat(false));
    expect(await shown()).to.deep.equal(of([1, 2, 3, 4, 5, 6, 7]));
  });

  it('is not ready before the node runs, nor while the cluster is not founded', () => {
    const telemetry = storeTelemetry('x');
    const passed = (): boolean[] => telemetry.checks.map((check) => check.isPassed());
    expect(passed()).to.deep.equal([false, false]);
    telemetry.watch(serverThat(false));
    expect(passed()).to.deep.equal([true, false]);
  });
});
