import { expect } from 'chai';
import { Metrics } from '../../../src/ops/metrics.js';
import { DURATION_BUCKETS } from '../../../src/rpc/method-figures.js';
import { readPage } from './page.js';

describe('Metrics', () => {
  const make = (hasProcess = false): Metrics => new Metrics({ version: '1.2.3', hasProcess });

  it('says which program it is', async () => {
    const shown = readPage(await make().render()).get('seqsvr_build_info');
    expect([...(shown?.samples ?? [])]).to.deep.equal([[`seqsvr_build_info{version="1.2.3",node="${process.version}"}`, 1]]);
  });

  it('keeps a registry of its own: two of them know nothing of each other', async () => {
    const [one, other] = [make(), make()];
    one.counter('x_total', 'x').add(2);
    other.counter('x_total', 'x').add(3);
    expect(await one.render()).to.include('x_total 2\n');
    expect(await other.render()).to.include('x_total 3\n');
  });

  it('reads what the node counts itself for each page', async () => {
    let count = 5;
    const metrics = make();
    metrics.counterOf('x_total', 'x', () => count);
    metrics.gauge('y', 'y', () => -count);
    expect(await metrics.render())
      .to.include('x_total 5\n')
      .and.include('y -5\n');
    count = 7;
    expect(await metrics.render())
      .to.include('x_total 7\n')
      .and.include('y -7\n');
  });

  it('shows every value of a label from the start', async () => {
    const metrics = make();
    metrics.counterBy('x_total', 'x', { label: 'result', values: ['ok', 'failed'] }).add('ok', 3);
    expect(await metrics.render())
      .to.include('x_total{result="ok"} 3\n')
      .and.include('x_total{result="failed"} 0\n');
  });

  it('has buckets from 50 us to 6.5 s', () => {
    expect(DURATION_BUCKETS[0]).to.equal(0.00005);
    expect(DURATION_BUCKETS.at(-1)).to.be.closeTo(6.5536, 1e-9);
  });

  it('tells of the process and of Node, under names that keep the rules', async () => {
    const shown = readPage(await make(true).render());
    expect([...shown.keys()]).to.include.members(['process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_eventloop_lag_p99_seconds']);
    for (const [name, { type }] of shown) expect(name.endsWith('_total'), name).to.equal(type === 'counter');
  });
});
