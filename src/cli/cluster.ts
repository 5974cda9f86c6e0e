import { systemClock } from '../base/clock.js';
import { showVersion } from '../model/version.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { quietGrpc } from '../rpc/server.js';
import { wireOf } from './dial.js';
import { type ClusterView, type NodeView, viewOf } from './cluster-view.js';
import { formatAge } from './duration.js';
import { infoOf, infoText } from './cluster-info.js';
import { EXIT } from './exit.js';
import { exitOfHealth } from './health.js';
import { type Inspection, inspectCluster } from './inspect.js';
import { knock } from './knock.js';
import type { ConnectionArgs } from './options.js';
import { type Format, type Output, print } from './output.js';
import { type Column, renderTable } from './table.js';

const COLUMNS: readonly Column<NodeView>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ROLE', cell: ({ role }) => role },
  { title: 'ADDRESS', cell: ({ address }) => address },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'TERM', cell: ({ term }) => textOf(term) },
  { title: 'COMMIT/APPLIED', cell: ({ commitIndex, appliedIndex }) => (commitIndex === undefined ? '' : `${commitIndex}/${appliedIndex}`) },
  { title: 'LAG', cell: ({ lag }) => textOf(lag) },
  { title: 'SECTIONS', cell: ({ sections }) => textOf(sections) },
  { title: 'PID', cell: ({ pid }) => textOf(pid) },
  { title: 'UPTIME', cell: ({ uptimeMs }) => (uptimeMs === undefined ? '' : formatAge(uptimeMs)) },
  { title: 'VERSION', isWide: true, cell: ({ version }) => version ?? '' },
  { title: 'ERROR', isWide: true, cell: ({ error }) => error ?? '' },
];

/** `seqctl cluster info`: what it is, rather than how it is. */
export async function clusterInfo(args: ConnectionArgs, output: Output): Promise<number> {
  const info = infoOf(await inspect(args));
  print(output, args.output, { kind: 'ClusterInfo', body: info, table: infoText(info) });
  return EXIT.ok;
}

/** `seqctl cluster status`: exit 0 only when the cluster is healthy, 4 when it is degraded, 3 when it does not serve or nobody knows. */
export async function clusterStatus(args: ConnectionArgs, output: Output): Promise<number> {
  const view = viewOf(await inspect(args));
  print(output, args.output, { kind: 'ClusterStatus', body: view, table: tableOf(view, args.output) });
  return exitOfHealth(view.health);
}

async function inspect(args: ConnectionArgs): Promise<Inspection> {
  const { endpoints, timeoutMs } = args;
  quietGrpc();
  await knock(args, systemClock);
  const pool = new ChannelPool({ clock: systemClock, wire: wireOf(args) });
  try {
    return await inspectCluster(endpoints, { pool, clock: systemClock, timeoutMs });
  } finally {
    pool.close();
  }
}

function tableOf(view: ClusterView, format: Format): string {
  const head = `cluster ${view.clusterId} is ${view.health}, routing version ${showVersion(view.routingVersion)}\n`;
  const problems = view.problems.map((problem) => `  ${problem}\n`).join('');
  return `${head}${problems}\n${renderTable(COLUMNS, view.nodes, format)}`;
}

function textOf(value: bigint | number | undefined): string {
  return value === undefined ? '' : String(value);
}
