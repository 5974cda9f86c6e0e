import { parseArgs, USAGE } from './args.js';
import { type Bounds, SMALL } from './bounds.js';
import { type Exploration, explore } from './explore.js';
import { boundsOf, type Mutant, withoutOf } from './mutants.js';

/** A line is printed this often while a scope is explored, in ms of processor time. */
const TELL_EVERY_MS = 30_000;

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof RangeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}

function main(args: readonly string[]): number {
  const wanted = parseArgs(args);
  if (wanted === undefined) {
    console.log(USAGE);
    return 0;
  }
  const { scopes, mutants, isCustom, recoverEvery } = wanted;
  const isRuleTest = mutants.length === 1;
  let failureCount = 0;
  let stateCount = 0;
  for (const [name, bounds] of isRuleTest ? [] : scopes) {
    console.log(`${name}: ${wordsOf(bounds)}`);
    const { seconds, ...found } = timed(() => explore({ bounds, recoverEvery, onLevel: teller() }));
    stateCount += found.stateCount;
    if (!found.isWhole || found.stuckCount > 0) failureCount += 1;
    console.log(`  ${found.isWhole && found.stuckCount === 0 ? 'PASS' : 'FAIL'}  ${figuresOf(found, seconds)}`);
    console.log(`        ${found.stuckCount} stuck; of ${found.recoveredCount.toLocaleString('en')} asked, all can get well again`);
    tellViolation(found);
  }
  if (!isRuleTest) console.log(`${stateCount.toLocaleString('en')} states in all`);
  for (const mutant of mutants) failureCount += tellMutant(mutant, isCustom ? (scopes[0]?.[1] ?? SMALL) : boundsOf(mutant), isRuleTest) ? 0 : 1;
  console.log(failureCount === 0 ? 'PASS' : `FAIL: ${failureCount}`);
  return failureCount === 0 ? 0 : 1;
}

/** True: it was found. */
function tellMutant(mutant: Mutant, bounds: Bounds, isTold: boolean): boolean {
  const { seconds, ...found } = timed(() => explore({ bounds, mutant }));
  const outcome = found.violation === undefined ? 'NOT FOUND' : `found, ${found.violation.trace.length} steps`;
  console.log(`  ${mutant.padEnd(22)} ${outcome}, ${found.stateCount.toLocaleString('en')} states, ${seconds.toFixed(1)} s: ${withoutOf(mutant)}`);
  if (isTold) tellViolation(found);
  return found.violation !== undefined;
}

function tellViolation({ violation }: Exploration): void {
  if (violation === undefined) return;
  console.log(`  ${violation.what}`);
  for (const [index, step] of violation.trace.entries()) console.log(`  ${String(index + 1).padStart(4)}  ${step}`);
}

function figuresOf({ stateCount, stepCount, depth }: Exploration, seconds: number): string {
  const [states, steps] = [stateCount.toLocaleString('en'), stepCount.toLocaleString('en')];
  return `${states} states, ${steps} transitions, depth ${depth}, ${seconds.toFixed(1)} s, ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB`;
}

/** Only what is not smallest is said. */
function wordsOf(bounds: Bounds): string {
  const always = new Set<string>(['allocs', 'sections', 'skew', 'lease']);
  const said = Object.entries(bounds).filter(([key, value]) => always.has(key) || value !== SMALL[key as keyof Bounds]);
  return said.map(([key, value]) => (value === true ? key : `${key} ${value}`)).join(', ');
}

function teller(): (progress: { readonly depth: number; readonly stateCount: number; readonly waitingCount: number }) => void {
  let toldAtMs = processorMs();
  return ({ depth, stateCount, waitingCount }) => {
    if (processorMs() - toldAtMs < TELL_EVERY_MS) return;
    toldAtMs = processorMs();
    console.log(`        depth ${depth}: ${stateCount.toLocaleString('en')} states, ${waitingCount.toLocaleString('en')} of them new`);
  };
}

/** Seconds of processor time: other programs of the machine do not count. */
function timed(run: () => Exploration): Exploration & { readonly seconds: number } {
  const startMs = processorMs();
  return { ...run(), seconds: (processorMs() - startMs) / 1000 };
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
