import type { Argv } from 'yargs';
import { SeqError } from '../base/errors.js';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import { parseDurationMs } from './duration.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, parseConnection, parseWhole } from './options.js';

/** Often enough for people; a call each. */
const LOOK_EVERY_MIN_MS = 50;
const UID = { type: 'string', demandOption: true, describe: 'the user key, a whole number in [0, 2^64)' } as const;

/** `seqctl seq ...` */
export function addSeq(program: Argv, { output }: Voices, choose: Choose): void {
  program.command('seq', 'take and read numbers', (group) =>
    group
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('seq'))
      .command(
        'next <uid>',
        'take the next number of a uid, or a range of them',
        (leaf) =>
          asLeaf(leaf)
            .positional('uid', UID)
            .option('count', { alias: 'n', type: 'string', describe: 'how many neighbouring numbers', requiresArg: true })
            .example('$0 seq next 42', 'prints one number')
            .example('$0 seq next 42 -n 100 -o json', 'takes a hundred; JSON has "first" and "last"'),
        (args) => choose(async () => (await import('./seq.js')).seqNext({ ...parseConnection(args), uid: args.uid, count: args.count }, output)),
      )
      .command(
        'current <uid>',
        'read the last number handed out for a uid',
        (leaf) => asLeaf(leaf).positional('uid', UID).example('$0 seq current 42', 'hands nothing out'),
        (args) => choose(async () => (await import('./seq.js')).seqCurrent({ ...parseConnection(args), uid: args.uid }, output)),
      )
      .command(
        'tail <uid>',
        'follow a uid: its last number now, and each time it is seen to have grown, until Ctrl-C or --timeout',
        (leaf) =>
          asLeaf(leaf)
            .positional('uid', UID)
            .option('every', {
              type: 'string',
              default: '500ms',
              describe: 'how often to look; what comes between two looks is one step',
              requiresArg: true,
            })
            .option('count', { alias: 'n', type: 'string', describe: 'end after so many lines', requiresArg: true })
            .example('$0 seq tail 42', 'hands nothing out')
            .example('$0 seq tail 42 -n 10 --timeout 1m -o json', 'one object a line, at most ten of them, for a minute at most'),
        (args) =>
          choose(async () => {
            const everyMs = parseDurationMs(args.every);
            if (everyMs < LOOK_EVERY_MIN_MS)
              throw new SeqError('INVALID_ARGUMENT', `--every must be at least ${LOOK_EVERY_MIN_MS}ms, got ${args.every}`);
            const count = args.count === undefined ? undefined : parseWhole('--count', args.count);
            if (count !== undefined && count < 1) throw new SeqError('INVALID_ARGUMENT', `--count must be at least 1, got ${count}`);
            return (await import('./seq-tail.js')).seqTail({ ...parseConnection(args), uid: args.uid, everyMs, count }, output);
          }),
      )
      .example('$0 seq next 42', 'take a number for uid 42'),
  );
}
