import { parseArgs } from 'node:util';

export interface BenchOptions {
  readonly rounds: number;
  /** Measured in each cell; a third of it again warms up. */
  readonly seconds: number;
  /** Where the raw numbers go. */
  readonly json: string | undefined;
}

const ROUNDS = 5;
const SECONDS = 3;
/** Under a minute, start and end included: for a look, not for a claim. */
const QUICK = { rounds: 2, seconds: 1 };

export const USAGE = `usage: npm run bench:raft [-- --rounds N --seconds S --json FILE --quick]
  --rounds N    how often each system is measured at each number of callers; ${ROUNDS} unless given
  --seconds S   how long each measurement takes; ${SECONDS} unless given
  --json FILE   writes the raw numbers there
  --quick       ${QUICK.rounds} rounds of ${QUICK.seconds} s`;

/** Throws with a sentence for whoever typed it. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: { type: 'string' }, seconds: { type: 'string' }, json: { type: 'string' }, quick: { type: 'boolean', default: false } },
  });
  const preset = values.quick ? QUICK : { rounds: ROUNDS, seconds: SECONDS };
  const rounds = values.rounds === undefined ? preset.rounds : Number(values.rounds);
  const seconds = values.seconds === undefined ? preset.seconds : Number(values.seconds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) throw new Error(`--rounds must be a whole number in [1, 100], got ${values.rounds}`);
  if (!(seconds >= 0.1 && seconds <= 600)) throw new Error(`--seconds must be in [0.1, 600], got ${values.seconds}`);
  return { rounds, seconds, json: values.json };
}
