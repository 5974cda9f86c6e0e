import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { freePorts } from '../../jepsen/ports.js';
import { TestCluster } from '../../jepsen/cluster.js';
import { metricOf } from '../../bench/metric.js';

const MODULE = new URL('../../../src/cli/young-generation.js', import.meta.url).href;
/** What V8 begins with is less; at rest a server that lets it grow has twice as much. */
const SMALL_BYTES = 8 * 2 ** 20;

describe('the young generation of a server', function () {
  // Each row is a process of its own, or several.
  this.timeout(60_000);

  it('stays as small as it begins, where it would grow with what survives', () => {
    const small = youngBytesAfterLoad(`(await import(${JSON.stringify(MODULE)})).keepYoungGenerationSmall();`);
    const usual = youngBytesAfterLoad('');
    expect(small).to.be.at.most(SMALL_BYTES);
    expect(usual).to.be.at.least(2 * small);
  });

  it('is kept small before a server loads what makes it grow', async () => {
    const [port] = await freePorts(1);
    const adminListen = `127.0.0.1:${port}`;
    const cluster = await TestCluster.start({ stores: 1, allocs: 1, allocConfig: { adminListen } });
    try {
      expect(await metricOf(`http://${adminListen}/metrics`, 'nodejs_heap_space_size_total_bytes{space="new"}')).to.be.within(1, SMALL_BYTES);
    } finally {
      await cluster.dispose();
    }
  });
});

/** What V8 holds for it in a process that did `first`, and then made much garbage of which some survives for a while. */
function youngBytesAfterLoad(first: string): number {
  const program = `${first}
    const { getHeapSpaceStatistics } = await import('node:v8');
    let kept = [];
    for (let i = 0; i < 3e6; i++) {
      kept.push({ i, more: [i] });
      if (kept.length > 1e5) kept = [];
    }
    console.log(getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space').space_size);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }));
}
