import { expect } from 'chai';
import { addDiskMetrics } from '../../../src/ops/disk-metrics.js';
import { Metrics } from '../../../src/ops/metrics.js';
import { readPage } from './page.js';

describe('addDiskMetrics', () => {
  const shown = async (metrics: Metrics): Promise<(number | undefined)[]> => {
    const page = readPage(await metrics.render());
    return ['seqsvr_store_disk_free_bytes', 'seqsvr_store_disk_size_bytes'].map((name) => page.get(name)?.samples.get(name));
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const make = (): Metrics => new Metrics({ version: 'x', hasProcess: false });

  it('shows what the system says of the folder, and asks anew for each page', async () => {
    const metrics = make();
    let freeBytes = 5;
    addDiskMetrics(metrics, '/data', (folder) => Promise.resolve({ freeBytes, sizeBytes: folder.length }));
    await settled();
    expect(await shown(metrics)).to.deep.equal([5, 5]);
    freeBytes = 4;
    await shown(metrics);
    expect(await shown(metrics)).to.deep.equal([4, 5]);
  });

  it('shows a page although the disk hangs, and asks it once only', async () => {
    const metrics = make();
    let askCount = 0;
    addDiskMetrics(metrics, '/data', () => {
      askCount += 1;
      return new Promise(() => undefined);
    });
    await shown(metrics);
    expect([await shown(metrics), askCount]).to.deep.equal([[0, 0], 1]);
  });

  it('is 0 where the folder is not there, and the real size where it is', async () => {
    const [missing, real] = [make(), make()];
    addDiskMetrics(missing, '/nowhere/at/all');
    addDiskMetrics(real, '.');
    for (let round = 0; round < 100 && (await shown(real))[1] === 0; round++) await settled();
    expect(await shown(missing)).to.deep.equal([0, 0]);
    const [free = 0, size = 0] = await shown(real);
    expect(size).to.be.greaterThan(free);
    expect(free).to.be.greaterThan(0);
  });
});
