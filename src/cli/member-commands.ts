import type { Argv } from 'yargs';
import { SeqError } from '../base/errors.js';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { type ConnectionFlags, DRY_RUN, parseConnection, WAIT, WAIT_DEFAULT, WAITING_OPTIONS, YES } from './options.js';
import { WATCH_OPTIONS, watching } from './watch.js';

const NAME = { type: 'string', demandOption: true, describe: 'the name of a member, as member list shows it' } as const;
type Add = (group: Argv<ConnectionFlags>, voices: Voices, choose: Choose) => void;

/** `seqctl member ...` */
export function addMember(program: Argv, voices: Voices, choose: Choose): void {
  program.command('member', 'see and change who the StoreSvrs are', (command) => {
    const group = command.options(WAITING_OPTIONS).demandCommand(1, needOf('member'));
    for (const add of [addList, addAdd, addPromote, addRemove, addReplace, addUpdate]) add(group, voices, choose);
    return group.example('$0 member add store-4 10.0.0.4:7071', 'a further StoreSvr, which runs there and waits');
  });
}

/** `seqctl leader ...` */
export function addLeader(program: Argv, voices: Voices, choose: Choose): void {
  program.command('leader', 'see and move who leads the StoreSvrs', (command) =>
    command
      .options(WAITING_OPTIONS)
      .demandCommand(1, needOf('leader'))
      .command(
        'show',
        'the StoreSvr that leads',
        (leaf) => asLeaf(leaf).options(WATCH_OPTIONS).example('$0 leader show -o json', 'exit code 3 while none leads'),
        (args) => choose(watching(args, voices, async (connection, shown) => (await import('./leader.js')).leaderShow(connection, shown))),
      )
      .command(
        'transfer [name]',
        'let another StoreSvr lead, as before maintenance',
        (leaf) =>
          asLeaf(leaf)
            .positional('name', { type: 'string', describe: 'who is to lead (default: the active voter that is the furthest)' })
            .option('dry-run', DRY_RUN)
            .example('$0 leader transfer store-2', 'no call fails: the new one is as far as the old one when it takes over'),
        (args) =>
          choose(async () =>
            (await import('./leader.js')).leaderTransfer({ ...parseConnection(args), name: args.name, isDryRun: args['dry-run'] }, voices),
          ),
      )
      .command(
        'step-down',
        'let any other StoreSvr lead: the one that is the furthest',
        (leaf) => asLeaf(leaf).option('dry-run', DRY_RUN).example('$0 leader step-down', 'before the machine of the leader is taken down'),
        (args) =>
          choose(async () =>
            (await import('./leader.js')).leaderTransfer({ ...parseConnection(args), name: undefined, isDryRun: args['dry-run'] }, voices),
          ),
      )
      .example('$0 leader transfer', 'to the one that is the furthest'),
  );
}

const addList: Add = (group, voices, choose) => {
  group.command(
    'list',
    'every StoreSvr, its role, and how far it is',
    (leaf) => asLeaf(leaf).options(WATCH_OPTIONS).example('$0 member list -o json', 'for a program; 64-bit values are text'),
    (args) => choose(watching(args, voices, async (connection, shown) => (await import('./member.js')).memberList(connection, shown))),
  );
};

const addAdd: Add = (group, voices, choose) => {
  group.command(
    'add <name> <addr>',
    "add a StoreSvr that runs with 'join: true': it becomes a voter once it has caught up",
    (leaf) =>
      asLeaf(leaf)
        .positional('name', { type: 'string', demandOption: true, describe: "its 'name' in its config" })
        .positional('addr', { type: 'string', demandOption: true, describe: "host:port where its 'listen' is reached" })
        .option('learner', { type: 'boolean', default: false, describe: 'leave it without a vote until member promote' })
        .options({ wait: WAIT, 'dry-run': DRY_RUN })
        .example('$0 member add store-4 10.0.0.4:7071', 'waits until it votes')
        .example('$0 member add store-4 10.0.0.4:7071 --learner', 'it gets everything, and has no vote'),
    (args) =>
      choose(async () => {
        const waits = args.wait && !args.learner;
        const options = {
          ...parseConnection(args, waits ? WAIT_DEFAULT : undefined),
          name: args.name,
          address: args.addr,
          isLearner: args.learner,
          isDryRun: args['dry-run'],
        };
        return (await import('./member.js')).memberAdd({ ...options, waits }, voices);
      }),
  );
};

