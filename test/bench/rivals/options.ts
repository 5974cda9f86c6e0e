import { parseArgs } from 'node:util';

/** What can be measured by itself. */
export const PARTS = ['next', 'frames', 'unary', 'etcd', 'postgres', 'open', 'scale', 'memory', 'workers'] as const;
export type Part = (typeof PARTS)[number];

export interface BenchOptions {
  readonly rounds: number;
  /** Measured in each cell; a third of it again warms up. */
  readonly seconds: number;
  /** Of each open loop. */
  readonly openSeconds: number;
  /** Whose memory is measured. */
  readonly touchedUids: number;
  readonly parts: ReadonlySet<Part>;
  readonly isQuick: boolean;
  readonly isProfiled: boolean;
  /** Debian's packages of the rivals are installed first. */
  readonly isInstalled: boolean;
  /** Where the raw numbers go. */
  readonly json: string | undefined;
}

const FULL = { rounds: 5, seconds: 3, openSeconds: 60, touchedUids: 10_000_000 };
/** Under a minute, start and end included: for a look, not for a claim. */
const QUICK = { rounds: 1, seconds: 0.6, openSeconds: 3, touchedUids: 2_000_000 };

export const USAGE = `usage: npm run bench [-- OPTION...]
  --quick            under a minute: ${QUICK.rounds} round of ${QUICK.seconds} s, open loops of ${QUICK.openSeconds} s
  --rounds N         how often each cell is measured; ${FULL.rounds} unless given
  --seconds S        how long each measurement takes; ${FULL.seconds} unless given
  --only NAME[,...]  some parts: ${PARTS.join(', ')}
  --json FILE        writes the raw numbers there
  --profile          profiles the AllocSvr and the client, and prints where their time went
  --install          installs Debian's packages of the rivals first, as root
  --help             this page
The exit code is 0 when everything asked for was measured, whether or not each goal was reached; 1 when something could not be; 2 for a bad option.`;

/** Undefined: it was asked for help. Throws with a sentence for whoever typed it. */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { rounds: text, seconds: text, only: text, json: text, quick: flag, profile: flag, install: flag, help: flag },
  });
  if (values.help) return undefined;
  const preset = values.quick ? QUICK : FULL;
  const rounds = values.rounds === undefined ? preset.rounds : Number(values.rounds);
  const seconds = values.seconds === undefined ? preset.seconds : Number(values.seconds);
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 100) throw new Error(`--rounds must be a whole number in [1, 100], got ${values.rounds}`);
  if (!(seconds >= 0.1 && seconds <= 600)) throw new Error(`--seconds must be in [0.1, 600], got ${values.seconds}`);
  return {
    ...preset,
    rounds,
    seconds,
    parts: parseParts(values.only),
    isQuick: values.quick,
    isProfiled: values.profile,
    isInstalled: values.install,
    json: values.json,
  };
}

function parseParts(only: string | undefined): ReadonlySet<Part> {
  if (only === undefined) return new Set(PARTS);
  return new Set(
    only.split(',').map((name) => {
      const part = PARTS.find((known) => known === name);
      if (part === undefined) throw new Error(`--only must name some of ${PARTS.join(', ')}, got '${name}'`);
      return part;
    }),
  );
}
