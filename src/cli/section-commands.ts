import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { type ConnectionFlags, parseConnection, REASON, WAIT, WAIT_DEFAULT, WAITING_OPTIONS, YES } from './options.js';
import { WATCH_OPTIONS, watching } from './watch.js';

const PLAN = { type: 'boolean', alias: 'dry-run', default: false, describe: 'only show what would be moved' } as const;

type Add = (group: Argv<ConnectionFlags>, voices: Voices, choose: Choose) => void;

/** `seqctl section ...` */
export function addSection(program: Argv, voices: Voices, choose: Choose): void {
  program.command('section', 'see and move sections: runs of neighbouring uids that one AllocSvr serves', (command) => {
    const group = command.options(WAITING_OPTIONS).demandCommand(1, needOf('section'));
    for (const add of [addList, addShow, addMove, addRebalance]) add(group, voices, choose);
    return group.example('$0 section list', 'who serves what, and how far each has got');
  });
}

const addList: Add = (group, voices, choose) => {
  group.command(
    'list',
    'every section, neighbours with the same numbers in one line',
    (leaf) =>
      asLeaf(leaf)
        .options(WATCH_OPTIONS)
        .option('alloc', { type: 'string', describe: 'only those of this AllocSvr', requiresArg: true })
        .example('$0 section list --alloc alloc-1', 'what alloc-1 serves'),
    (args) =>
      choose(
        watching(args, voices, async (connection, shown) => (await import('./section.js')).sectionList({ ...connection, alloc: args.alloc }, shown)),
      ),
  );
};

const addShow: Add = (group, voices, choose) => {
  group.command(
    'show <id>',
    'one section: owner, epoch, max_seq and the numbers that are left',
    (leaf) =>
      asLeaf(leaf)
        .options(WATCH_OPTIONS)
        .positional('id', { type: 'string', demandOption: true, describe: 'counted from 0; route show has the uids of each' })
        .example('$0 section show 42 -o json', 'for a program; 64-bit values are text'),
    (args) =>
      choose(
        watching(args, voices, async (connection, shown) => (await import('./section.js')).sectionShow({ ...connection, section: args.id }, shown)),
      ),
  );
};

const addMove: Add = (group, voices, choose) => {
  group.command(
    'move <sections>',
    'let another AllocSvr serve them, with their exact counters and without a failed call',
    (leaf) =>
      asLeaf(leaf)
        .positional('sections', { type: 'string', demandOption: true, describe: 'ID or FIRST..LAST' })
        .option('to', { type: 'string', demandOption: true, describe: 'the AllocSvr that is to have them', requiresArg: true })
        .options({ plan: PLAN, wait: WAIT, yes: YES, reason: REASON })
        .example('$0 section move 42 --to alloc-2 --plan', 'shows what it would do')
        .example('$0 section move 0..99 --to alloc-2 --yes', 'in a script; waits until alloc-2 has them'),
    (args) =>
      choose(async () => {
        const options = { ...parseConnection(args, args.wait ? WAIT_DEFAULT : undefined), sections: args.sections, to: args.to };
        const how = { isPlan: args.plan, isConfirmed: args.yes, waits: args.wait, reason: args.reason };
        return (await import('./section.js')).sectionMove({ ...options, ...how }, voices);
      }),
  );
};

const addRebalance: Add = (group, voices, choose) => {
  group.command(
    'rebalance',
    'spread the sections evenly now, however little is out of it; as many as may be on their way at once',
    (leaf) =>
      asLeaf(leaf)
        .options({ plan: PLAN, wait: WAIT, yes: YES, reason: REASON })
        .example('$0 section rebalance --plan', 'shows what it would move')
        .example('$0 section rebalance', 'shows it, and asks'),
    (args) =>
      choose(async () => {
        const how = { isPlan: args.plan, isConfirmed: args.yes, waits: args.wait, reason: args.reason };
        return (await import('./section.js')).sectionRebalance({ ...parseConnection(args, args.wait ? WAIT_DEFAULT : undefined), ...how }, voices);
      }),
  );
};
