import { expect } from 'chai';
import { addCallMetrics } from '../../../src/ops/call-metrics.js';
import { Metrics } from '../../../src/ops/metrics.js';
import { MethodFigures } from '../../../src/rpc/method-figures.js';
import { readPage } from './page.js';

describe('addCallMetrics', () => {
  const labels = 'grpc_type="unary",grpc_service="seqsvr.v1.SeqService",grpc_method="Next"';
  let metrics: Metrics;
  let next: MethodFigures;

  beforeEach(() => {
    metrics = new Metrics({ version: 'x', hasProcess: false });
    next = new MethodFigures('/seqsvr.v1.SeqService/Next', { requestStream: false, responseStream: false });
    addCallMetrics(metrics, () => [next]);
  });
  const samplesOf = async (name: string): Promise<ReadonlyMap<string, number>> => readPage(await metrics.render()).get(name)!.samples;

  it('shows a method that was never called, and its OK, but no histogram of nothing', async () => {
    expect([...(await samplesOf('grpc_server_started_total'))]).to.deep.equal([[`grpc_server_started_total{${labels}}`, 0]]);
    expect([...(await samplesOf('grpc_server_handled_total'))]).to.deep.equal([[`grpc_server_handled_total{${labels},grpc_code="OK"}`, 0]]);
    expect((await samplesOf('grpc_server_handling_seconds')).size).to.equal(0);
  });

  it('shows each status by the name that dashboards know', async () => {
    for (const code of [0, 0, 1, 4, 14]) {
      next.started();
      next.handled(code, 1);
    }
    next.started();
    const handled = [...(await samplesOf('grpc_server_handled_total'))].map(([sample, count]) => [/grpc_code="(\w+)"/.exec(sample)?.[1], count]);
    expect(handled).to.deep.equal([
      ['OK', 2],
      ['Canceled', 1],
      ['DeadlineExceeded', 1],
      ['Unavailable', 1],
    ]);
    expect((await samplesOf('grpc_server_started_total')).get(`grpc_server_started_total{${labels}}`)).to.equal(6);
  });

  it('adds the buckets up as Prometheus has them, in seconds', async () => {
    for (const tookMs of [0.01, 1, 1.5, 60_000]) next.handled(0, tookMs);
    const samples = await samplesOf('grpc_server_handling_seconds');
    const bucket = (le: string): number | undefined => samples.get(`grpc_server_handling_seconds_bucket{${labels},le="${le}"}`);
    expect([bucket('0.00005'), bucket('0.0008'), bucket('0.0016'), bucket('6.5536'), bucket('+Inf')]).to.deep.equal([1, 1, 3, 3, 4]);
    expect(samples.get(`grpc_server_handling_seconds_count{${labels}}`)).to.equal(4);
    expect(samples.get(`grpc_server_handling_seconds_sum{${labels}}`)).to.be.closeTo(60.00251, 1e-9);
  });
});
