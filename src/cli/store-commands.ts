import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, DRY_RUN, fromEnv, parseFormat } from './options.js';

/** `seqsvr store ...`: work on a data directory whose process does not run. */
export function addStore(program: Argv, voices: Voices, choose: Choose): void {
  program.command('store', "work on a StoreSvr's data while it does not run", (group) =>
    group
      .demandCommand(1, needOf('store'))
      .command(
        'recover',
        'the last resort: make a new cluster of one from the data of a StoreSvr whose majority is lost for good',
        (leaf) =>
          asLeaf(leaf)
            .option('force-new-cluster', { type: 'boolean', demandOption: true, describe: 'required: says what it does' })
            .option('config', fromEnv('config', { type: 'string', demandOption: true, describe: 'the config file of this store', requiresArg: true }))
            .option('bump', {
              type: 'string',
              describe: 'lift every max_seq by so much: more than the old cluster can have handed out since',
              requiresArg: true,
            })
            .option('confirm', { type: 'string', describe: "the cluster's id: mean it, and ask nothing", requiresArg: true })
            .options({ 'dry-run': DRY_RUN, output: CONNECTION_OPTIONS.output })
            .example('$0 store recover --force-new-cluster --config store.yaml', 'says what will be lost, and asks for the cluster id')
            .epilogue('Every process of the old cluster must have ended for good before. The other stores join the new one with empty folders.'),
        (args) =>
          choose(async () => {
            const options = {
              config: args.config,
              isForced: args['force-new-cluster'],
              bump: args.bump,
              confirm: args.confirm,
              isDryRun: args['dry-run'],
            };
            return (await import('./store-recover.js')).storeRecover({ ...options, output: parseFormat(args.output) }, voices);
          }),
      )
      .example('$0 store recover --force-new-cluster --config store.yaml', 'when the majority is lost for good'),
  );
}
