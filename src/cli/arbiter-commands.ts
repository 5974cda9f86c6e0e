import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, DRY_RUN, parseConnection, parseWhole, REASON } from './options.js';
import { WATCH_OPTIONS, watching } from './watch.js';

const HISTORY_LIMIT = '50';

/** `seqctl arbiter ...` */
export function addArbiter(program: Argv, voices: Voices, choose: Choose): void {
  program.command('arbiter', 'see and hold who decides where sections are: a role of the leader', (command) =>
    command
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('arbiter'))
      .command(
        'status',
        'what it sees, what holds it back, and what it would do now',
        (leaf) => asLeaf(leaf).options(WATCH_OPTIONS).example('$0 arbiter status', 'why nothing is moved, for example'),
        (args) => choose(watching(args, voices, async (connection, shown) => (await import('./arbiter.js')).arbiterStatus(connection, shown))),
      )
      .command(
        'history',
        'the last decisions with their reasons, oldest first',
        (leaf) =>
          asLeaf(leaf)
            .options(WATCH_OPTIONS)
            .option('limit', { type: 'string', default: HISTORY_LIMIT, describe: 'how many, at most 500', requiresArg: true })
            .example('$0 arbiter history --limit 10', 'what was done last, when and why'),
        (args) =>
          choose(
            watching(args, voices, async (connection, shown) => {
              const options = { ...connection, limit: parseWhole('--limit', args.limit) };
              return (await import('./arbiter.js')).arbiterHistory(options, shown);
            }),
          ),
      )
      .command(
        'pause',
        'decide nothing any more, takeovers included, until it is resumed',
        (leaf) =>
          asLeaf(leaf)
            .options({ reason: REASON, 'dry-run': DRY_RUN })
            .example("$0 arbiter pause --reason 'network maintenance'", 'the sections of an AllocSvr that dies meanwhile are served by nobody'),
        (args) =>
          choose(async () =>
            (await import('./arbiter.js')).arbiterPause(
              { ...parseConnection(args), isPaused: true, reason: args.reason, isDryRun: args['dry-run'] },
              voices,
            ),
          ),
      )
      .command(
        'resume',
        'decide again',
        (leaf) => asLeaf(leaf).options({ reason: REASON, 'dry-run': DRY_RUN }).example('$0 arbiter resume', 'what is to be done is done at once'),
        (args) =>
          choose(async () =>
            (await import('./arbiter.js')).arbiterPause(
              { ...parseConnection(args), isPaused: false, reason: args.reason, isDryRun: args['dry-run'] },
              voices,
            ),
          ),
      )
      .example('$0 arbiter history', 'every decision is an entry of the log, with its reason'),
  );
}

/** `seqctl policy ...` */
export function addPolicy(program: Argv, voices: Voices, choose: Choose): void {
  program.command('policy', 'see and change by which rules sections are placed', (command) =>
    command
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('policy'))
      .command(
        'show',
        'the policy that counts',
        (leaf) => asLeaf(leaf).example('$0 policy show -o json', 'for a program'),
        (args) => choose(async () => (await import('./policy.js')).policyShow(parseConnection(args), voices)),
      )
      .command(
        'set',
        'change it; what is not named stays',
        (leaf) =>
          asLeaf(leaf)
            .option('placement', { type: 'string', describe: 'balanced or primary-standby', requiresArg: true })
            .option('standby', {
              type: 'string',
              describe: 'AllocSvrs that idle until a primary is lost, with commas; what they have now goes with section rebalance',
              requiresArg: true,
            })
            .option('moves', { type: 'string', describe: 'sections on their way by planned moves at once', requiresArg: true })
            .option('silent-share', {
              type: 'string',
              describe: 'above this share of silent AllocSvrs, in percent, nothing is given away',
              requiresArg: true,
            })
            .options({ 'dry-run': DRY_RUN, reason: REASON })
            .example('$0 policy set --placement primary-standby --standby alloc-3', 'alloc-3 idles, and takes over all that a primary had')
            .example('$0 policy set --moves 64 --silent-share 30', 'slower, and more careful'),
        (args) =>
          choose(async () => {
            const flags = { placement: args.placement, standby: args.standby, moves: args.moves, silentShare: args['silent-share'] };
            return (await import('./policy.js')).policySet(
              { ...parseConnection(args), ...flags, isDryRun: args['dry-run'], reason: args.reason },
              voices,
            );
          }),
      )
      .example('$0 policy show', 'in one line'),
  );
}

/** `seqctl lease ...` */
export function addLease(program: Argv, voices: Voices, choose: Choose): void {
  program.command('lease', 'see and change how long an AllocSvr may serve without a word from the leader', (command) =>
    command
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('lease'))
      .command(
        'show',
        'the lease, and how long a silent AllocSvr is waited for',
        (leaf) => asLeaf(leaf).example('$0 lease show', 'the committed one; the files of the stores only found a cluster'),
        (args) => choose(async () => (await import('./policy.js')).leaseShow(parseConnection(args), voices)),
      )
      .command(
        'set',
        'change it without a restart; what is not named stays',
        (leaf) =>
          asLeaf(leaf)
            .option('lease', { type: 'string', describe: 'such as 5s; it must outlast two election rounds', requiresArg: true })
            .option('drift', { type: 'string', describe: 'how far the rate of a clock may be off, such as 1%', requiresArg: true })
            .option('margin', { type: 'string', describe: 'added to the wait, such as 100ms', requiresArg: true })
            .options({ 'dry-run': DRY_RUN, reason: REASON })
            .example('$0 lease set --lease 5s', 'a longer one counts at once')
            .example('$0 lease set --lease 2s --dry-run', 'a shorter one shortens the wait one former wait later'),
        (args) =>
          choose(async () => {
            const flags = { lease: args.lease, drift: args.drift, margin: args.margin };
            return (await import('./policy.js')).leaseSet(
              { ...parseConnection(args), ...flags, isDryRun: args['dry-run'], reason: args.reason },
              voices,
            );
          }),
      )
      .example('$0 lease show', 'in one line'),
  );
}
