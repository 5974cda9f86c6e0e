import type { Argv } from 'yargs';
import { asLeaf, type Choose } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, parseFormat } from './options.js';

/** The commands of `seqctl config` that are of contexts. */
export function addContexts(group: Argv, { output }: Voices, choose: Choose): Argv {
  const format = { output: CONNECTION_OPTIONS.output };
  return group
    .command(
      'get-contexts',
      'the clusters that this user works with',
      (leaf) => asLeaf(leaf).options(format).example('$0 config get-contexts', 'the one in use has a star'),
      (args) => choose(async () => (await import('./context.js')).getContexts(parseFormat(args.output), output)),
    )
    .command(
      'use-context <name>',
      'let commands without --endpoints go to another cluster',
      (leaf) =>
        asLeaf(leaf)
          .positional('name', { type: 'string', demandOption: true, describe: 'as get-contexts shows it' })
          .options(format)
          .example('$0 config use-context prod', 'from now on; --context names one for a single command'),
      (args) => choose(async () => (await import('./context.js')).useContext(args.name, parseFormat(args.output), output)),
    )
    .command(
      'set-context <name>',
      'make a context, or change it; what is not named stays',
      (leaf) =>
        asLeaf(leaf)
          .positional('name', { type: 'string', demandOption: true, describe: 'what it is to be called' })
          .option('endpoints', { type: 'string', describe: 'host:port, several with commas', requiresArg: true })
          .option('timeout', { type: 'string', describe: 'such as 10s', requiresArg: true })
          .option('default-output', { type: 'string', describe: 'how its commands print: table, wide, json or yaml', requiresArg: true })
          .options(format)
          .example('$0 config set-context prod --endpoints 10.0.0.1:7071,10.0.0.2:7071 --timeout 10s', 'the first one is in use at once'),
      (args) =>
        choose(async () => {
          const change = { endpoints: args.endpoints, timeout: args.timeout, output: args['default-output'] };
          return (await import('./context.js')).setContext(args.name, change, parseFormat(args.output), output);
        }),
    )
    .command(
      'view',
      'what endpoints, timeout and output come to now, and who said so: flag, environment, context or default',
      (leaf) => asLeaf(leaf).options(CONNECTION_OPTIONS).example('$0 config view --context prod', 'why a command goes where it goes'),
      (args) =>
        choose(async () => {
          const { endpoints, timeout, output: printed, context } = args;
          return (await import('./context.js')).viewSettings({ endpoints, timeout, output: printed, context }, parseFormat(printed, context), output);
        }),
    );
}
