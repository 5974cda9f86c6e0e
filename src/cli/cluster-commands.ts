import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import type { Voices } from './member-session.js';
import { CONNECTION_OPTIONS, parseConnection } from './options.js';
import { WATCH_OPTIONS, watching } from './watch.js';

/** `seqctl cluster ...` */
export function addCluster(program: Argv, voices: Voices, choose: Choose): void {
  program.command('cluster', 'look at the whole cluster', (group) =>
    group
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('cluster'))
      .command(
        'status',
        'every node, and one word for all: healthy, degraded, unavailable or unknown',
        (leaf) => asLeaf(leaf).options(WATCH_OPTIONS).example('$0 cluster status', 'exit code 0 healthy, 4 degraded, 3 unavailable or unknown'),
        (args) => choose(watching(args, voices, async (connection, shown) => (await import('./cluster.js')).clusterStatus(connection, shown.output))),
      )
      .command(
        'info',
        'what it is: its id, its uids and sections, its lease, the versions of its nodes',
        (leaf) => asLeaf(leaf).example('$0 cluster info -o yaml', 'for a program, or a report'),
        (args) => choose(async () => (await import('./cluster.js')).clusterInfo(parseConnection(args), voices.output)),
      )
      .example('$0 cluster status -o json', 'the same for a program'),
  );
}

/** `seqctl route ...` */
export function addRoute(program: Argv, voices: Voices, choose: Choose): void {
  program.command('route', 'look at the routing table', (group) =>
    group
      .options(CONNECTION_OPTIONS)
      .demandCommand(1, needOf('route'))
      .command(
        'show',
        'which AllocSvr serves which uids',
        (leaf) => asLeaf(leaf).options(WATCH_OPTIONS).example('$0 route show --endpoints 10.0.0.7:7070', 'the table as that node has it'),
        (args) => choose(watching(args, voices, async (connection, shown) => (await import('./route.js')).routeShow(connection, shown.output))),
      )
      .command(
        'explain <uid>',
        'who serves a uid, and why: its section, epoch and window, the lease of its owner, what is planned',
        (leaf) =>
          asLeaf(leaf)
            .positional('uid', { type: 'string', demandOption: true, describe: 'the user key' })
            .example('$0 route explain 42', 'why a call for uid 42 goes where it goes, or waits'),
        (args) => choose(async () => (await import('./route-explain.js')).routeExplain({ ...parseConnection(args), uid: args.uid }, voices)),
      )
      .example('$0 route show', 'one line for neighbouring sections of one owner'),
  );
}
