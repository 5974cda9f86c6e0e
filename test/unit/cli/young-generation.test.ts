import { execFileSync } from 'node:child_process';
import { expect } from 'chai';

const MODULE = new URL('../../../src/cli/young-generation.js', import.meta.url).href;

describe('the young generation of a server', function () {
  // Each row is a process of its own.
  this.timeout(20_000);

  it('stays as small as it begins, where it would grow with what survives', () => {
    const small = youngBytesAfterLoad(`(await import(${JSON.stringify(MODULE)})).keepYoungGenerationSmall();`);
    const usual = youngBytesAfterLoad('');
    expect(small).to.be.at.most(8 * 2 ** 20);
    expect(usual).to.be.at.least(2 * small);
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
