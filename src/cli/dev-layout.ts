import { stringify } from 'yaml';
import { SeqError, show } from '../base/errors.js';
import { DEFAULT_GEOMETRY } from '../model/geometry.js';

/** Where a dev cluster's front door listens, and where the tools look for a cluster, unless told otherwise. */
export const DEFAULT_PORT = 7070;
/** The listener that is the front door of the HTTP gateways. */
export const HTTP_DOOR = 'http';
const HTTP_DOOR_OFFSET = 10;
/** Where it listens when the front door is at DEFAULT_PORT and nothing is in its way. */
export const DEFAULT_HTTP_PORT = DEFAULT_PORT + HTTP_DOOR_OFFSET;
export const DEFAULT_STORES = 3;
export const DEFAULT_ALLOCS = 3;
const ALLOCS_MAX = 16;
/** Ports tried in turn when neither the remembered nor the usual one is free. */
const PORTS_TRIED_MAX = 500;
/** From here on a kernel gives ports to outgoing connections: a dialer could meet itself on one. */
const EPHEMERAL_PORTS_FROM = 32_768;
const HOST = '127.0.0.1';

/** What a data folder remembers of its cluster, as cluster.json. */
export interface ClusterRecord {
  readonly version: 1;
  /** 32 hex digits. */
  readonly clusterId: string;
  readonly stores: number;
  readonly geometry: { readonly firstUid: string; readonly lastUid: string; readonly uidsPerSection: number };
  /** The port of each listener when it last ran, by the listener's name. */
  readonly ports: Readonly<Record<string, number>>;
}

/** One process of the cluster. */
export interface DevNode {
  readonly name: string;
  readonly role: 'store' | 'alloc';
  /** Counted from 1 within its role; a store's Raft node id. */
  readonly id: number;
}

/** A listener of a node and the ports it may get, best first. */
export interface PortSlot {
  readonly listener: string;
  readonly candidates: readonly number[];
}

/** The record of a new cluster. Throws INVALID_ARGUMENT unless `stores` makes a Raft group. */
export function newRecord(options: { readonly clusterId: string; readonly stores: number }): ClusterRecord {
  if (![1, 3, 5].includes(options.stores)) throw invalid(`--stores must be 1, 3 or 5, got ${show(options.stores)}`);
  const { firstUid, lastUid, uidsPerSection } = DEFAULT_GEOMETRY;
  return {
    version: 1,
    clusterId: options.clusterId,
    stores: options.stores,
    geometry: { firstUid: firstUid.toString(), lastUid: lastUid.toString(), uidsPerSection },
    ports: {},
  };
}

/** Reads cluster.json. Throws INVALID_ARGUMENT when it is not one of ours. */
export function parseRecord(text: string, file: string): ClusterRecord {
  let record: Partial<ClusterRecord> | null;
  try {
    record = JSON.parse(text) as Partial<ClusterRecord> | null;
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `${file} is damaged: it is not JSON; move the data folder away, or put the file back`, { cause });
  }
  const isWhole =
    record?.version === 1 && /^[0-9a-f]{32}$/.test(record.clusterId ?? '') && record.stores !== undefined && record.geometry !== undefined;
  if (!isWhole) throw invalid(`${file} is not the cluster.json of a seqsvr dev cluster of this version`);
  return { ...(record as ClusterRecord), ports: record?.ports ?? {} };
}

/** Throws INVALID_ARGUMENT when the data was made with another number of stores than asked for. */
export function checkStores(record: ClusterRecord, asked: number | undefined): void {
  if (asked === undefined || asked === record.stores) return;
  throw invalid(
    `this data was made with --stores ${record.stores} and keeps them: a restart does not change who votes, got --stores ${asked}; ` +
      `start with --stores ${record.stores}, or with other data (--data DIR)`,
  );
}

/** Throws INVALID_ARGUMENT unless it is a port, or 0 for any. */
export function checkPort(port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalid(`--port must be a whole number in [0, 65535], got ${show(port)}`);
}

/** Every process of the cluster, stores first. */
export function layOut(options: { readonly stores: number; readonly allocs: number }): readonly DevNode[] {
  const { stores, allocs } = options;
  if (!Number.isInteger(allocs) || allocs < 1 || allocs > ALLOCS_MAX) {
    throw invalid(`--allocs must be a whole number in [1, ${ALLOCS_MAX}], got ${show(allocs)}`);
  }
  return [...nodesOf('store', stores), ...nodesOf('alloc', allocs)];
}

/** Which ports each listener may get: the remembered one, the usual one above `basePort`, then any. */
export function portSlotsOf(nodes: readonly DevNode[], options: { readonly ports: ClusterRecord['ports']; readonly basePort: number }): PortSlot[] {
  return [...nodes.flatMap(listenersOf), { listener: HTTP_DOOR, offset: HTTP_DOOR_OFFSET }].map(({ listener, offset }) => {
    const remembered = options.ports[listener];
    const scanned = Array.from({ length: PORTS_TRIED_MAX }, (_, index) => options.basePort + 100 + index);
    const usual = [options.basePort + offset, ...scanned].filter((port) => port < EPHEMERAL_PORTS_FROM);
    // 0, any port that the kernel likes, is the last resort.
    return { listener, candidates: [...(remembered === undefined ? [] : [remembered]), ...usual, 0] };
  });
}

/** The config file of one node, as YAML. `ports` has every listener of `nodes`. */
export function configOf(
  node: DevNode,
  cluster: { readonly record: ClusterRecord; readonly nodes: readonly DevNode[]; readonly ports: ClusterRecord['ports']; readonly dataDir: string },
): string {
  const addressOf = (listener: string): string => `${HOST}:${cluster.ports[listener]}`;
  const stores = cluster.nodes.filter(({ role }) => role === 'store');
  const listen = addressOf(node.name);
  const config =
    node.role === 'alloc'
      ? {
          role: 'alloc',
          name: node.name,
          listen,
          httpListen: addressOf(httpOf(node.name)),
          dataDir: cluster.dataDir,
          stores: stores.map(({ name }) => addressOf(name)),
        }
      : {
          role: 'store',
          name: node.name,
          cluster: cluster.record.clusterId,
          nodeId: node.id,
          dataDir: cluster.dataDir,
          listen,
          peerListen: addressOf(peerOf(node)),
          members: stores.map((store) => ({ id: store.id, name: store.name, peerAddress: addressOf(peerOf(store)), address: addressOf(store.name) })),
          geometry: cluster.record.geometry,
        };
  return `# Written by seqsvr dev at each start; changes do not last.\n${stringify(config)}`;
}

function nodesOf(role: DevNode['role'], count: number): DevNode[] {
  return Array.from({ length: count }, (_, index) => ({ name: `${role}-${index + 1}`, role, id: index + 1 }));
}

/** Offsets from the front door's port: stores +1.., their peer listeners +11.., AllocSvrs +21.., their HTTP gateways +41... */
function listenersOf(node: DevNode): { readonly listener: string; readonly offset: number }[] {
  if (node.role === 'alloc') {
    return [
      { listener: node.name, offset: 20 + node.id },
      { listener: httpOf(node.name), offset: 40 + node.id },
    ];
  }
  return [
    { listener: node.name, offset: node.id },
    { listener: peerOf(node), offset: 10 + node.id },
  ];
}

/** The listener of an AllocSvr's HTTP gateway. */
export function httpOf(alloc: string): string {
  return `${alloc}-http`;
}

function peerOf(node: DevNode): string {
  return `${node.name}-peer`;
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
