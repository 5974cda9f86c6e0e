import { expect } from 'chai';
import { machineLimits, NEMESES } from './nemesis/all.js';
import { runOnce } from './run.js';

const SECONDS = 4;

/** What is here is a smoke: `npm run jepsen` plays all of it, for as long as you like. */
describe('live runs', function () {
  this.timeout(180_000);
  const whyNot = machineLimits();
  const scenarios = [
    { name: 'processes are killed and paused', nemeses: ['kill', 'pause'], seed: 11, isOnLoopback: false },
    { name: 'everything loses power at once', nemeses: ['power-loss'], seed: 12, isOnLoopback: false },
    {
      name: 'connections between proxies on loopback are held one way and cut in the middle',
      nemeses: ['partition', 'cut'],
      seed: 14,
      isOnLoopback: true,
    },
  ];

  for (const { name, nemeses: names, seed, isOnLoopback } of scenarios) {
    it(`gave every number once and in order while ${name}`, async function () {
      const nemeses = NEMESES.filter((nemesis) => names.includes(nemesis.name));
      const missing = nemeses.flatMap(({ needs }) => needs.flatMap((need) => whyNot(need) ?? []));
      if (missing.length > 0) {
        console.log(`      skipped: ${missing.join('; ')}`);
        this.skip();
      }
      const inNamespaces = !isOnLoopback && whyNot('namespaces') === undefined;
      const report = await runOnce({ seed, seconds: SECONDS, nemeses, stores: 3, allocs: 2, inNamespaces, out: undefined });
      for (const { nemesis, what, proof } of report.strikes) console.log(`      ${nemesis}: ${what} (${proof ?? 'nothing happened'})`);
      console.log(
        `      ${report.operations} operations, ${report.answered} answered, ${report.unknown} of unknown outcome; ${report.setMapCalls} compare-and-set calls`,
      );
      expect(report.problems, `${report.problems.join('\n')}\n${report.out ?? ''}`).to.deep.equal([]);
      expect(report.verdict).to.equal('valid');
    });
  }
});