const addPromote: Add = (group, voices, choose) => {
  group.command(
    'promote <name>',
    'make a learner that has caught up a voter',
    (leaf) =>
      asLeaf(leaf).positional('name', NAME).option('dry-run', DRY_RUN).example('$0 member promote store-4', 'one that was added with --learner'),
    (args) =>
      choose(async () =>
        (await import('./member.js')).memberPromote({ ...parseConnection(args), name: args.name, isDryRun: args['dry-run'] }, voices),
      ),
  );
};

const addRemove: Add = (group, voices, choose) => {
  group.command(
    'remove <name>',
    'take a StoreSvr out for good; refused (exit code 5) when too few of the rest are active',
    (leaf) =>
      asLeaf(leaf)
        .positional('name', NAME)
        .options({ wait: WAIT, yes: YES, 'dry-run': DRY_RUN })
        .example('$0 member remove store-4', 'asks for the name once more')
        .example('$0 member remove store-4 --yes', 'in a script'),
    (args) =>
      choose(async () => {
        const options = {
          ...parseConnection(args, args.wait ? WAIT_DEFAULT : undefined),
          name: args.name,
          waits: args.wait,
          isDryRun: args['dry-run'],
        };
        return (await import('./member.js')).memberRemove({ ...options, isConfirmed: args.yes }, voices);
      }),
  );
};

const addReplace: Add = (group, voices, choose) => {
  group.command(
    'replace <name> [newname] [addr]',
    'put new data, or another machine, in the place of a StoreSvr, without a moment of fewer voters',
    (leaf) =>
      asLeaf(leaf)
        .positional('name', NAME)
        .positional('newname', { type: 'string', describe: 'who takes its place (default: itself, with new data)' })
        .positional('addr', { type: 'string', describe: "host:port where the new one's 'listen' is reached" })
        .options({ wait: WAIT, yes: YES, 'dry-run': DRY_RUN })
        .example('$0 member replace store-2', 'it is quarantined, or runs as a joiner on an empty dataDir')
        .example('$0 member replace store-2 store-4 10.0.0.4:7071', 'another machine, which runs there and waits'),
    (args) =>
      choose(async () => {
        if ((args.newname === undefined) !== (args.addr === undefined)) {
          throw new SeqError('INVALID_ARGUMENT', 'a replacement needs both NEWNAME and ADDR, or neither: then NAME comes back with new data');
        }
        const by = args.newname === undefined || args.addr === undefined ? undefined : { name: args.newname, address: args.addr };
        const options = {
          ...parseConnection(args, args.wait ? WAIT_DEFAULT : undefined),
          name: args.name,
          by,
          waits: args.wait,
          isDryRun: args['dry-run'],
        };
        return (await import('./member-replace.js')).memberReplace({ ...options, isConfirmed: args.yes }, voices);
      }),
  );
};

const addUpdate: Add = (group, voices, choose) => {
  group.command(
    'update <name>',
    'change where a StoreSvr is reached; it has to listen there itself',
    (leaf) =>
      asLeaf(leaf)
        .positional('name', NAME)
        .option('peer-address', { type: 'string', describe: 'host:port that other StoreSvrs dial', requiresArg: true })
        .option('address', { type: 'string', describe: 'host:port of its store API', requiresArg: true })
        .option('dry-run', DRY_RUN)
        .example('$0 member update store-2 --peer-address 10.0.0.9:7081 --address 10.0.0.9:7071', 'it has moved with its data'),
    (args) =>
      choose(async () => {
        const options = {
          ...parseConnection(args),
          name: args.name,
          peerAddress: args['peer-address'],
          address: args.address,
          isDryRun: args['dry-run'],
        };
        return (await import('./member.js')).memberUpdate(options, voices);
      }),
  );
};
