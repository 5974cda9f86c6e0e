import type { Argv } from 'yargs';
import { systemRandom } from '../base/random.js';
import { asLeaf, type Choose } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, DRY_RUN, parseFormat } from './options.js';

/** `seqsvr init` */
export function addInit(program: Argv, { output }: Voices, choose: Choose): void {
  program.command(
    'init',
    'write the config files of a new cluster, every key explained',
    (command) =>
      asLeaf(command)
        .option('peers', {
          type: 'string',
          demandOption: true,
          describe: 'the stores: NAME=HOST:PORT, 1, 3 or 5 with commas; the port after the next nine is for other stores',
          requiresArg: true,
        })
        .option('allocs', { type: 'string', describe: 'the AllocSvrs, likewise (default: one beside each store, 20 ports up)', requiresArg: true })
        .option('out', { type: 'string', demandOption: true, describe: 'the folder for NAME.yaml files; none is overwritten', requiresArg: true })
        .option('data', {
          type: 'string',
          default: '/var/lib/seqsvr',
          describe: 'where nodes keep their data, each in a folder of its own',
          requiresArg: true,
        })
        .option('insecure', { type: 'boolean', default: false, describe: 'ports that others can reach may be without protection' })
        .options({ 'dry-run': DRY_RUN, output: CONNECTION_OPTIONS.output })
        .example(
          '$0 init --peers a=10.0.0.1:7071,b=10.0.0.2:7071,c=10.0.0.3:7071 --out nodes --insecure',
          'three machines, a store and an AllocSvr each',
        )
        .example('$0 init --peers a=127.0.0.1:7071 --out nodes --data ./data', 'one store and one AllocSvr on this machine'),
    (args) =>
      choose(async () => {
        const [{ init }, { parseNamed }] = await Promise.all([import('./init.js'), import('./init-files.js')]);
        const options = {
          stores: parseNamed('--peers', args.peers),
          allocs: args.allocs === undefined ? [] : parseNamed('--allocs', args.allocs),
          dataRoot: args.data.replace(/\/+$/, ''),
          insecure: args.insecure,
          out: args.out,
          isDryRun: args['dry-run'],
        };
        return init({ ...options, output: parseFormat(args.output) }, { output, random: systemRandom });
      }),
  );
}
