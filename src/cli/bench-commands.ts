import type { Argv } from 'yargs';
import { SeqError } from '../base/errors.js';
import { UIDS_PER_REQUEST_MAX } from '../rpc/limits.js';
import type { BenchArgs } from './bench.js';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import { parseDurationMs } from './duration.js';
import { addMachineChecks } from './doctor-commands.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, type ConnectionFlags, parseConnection, parseWhole, YES } from './options.js';
import { parseLoad } from './perf.js';

const RATE_MAX = 10_000_000;
const CALLERS_MAX = 10_000;
/** Each takes 8 bytes here. */
const UIDS_MAX = 10_000_000;
/** Of all callers together. */
const UIDS_UNDER_WAY_MAX = 1_000_000;
const DURATION_MAX_MS = 24 * 3_600_000;

const LOAD_OPTIONS = {
  uids: { type: 'string', describe: 'drawn at random from the first so many of the cluster (default 100000, or all)', requiresArg: true },
  'warm-up': { type: 'string', default: '1s', describe: 'the same load before anything is measured; its order is checked', requiresArg: true },
  duration: { type: 'string', default: '10s', describe: 'for how long, such as 10s or 5m', requiresArg: true },
  strict: { type: 'boolean', default: false, describe: 'ownership is confirmed by a quorum for each call' },
  yes: YES,
} as const;

/** `seqctl bench` */
export function addBench(program: Argv, voices: Voices, choose: Choose): void {
  program.command(
    'bench',
    'take numbers at a rate, and say how long that took: latency counts from when a call was due',
    (command) =>
      asLeaf(command)
        .options(CONNECTION_OPTIONS)
        .options(LOAD_OPTIONS)
        .option('rate', { type: 'string', default: '0', describe: 'calls a second; 0: as fast as the callers go', requiresArg: true })
        .option('callers', {
          type: 'string',
          default: '256',
          describe: 'each waits for its number before it asks again; for --rate 0',
          requiresArg: true,
        })
        .option('many', { type: 'string', default: '1', describe: 'uids in one call: nextMany instead of next', requiresArg: true })
        .example('$0 bench --yes', '256 callers for ten seconds')
        .example('$0 bench --rate 20000 --duration 1m --yes -o json', 'whether a rate is held, for a program'),
    (args) =>
      choose(async () => {
        const own = {
          rate: within('--rate', args.rate, 0, RATE_MAX),
          callers: within('--callers', args.callers, 1, CALLERS_MAX),
          many: within('--many', args.many, 1, UIDS_PER_REQUEST_MAX),
        };
        if (own.rate === 0 && own.callers * own.many > UIDS_UNDER_WAY_MAX)
          throw new SeqError('INVALID_ARGUMENT', `--callers times --many must be at most ${UIDS_UNDER_WAY_MAX}, got ${own.callers * own.many}`);
        return (await import('./bench.js')).bench({ ...loadArgs(args), ...own }, voices);
      }),
  );
}

/** `seqctl check perf` */
export function addCheck(program: Argv, voices: Voices, choose: Choose): void {
  program.command('check', 'check a running cluster, or the machine for one', (group) => {
    addMachineChecks(group, voices, choose);
    return group
      .demandCommand(1, needOf('check'))
      .command(
        'perf',
        'whether it holds a load: throughput, latency, order, each with PASS or FAIL',
        (command) =>
          asLeaf(command)
            .options(CONNECTION_OPTIONS)
            .options({ ...LOAD_OPTIONS, duration: { ...LOAD_OPTIONS.duration, default: '60s' } })
            .option('load', {
              type: 'string',
              default: 's',
              describe: 's, m, l or xl: 1,000, 20,000, 100,000 or 500,000 numbers a second',
              requiresArg: true,
            })
            .example('$0 check perf --yes', 'exit code 0 when all of it passes')
            .example('$0 check perf --load l --duration 5m --yes', 'a higher rate for longer'),
        (args) =>
          choose(async () => {
            const levels = parseLoad(args.load);
            return (await import('./bench.js')).checkPerf({ ...loadArgs(args), rate: levels.rate, callers: 1, many: 1 }, levels, voices);
          }),
      )
      .example('$0 check perf --yes', 'does it hold 1,000 numbers a second?');
  });
}

interface LoadFlags extends ConnectionFlags {
  readonly uids: string | undefined;
  readonly 'warm-up': string;
  readonly duration: string;
  readonly strict: boolean;
  readonly yes: boolean;
}

function loadArgs(flags: LoadFlags): Omit<BenchArgs, 'rate' | 'callers' | 'many'> {
  const durationMs = parseTime('--duration', flags.duration, 1);
  const warmUpMs = parseTime('--warm-up', flags['warm-up'], 0);
  const uids = flags.uids === undefined ? undefined : within('--uids', flags.uids, 1, UIDS_MAX);
  return { ...parseConnection(flags), uids, warmUpMs, durationMs, strict: flags.strict, isConfirmed: flags.yes };
}

function parseTime(flag: string, text: string, minMs: number): number {
  const ms = parseDurationMs(text);
  if (ms < minMs || ms > DURATION_MAX_MS)
    throw new SeqError('INVALID_ARGUMENT', `${flag} must be ${minMs}ms to ${DURATION_MAX_MS / 3_600_000}h, got ${text}`);
  return ms;
}

function within(flag: string, text: string, min: number, max: number): number {
  const value = parseWhole(flag, text);
  if (value < min || value > max) throw new SeqError('INVALID_ARGUMENT', `${flag} must be in [${min}, ${max}], got ${value}`);
  return value;
}
