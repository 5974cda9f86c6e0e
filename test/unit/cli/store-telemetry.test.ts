import { expect } from 'chai';
import { storeTelemetry } from '../../../src/cli/store-telemetry.js';
import type { StoreNode } from '../../../src/store/node.js';
import { readPage } from '../ops/page.js';

describe('storeTelemetry', () => {
  /** As much of a node as metrics look at. */
  const nodeThat = (isLeading: boolean): StoreNode =>
    ({
      isLeading,
      raft: { role: 'follower', term: 1, leaderId: 2, log: { commitIndex: 1, appliedIndex: 1 } },
      transport: { counts: { refused: {}, badMessages: 0, dropped: {}, snapshotsRefused: 0 } },
      state: { table: () => undefined, version: { generation: 0, value: 0 }, cluster: undefined },
    }) as unknown as StoreNode;

  it('counts a decision on the node that made it only, so that the sum over all stores is right', async () => {
    const telemetry = storeTelemetry('x');
    for (const isLeading of [false, true]) {
      telemetry.watch(nodeThat(isLeading));
      telemetry.observe({ type: 'sectionsAssigned', sectionCount: 3, reason: 'lease over: a', version: '1.1' });
      telemetry.observe({ type: 'movePlanned', sectionCount: 2, reason: 'spread evenly', version: '1.2' });
    }
    const samples = readPage(await telemetry.metrics.render()).get('seqsvr_arbiter_moves_total')?.samples;
    expect(samples?.get('seqsvr_arbiter_moves_total{reason="lease_over"}')).to.equal(3);
    expect(samples?.get('seqsvr_arbiter_moves_total{reason="spread"}')).to.equal(2);
  });

  it('is not ready before the node runs, nor while the cluster is not founded', () => {
    const telemetry = storeTelemetry('x');
    const passed = (): boolean[] => telemetry.checks.map((check) => check.isPassed());
    expect(passed()).to.deep.equal([false, false]);
    telemetry.watch(nodeThat(false));
    expect(passed()).to.deep.equal([true, false]);
  });
});
