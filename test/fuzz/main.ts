import { parseArgs } from 'node:util';
import type { Finding, Report } from './loop.js';
import { targets } from './targets.js';
import { Watchdog } from './watchdog.js';

const SECONDS_DEFAULT = 10;

/** `npm run fuzz [-- --target NAME] [--seconds N] [--seed S] [--inputs N] [--outcomes] [--replay BASE64]`: exit code 1 with a finding. */
const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    inputs: { type: 'string' },
    outcomes: { type: 'boolean', default: false },
    replay: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
});

const names = values.target ?? targets.map(({ name }) => name);
const unknown = names.find((name) => !targets.some((target) => target.name === name));
if (values.list) for (const { name, about } of targets) console.log(`${name.padEnd(20)} ${about}`);
else if (unknown !== undefined) {
  console.error(`there is no target '${unknown}'; there are ${targets.map(({ name }) => name).join(', ')}`);
  process.exitCode = 2;
} else process.exitCode = values.replay === undefined ? await runAll() : await replayOne(values.replay);

async function runAll(): Promise<number> {
  const seed = whole('seed', values.seed, 1);
  const inputs = whole('inputs', values.inputs, Number.MAX_SAFE_INTEGER);
  const seconds = whole('seconds', values.seconds, values.inputs === undefined ? SECONDS_DEFAULT : Number.MAX_SAFE_INTEGER);
  console.log(
    `${names.length} targets, seed ${seed}, each ${values.seconds === undefined && values.inputs !== undefined ? '' : `${seconds} s`}${values.inputs === undefined ? '' : ` at most ${inputs} inputs`}`,
  );
  const watchdog = new Watchdog();
  const reports: Report[] = [];
  for (const name of names) {
    const report = await watchdog.run(name, { seed, inputs, seconds });
    reports.push(report);
    console.log(lineOf(report));
    if (values.outcomes)
      for (const [outcome, count] of [...report.outcomes].sort((one, other) => other[1] - one[1]))
        console.log(`    ${String(count).padStart(9)}  ${outcome}`);
    for (const finding of report.findings) tell(finding);
  }
  await watchdog.close();
  const findingCount = reports.reduce((sum, { findings }) => sum + findings.length, 0);
  const inputCount = reports.reduce((sum, report) => sum + report.inputs, 0);
  console.log(`fuzz: ${reports.length} targets, ${inputCount} inputs, ${findingCount} findings`);
  return findingCount === 0 ? 0 : 1;
}

async function replayOne(text: string): Promise<number> {
  const [name, ...more] = names;
  if (name === undefined || more.length > 0) throw new Error('--replay needs one --target');
  const watchdog = new Watchdog();
  const result = await watchdog.replay(name, Buffer.from(text, 'base64url'));
  await watchdog.close();
  if (typeof result !== 'string') tell(result);
  else console.log(`no finding: ${result}`);
  return typeof result === 'string' ? 0 : 1;
}

function lineOf({ target, inputs, seconds, outcomes, acceptedCount, slowestMs, growthBytes, findings }: Report): string {
  const rate = Math.round(inputs / Math.max(seconds, 1e-3));
  const share = Math.round((100 * acceptedCount) / Math.max(1, inputs));
  const facts = [`${inputs} inputs`, `${rate}/s`, `${outcomes.size} outcomes`, `${share}% taken`, `slowest ${slowestMs.toFixed(1)} ms`];
  return `${findings.length === 0 ? 'ok  ' : 'FAIL'} ${target.padEnd(18)} ${facts.join(', ')}, memory ${growthBytes >= 0 ? '+' : ''}${(growthBytes / 2 ** 20).toFixed(1)} MiB`;
}

function tell({ target, seed, number, kind, input, what }: Finding): void {
  const base64 = Buffer.from(input).toString('base64url');
  console.log(`  finding (${kind}) in ${target}, seed ${seed}, input ${number} (${input.length} bytes)`);
  console.log(`  hex: ${Buffer.from(input).toString('hex').slice(0, 2_000)}`);
  console.log(what.replaceAll(/^/gm, '    '));
  console.log(`  replay: npm run fuzz -- --target ${target} --replay '${base64}'`);
}

function whole(name: string, text: string | undefined, fallback: number): number {
  const value = text === undefined ? fallback : Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number of at least 1, got '${text}'`);
  return value;
}
