import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, parseConnection } from './options.js';
import { WATCH_OPTIONS, watching } from './watch.js';

const WHOLE = { type: 'boolean', default: false, describe: 'every node of the cluster, not only --endpoints' } as const;

/** `seqctl endpoint ...` */
export function addEndpoint(program: Argv, voices: Voices, choose: Choose): void {
  program.command('endpoint', 'ask nodes one by one, each for itself', (group) =>
    group
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('endpoint'))
      .command(
        'health',
        'one word for each: healthy, degraded, unavailable or unknown, and why',
        (leaf) =>
          asLeaf(leaf)
            .options(WATCH_OPTIONS)
            .option('cluster', WHOLE)
            .example('$0 endpoint health --cluster', 'every node; exit code 0 healthy, 4 degraded, 3 unavailable or unknown')
            .example('$0 endpoint health --endpoints 10.0.0.4:7071', 'this one, also while its cluster is down'),
        (args) =>
          choose(
            watching(args, voices, async (connection, shown) =>
              (await import('./endpoint.js')).endpointHealth({ ...connection, isWhole: args.cluster }, shown),
            ),
          ),
      )
      .command(
        'status',
        'what each says of itself: role, term, log, lease, version',
        (leaf) =>
          asLeaf(leaf)
            .options(WATCH_OPTIONS)
            .option('cluster', WHOLE)
            .example('$0 endpoint status --cluster -o wide', 'with process ids, log lengths and reasons'),
        (args) =>
          choose(
            watching(args, voices, async (connection, shown) =>
              (await import('./endpoint.js')).endpointStatus({ ...connection, isWhole: args.cluster }, shown),
            ),
          ),
      )
      .command(
        'hash',
        'whether all stores hold the same state: the digest of each, compared at equal indexes',
        (leaf) => asLeaf(leaf).example('$0 endpoint hash', 'exit code 4 when two differ'),
        (args) => choose(async () => (await import('./endpoint.js')).endpointHash(parseConnection(args), voices)),
      )
      .example('$0 endpoint health --cluster', 'is every node well?'),
  );
}
