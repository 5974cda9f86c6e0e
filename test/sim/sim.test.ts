import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectRoot } from '../project-root.js';
import type { Fault } from './fault-kinds.js';
import { drawOptions, type SimOptions } from './options.js';
import { runSeeds } from './pool.js';
import { simulate } from './run.js';
import { shrink } from './shrink.js';
import type { RunSummary } from './summary.js';

const SEEDS = 100;
/** Half as fast again, or as slow, with leases that allow for nothing. */
const BROKEN_CLOCKS: Partial<SimOptions> = {
  skewPpm: 500_000,
  isBeyondDrift: false,
  driftPpm: 0,
  marginMs: 0,
  storeCount: 3,
  clientCount: 10,
  callsPerSecond: 3,
  uidCount: 1,
  healsCoreOnly: false,
  faults: ['allocPause', 'partition', 'oneWay', 'lateReplies', 'allocKill'],
  faultEveryMs: 2_000,
  safetyMs: 30_000,
};
const CORPUS = join(projectRoot, 'test', 'sim', 'corpus');

describe('a simulated cluster under faults', function () {
  this.timeout(900_000);

  it('keeps every promise with seeds 1 to 100, and serves everybody again when it is healed', async () => {
    const failures: string[] = [];
    let [operationCount, simulatedMs] = [0, 0];
    await runSeeds({
      first: 1,
      count: SEEDS,
      workerCount: 2,
      onSummary: (summary) => {
        operationCount += summary.operationCount;
        simulatedMs += summary.simulatedMs;
        if (summary.failure !== undefined) failures.push(show(summary));
        return false;
      },
    });
    console.log(`      ${SEEDS} seeds: ${(simulatedMs / 3_600_000).toFixed(1)} simulated hours, ${operationCount} operations checked`);
    expect(failures).to.deep.equal([]);
  });

  it('plays the same seed in the same way, to the last event', async () => {
    for (const seed of [4, 7]) {
      const [one, other] = [await simulate(drawOptions(seed)), await simulate(drawOptions(seed))];
      expect(other.hash, `seed ${seed}`).to.equal(one.hash);
      expect(other.eventCount).to.equal(one.eventCount);
    }
  });

  it('plays another seed in another way', async () => {
    expect((await simulate(drawOptions(7))).hash).not.to.equal((await simulate(drawOptions(8))).hash);
  });

  it('finds two owners when clocks leave the bound that a run says they keep, and the faults that it takes', async () => {
    const options = drawOptions(8, BROKEN_CLOCKS);
    const { violations, schedule } = await simulate(options);
    expect(violations.map(({ kind }) => kind)).to.deep.equal(['twoOwners']);
    const kept = await shrink(options, schedule, 'twoOwners');
    expect(kept.length).to.be.below(schedule.length);
    expect((await simulate(options, kept)).violations.map(({ kind }) => kind)).to.deep.equal(['twoOwners']);
  });

  for (const file of readdirSync(CORPUS).filter((name) => name.endsWith('.json'))) {
    it(`survives what once broke it: ${file}`, async () => {
      const { options, schedule } = JSON.parse(readFileSync(join(CORPUS, file), 'utf8')) as { options: SimOptions; schedule: readonly Fault[] };
      const { violations } = await simulate(options, schedule);
      expect(violations).to.deep.equal([]);
    });
  }
});

function show({ seed, failure }: RunSummary): string {
  const why = failure?.violations.map((violation) => `${violation.kind}: ${violation.why}`).join('; ');
  return `seed ${seed}: ${why ?? ''}; again: npm run sim -- --seed ${seed}`;
}
