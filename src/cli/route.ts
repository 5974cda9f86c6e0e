import { systemClock } from '../base/clock.js';
import { type RouteLine, routeLinesOf } from '../model/route-lines.js';
import { showVersion } from '../model/version.js';
import { ChannelPool } from '../rpc/channel-pool.js';
import { quietGrpc } from '../rpc/server.js';
import { wireOf } from './dial.js';
import { EXIT } from './exit.js';
import { fetchTable } from './inspect.js';
import { knock } from './knock.js';
import type { ConnectionArgs } from './options.js';
import { type Output, print } from './output.js';
import { type Column, renderTable } from './table.js';

const COLUMNS: readonly Column<RouteLine>[] = [
  { title: 'SECTIONS', cell: ({ firstSection, lastSection }) => `${firstSection}..${lastSection}` },
  { title: 'COUNT', isWide: true, cell: ({ firstSection, lastSection }) => String(lastSection - firstSection + 1) },
  { title: 'UIDS', cell: ({ firstUid, lastUid }) => `${firstUid}..${lastUid}` },
  { title: 'ALLOC', cell: ({ alloc }) => alloc },
  { title: 'ADDRESS', cell: ({ address }) => address },
  { title: 'EPOCH', cell: ({ epoch }) => String(epoch) },
];

/** `seqctl route show`. */
export async function routeShow(args: ConnectionArgs, output: Output): Promise<number> {
  quietGrpc();
  await knock(args, systemClock);
  const pool = new ChannelPool({ clock: systemClock, wire: wireOf(args) });
  try {
    const table = await fetchTable(args.endpoints, { pool, clock: systemClock, timeoutMs: args.timeoutMs });
    const routes = routeLinesOf(table);
    const { version, geometry, stores, allocs } = table;
    print(output, args.output, {
      kind: 'RoutingTable',
      body: { version, geometry, stores, allocs, routes },
      table: `routing version ${showVersion(version)}\n\n${renderTable(COLUMNS, routes, args.output)}`,
    });
    return EXIT.ok;
  } finally {
    pool.close();
  }
}
