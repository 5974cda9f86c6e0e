import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, type ConnectionFlags, DRY_RUN, parseConnection, REASON, WAIT, WAIT_DEFAULT, WAITING_OPTIONS, YES } from './options.js';
import { WATCH_OPTIONS, watching } from './watch.js';

const NAME = { type: 'string', demandOption: true, describe: 'the name of an AllocSvr, as alloc list shows it' } as const;

type Add = (group: Argv<ConnectionFlags>, voices: Voices, choose: Choose) => void;

/** `seqctl alloc ...` */
export function addAlloc(program: Argv, voices: Voices, choose: Choose): void {
  program.command('alloc', 'see AllocSvrs, and empty them for maintenance', (command) => {
    const group = command.options(WAITING_OPTIONS).demandCommand(1, needOf('alloc'));
    for (const add of [addList, addDrain, addResume, addRemove]) add(group, voices, choose);
    return group.example('$0 alloc list', 'who is there, what each has, and who is silent');
  });
}

/** `seqctl set ...` */
export function addSet(program: Argv, voices: Voices, choose: Choose): void {
  program.command('set', 'see and extend the sets that clients reach from any of them', (command) =>
    command
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('set'))
      .command(
        'list',
        'every set with its uids, as the set that is asked has them',
        (leaf) => asLeaf(leaf).options(WATCH_OPTIONS).example('$0 set list --endpoints 10.0.0.7:7071', 'every set keeps a copy'),
        (args) => choose(watching(args, voices, async (connection, shown) => (await import('./set.js')).setList(connection, shown))),
      )
      .command(
        'add <name>',
        'enter a set that runs; repeated, it completes what was left',
        (leaf) =>
          asLeaf(leaf)
            .positional('name', { type: 'string', demandOption: true, describe: 'what it is to be called' })
            .option('seeds', { type: 'string', demandOption: true, describe: 'host:port of some of its nodes, with commas', requiresArg: true })
            .option('home', {
              type: 'string',
              default: 'main',
              describe: 'on first use: the name of the set at --endpoints, which decides',
              requiresArg: true,
            })
            .options({ 'dry-run': DRY_RUN, yes: YES, reason: REASON })
            .example('$0 set add west --seeds 10.0.1.1:7071,10.0.1.2:7071', 'its uids must overlap with none of the others')
            .example('$0 set add west --seeds 10.0.1.1:7071 --dry-run', 'shows the map that would be'),
        (args) =>
          choose(async () => {
            const how = { isDryRun: args['dry-run'], isConfirmed: args.yes, reason: args.reason };
            const options = { ...parseConnection(args, SET_ADD_DEFAULT), name: args.name, seeds: args.seeds, home: args.home };
            return (await import('./set-add.js')).setAdd({ ...options, ...how }, voices);
          }),
      )
      .example('$0 set list -o json', 'for a program; 64-bit values are text'),
  );
}

/** It talks to every set. */
const SET_ADD_DEFAULT = '30s';

const addList: Add = (group, voices, choose) => {
  group.command(
    'list',
    'every AllocSvr as the leader hears it',
    (leaf) => asLeaf(leaf).options(WATCH_OPTIONS).example('$0 alloc list -o json', 'for a program'),
    (args) => choose(watching(args, voices, async (connection, shown) => (await import('./alloc.js')).allocList(connection, shown))),
  );
};

const addDrain: Add = (group, voices, choose) => {
  group.command(
    'drain <name>',
    'hand its sections to others, with their exact counters; its process goes on and gets no more',
    (leaf) =>
      asLeaf(leaf)
        .positional('name', NAME)
        .options({ wait: WAIT, reason: REASON, 'dry-run': DRY_RUN })
        .example('$0 alloc drain alloc-1', 'waits until it owns nothing; alloc resume or a restart ends it'),
    (args) =>
      choose(async () => {
        const options = {
          ...parseConnection(args, args.wait ? WAIT_DEFAULT : undefined),
          name: args.name,
          waits: args.wait,
          reason: args.reason,
          isDryRun: args['dry-run'],
        };
        return (await import('./alloc.js')).allocDrain(options, voices);
      }),
  );
};

const addResume: Add = (group, voices, choose) => {
  group.command(
    'resume <name>',
    'let it have sections again after a drain',
    (leaf) =>
      asLeaf(leaf)
        .positional('name', NAME)
        .options({ reason: REASON, 'dry-run': DRY_RUN })
        .example('$0 alloc resume alloc-1', 'it gets its share in a few seconds'),
    (args) =>
      choose(async () =>
        (await import('./alloc.js')).allocResume(
          { ...parseConnection(args), name: args.name, reason: args.reason, isDryRun: args['dry-run'] },
          voices,
        ),
      ),
  );
};

const addRemove: Add = (group, voices, choose) => {
  group.command(
    'remove <name>',
    'take out one that does not come back; drain it first if it lives',
    (leaf) =>
      asLeaf(leaf)
        .positional('name', NAME)
        .options({ yes: YES, reason: REASON, 'dry-run': DRY_RUN })
        .example('$0 alloc remove alloc-9', 'asks for the name once more; its lease is waited out')
        .example('$0 alloc remove alloc-9 --yes', 'in a script'),
    (args) =>
      choose(async () => {
        const options = { ...parseConnection(args), name: args.name, isConfirmed: args.yes, reason: args.reason, isDryRun: args['dry-run'] };
        return (await import('./alloc.js')).allocRemove(options, voices);
      }),
  );
};
