import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { MUTANTS } from './catalogue.js';
import { killAll } from './child.js';
import type { Mutant } from './mutant.js';
import { runTests } from './run-tests.js';
import { askSimulator, SIM_SEEDS, type SimVerdict } from './simulator.js';
import { tableOf } from './table.js';
import { troubleWith, type Verdict, verdictOf } from './verdict.js';
import { Workbench } from './workbench.js';

const USAGE = `npm run mutants                    seeds each bug into a copy of the build and runs the test that must notice it
npm run mutants -- --only NAME     those whose name has NAME in it
npm run mutants -- --list          names and rules, and nothing is run
npm run mutants -- --with-sim      asks the simulator too, for the bugs of the protocol (much longer)
                   --sim-seeds N   seeds for each of them (default ${SIM_SEEDS})
                   --jobs N        so many at a time (default: as many as there are processors, at most 2)`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
    'with-sim': { type: 'boolean', default: false },
    'sim-seeds': { type: 'string', default: String(SIM_SEEDS) },
    jobs: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    help: { type: 'boolean', default: false },
  },
});

const simSeeds = Number(values['sim-seeds']) || SIM_SEEDS;
const benches: Workbench[] = [];
const chosen = MUTANTS.filter(({ name }) => name.includes(values.only));
process.on('SIGINT', () => process.exit(130)).on('SIGTERM', () => process.exit(143));
process.on('exit', () => {
  killAll();
  for (const bench of benches) bench.remove();
});

if (values.help) console.log(USAGE);
else if (values.list) for (const { name, rule } of chosen) console.log(`${name.padEnd(42)} ${rule}`);
else process.exitCode = await run();

/** Returns the exit code. */
async function run(): Promise<number> {
  if (chosen.length === 0) {
    console.error(`no mutant has '${values.only}' in its name; --list shows them`);
    return 2;
  }
  const jobs = Math.max(1, Math.min(Number(values.jobs) || 1, chosen.length));
  for (let job = 0; job < jobs; job += 1) benches.push(new Workbench());
  const [first] = benches;
  if (first === undefined || !(await isSound(first))) return 1;

  const verdicts = new Map<Mutant, Verdict>();
  const bySim = new Map<Mutant, SimVerdict>();
  const waiting = [...chosen];
  await Promise.all(
    benches.map(async (bench) => {
      for (let mutant = waiting.shift(); mutant !== undefined; mutant = waiting.shift()) {
        bench.insert(mutant);
        const verdict = verdictOf(mutant, await runTests(bench, [mutant.test], { bail: true }));
        verdicts.set(mutant, verdict);
        console.error(`${verdict.type.padEnd(6)} ${mutant.name}: ${verdict.how}`);
        if (values['with-sim'] && mutant.isForSim) {
          const found = await askSimulator(bench, simSeeds);
          bySim.set(mutant, found);
          console.error(`simulator: ${mutant.name}: ${found.how}`);
        }
      }
    }),
  );

  console.log(tableOf(chosen, verdicts, values['with-sim'] ? bySim : undefined));
  const foundCount = [...verdicts.values()].filter(({ type }) => type === 'found').length;
  if (values['with-sim']) {
    const simCount = [...bySim.values()].filter(({ isFound }) => isFound).length;
    console.log(`simulator: ${simCount}/${bySim.size} found within ${simSeeds} seeds`);
  }
  console.log(`mutants: ${foundCount}/${chosen.length} found`);
  return foundCount === chosen.length ? 0 : 1;
}

/** Every detector passes while there is no mutant: otherwise it would find anything. */
async function isSound(bench: Workbench): Promise<boolean> {
  const clean = await runTests(
    bench,
    chosen.map(({ test }) => test),
    { bail: false },
  );
  const troubles = chosen.flatMap((mutant) => {
    const trouble = troubleWith(mutant, clean);
    return trouble === undefined ? [] : [`${mutant.name}: ${trouble}`];
  });
  for (const trouble of troubles) console.error(trouble);
  if (troubles.length > 0)
    console.error(`without any mutant ${troubles.length} detectors do not pass${clean.tests.length > 0 ? '' : `: ${clean.output.slice(-500)}`}`);
  if (troubles.length > 0 || !values['with-sim']) return troubles.length === 0;
  const { isFound, how } = await askSimulator(bench, simSeeds);
  if (isFound) console.error(`without any mutant the simulator says: ${how}`);
  return !isFound;
}
