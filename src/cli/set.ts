import type { SetEntry, SetMap } from '../model/sets.js';
import { NO_SETS } from '../model/sets.js';
import { setMapFromWire } from '../rpc/codec.js';
import { PlacementServiceService as Placement } from '../rpc/gen/seqsvr/v1/placement.js';
import { EXIT } from './exit.js';
import { type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import type { StoreFinder } from './store-finder.js';
import { type Column, renderTable } from './table.js';

export const SET_COLUMNS: readonly Column<SetEntry>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'UIDS', cell: ({ firstUid, lastUid }) => `${firstUid}..${lastUid}` },
  { title: 'CLUSTER', cell: ({ clusterId }) => clusterId },
  { title: 'SEEDS', cell: ({ seeds }) => seeds.join(',') },
];

/** `seqctl set list`: the map as the set that is asked has it. */
export function setList(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => {
    const map = await mapOf(finder);
    print(voices.output, args.output, { kind: 'SetMap', body: map, table: tableOf(map) });
    if (map.version === 0) voices.output.talk("there is only the set that answers; 'seqctl set add' makes a map");
    return EXIT.ok;
  });
}

/** The map that a set's leader has; version 0: none. */
export async function mapOf(finder: StoreFinder): Promise<SetMap> {
  const { sets } = await finder.callLeader((channel, options) => channel.call(Placement.getSets, {}, options));
  return sets === undefined || sets.version === 0n ? NO_SETS : setMapFromWire(sets);
}

export function tableOf(map: SetMap): string {
  const head = map.version === 0 ? '' : `set map version ${map.version}, decided by ${map.home}\n\n`;
  return head + renderTable(SET_COLUMNS, map.sets);
}
