import { expect } from 'chai';
import { AllocMetrics, type AllocReading } from '../../../src/ops/alloc-metrics.js';
import { Metrics } from '../../../src/ops/metrics.js';
import { readPage } from './page.js';

const READING: AllocReading = {
  handedOutCount: 1_000,
  sectionCount: 2,
  leaseLeftMs: 2_500,
  isServing: true,
  residentUidCount: 2_048,
  headroomRatioMin: 0.5,
  version: { generation: 1_750_000_000, value: 9 },
  streamCount: 3,
  frameCount: 40,
  opCount: 700,
  lateOpCount: 6,
  overQuotaCount: 5,
};

describe('AllocMetrics', () => {
  let metrics: Metrics;
  let alloc: AllocMetrics;
  let reading: AllocReading | undefined;

  beforeEach(() => {
    reading = READING;
    metrics = new Metrics({ version: 'test', hasProcess: false });
    alloc = new AllocMetrics(metrics, () => reading);
  });
  const valueOf = async (name: string, sample = name): Promise<number | undefined> =>
    readPage(await metrics.render())
      .get(name)
      ?.samples.get(sample);

  it('shows the node as it is when someone asks', async () => {
    const rows: readonly [string, number][] = [
      ['seqsvr_alloc_sequences_total', 1_000],
      ['seqsvr_alloc_over_quota_operations_total', 5],
      ['seqsvr_alloc_sections_owned', 2],
      ['seqsvr_alloc_lease_remaining_seconds', 2.5],
      ['seqsvr_alloc_serving', 1],
      ['seqsvr_alloc_users_resident', 2_048],
      ['seqsvr_alloc_headroom_ratio_min', 0.5],
      ['seqsvr_alloc_streams_open', 3],
      ['seqsvr_alloc_frames_total', 40],
      ['seqsvr_alloc_frame_operations_total', 700],
      ['seqsvr_alloc_frame_operations_late_total', 6],
      ['seqsvr_route_generation', 1_750_000_000],
      ['seqsvr_route_version', 9],
    ];
    for (const [name, value] of rows) expect(await valueOf(name), name).to.equal(value);
    reading = undefined;
    for (const [name] of rows) expect(await valueOf(name), name).to.equal(0);
  });

  it('counts renewals by how they ended, those that were left out of the log included', async () => {
    alloc.leaseRenewed();
    alloc.leaseRenewed();
    alloc.renewalFailed({ leftOutCount: 0 });
    alloc.renewalFailed({ leftOutCount: 6 });
    const name = 'seqsvr_alloc_lease_renewals_total';
    expect([await valueOf(name, `${name}{result="ok"}`), await valueOf(name, `${name}{result="failed"}`)]).to.deep.equal([2, 8]);
  });

  it('counts lost leases, jumps of clocks by kind, and lags', async () => {
    alloc.leaseLost();
    alloc.clockJumped({ kind: 'suspend' });
    alloc.clockJumped({ kind: 'suspend' });
    alloc.eventLoopLagged({ leftOutCount: 3 });
    const jumps = 'seqsvr_clock_jump_total';
    expect(await valueOf('seqsvr_alloc_lease_losses_total')).to.equal(1);
    expect(await valueOf('seqsvr_alloc_lags_total')).to.equal(4);
    expect([await valueOf(jumps, `${jumps}{kind="suspend"}`), await valueOf(jumps, `${jumps}{kind="wallBack"}`)]).to.deep.equal([2, 0]);
  });

  it('counts STRICT calls by how their round ended, and measures the rounds', async () => {
    alloc.ownershipConfirmed({ callCount: 40, tookMs: 3 });
    alloc.confirmationFailed({ callCount: 7 });
    const [calls, seconds] = ['seqsvr_alloc_strict_calls_total', 'seqsvr_alloc_strict_round_duration_seconds'];
    expect([await valueOf(calls, `${calls}{result="ok"}`), await valueOf(calls, `${calls}{result="failed"}`)]).to.deep.equal([40, 7]);
    expect(await valueOf(seconds, `${seconds}_sum`)).to.be.closeTo(0.003, 1e-9);
  });

  it('counts raises, and measures them in seconds', async () => {
    alloc.maxSeqRaised({ tookMs: 5 });
    alloc.maxSeqRaised({ tookMs: 7 });
    const name = 'seqsvr_alloc_advance_duration_seconds';
    expect(await valueOf('seqsvr_alloc_advances_total')).to.equal(2);
    expect(await valueOf(name, `${name}_sum`)).to.be.closeTo(0.012, 1e-9);
  });

  it('counts waits and floor alarms, those that were left out of the log included', async () => {
    alloc.windowEmpty({ leftOutCount: 0 });
    alloc.windowEmpty({ leftOutCount: 41 });
    alloc.floorAboveCurrent({ leftOutCount: 2 });
    expect([await valueOf('seqsvr_alloc_advance_waits_total'), await valueOf('seqsvr_alloc_floor_alarms_total')]).to.deep.equal([43, 3]);
  });
});
