import { isNewer, type Version } from '../model/version.js';
import { deltaToWire, tableToWire } from '../rpc/codec.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import type { AllocNode } from './node.js';

/** What a reply says of the route. */
export interface RouteReply {
  readonly routing: common.RoutingTable | undefined;
  readonly routingDelta: common.RoutingDelta | undefined;
}

/** The caller's table is as new. */
export const NO_ROUTE: RouteReply = { routing: undefined, routingDelta: undefined };

/** The newest table, but only for a caller whose own is older; what changed since, when that is known and shorter. */
export function routeFor(node: Pick<AllocNode, 'table' | 'deltaFrom'>, known: Version): RouteReply | undefined {
  const { table } = node;
  if (table === undefined || !isNewer(table.version, known)) return undefined;
  const delta = node.deltaFrom(known);
  if (delta === undefined) return { routing: tableToWire(table), routingDelta: undefined };
  return { routing: undefined, routingDelta: deltaToWire(delta) };
}
