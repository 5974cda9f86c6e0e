import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { every, systemClock as clock } from '../../src/base/clock.js';
import { systemRandom } from '../../src/base/random.js';
import type { AllocId, Incarnation, SectionId } from '../../src/model/ids.js';
import type { Caller, StoreClient } from '../../src/store/client.js';
import { NodeProcess } from '../jepsen/node-process.js';
import { freePorts } from '../jepsen/ports.js';
import { until } from '../jepsen/until.js';
import { metricOf } from './metric.js';
import { connect, type Owned, raiseOne } from './raiser.js';
import type { System } from './system.js';

const UIDS_PER_SECTION = 1_000;
/** Long, so that a stall of the loaded machine costs no section in the middle of a measurement. */
const LEASE_MS = 30_000;
const RENEW_EVERY_MS = 2_000;
const START_LIMIT_MS = 60_000;
const CALL = { timeoutMs: 5_000 };
const LOG_LINES_SHOWN = 10;

/** Three StoreSvr processes as `seqsvr start` makes them, and one incarnation that owns every section. */
export async function startOurs(folder: string, sectionCount: number): Promise<System> {
  const stores = await layOut(folder, sectionCount);
  const client = connect(stores.map(({ address }) => address));
  const caller = { allocId: 'bench' as AllocId, incarnation: systemRandom.id128() as Incarnation };
  let cancelRenewals = (): void => undefined;
  const stop = async (): Promise<void> => {
    cancelRenewals();
    client.close();
    await Promise.all(stores.filter(({ node }) => node.isRunning).map(({ node }) => node.stop('SIGKILL')));
  };
  try {
    await Promise.all(stores.map(({ node }) => node.start()));
    const ask = { ...caller, address: '127.0.0.1:1', zone: '', clusterId: '' };
    await until('a leader registers', START_LIMIT_MS, () => client.register(ask, CALL));
    cancelRenewals = keepLease(client, caller);
    const owned = await until('every section is assigned', START_LIMIT_MS, () => sectionsOf(client, caller, sectionCount));
    const leader = await until('a store says that it leads', START_LIMIT_MS, () => leaderOf(stores));
    return {
      name: 'ours',
      commit: () => raiseOne(client, caller, owned),
      syncCount: () => metricOf(leader.metrics, 'seqsvr_store_fsync_duration_seconds_count'),
      stop,
    };
  } catch (error) {
    for (const { node } of stores) console.error(`--- ${node.name}\n${node.lastWords(LOG_LINES_SHOWN)}`);
    await stop();
    throw error;
  }
}

interface Store {
  readonly node: NodeProcess;
  readonly address: string;
  readonly metrics: string;
}

async function layOut(folder: string, sectionCount: number): Promise<readonly Store[]> {
  const ports = await freePorts(9);
  const at = (place: number): string => `127.0.0.1:${ports[place]}`;
  const logFolder = join(folder, 'logs');
  mkdirSync(logFolder);
  const members = [0, 1, 2].map((place) => ({ id: place + 1, name: `store-${place + 1}`, address: at(place), peerAddress: at(place + 3) }));
  const shared = {
    role: 'store',
    cluster: systemRandom.id128(),
    members,
    lease: `${LEASE_MS}ms`,
    geometry: { firstUid: 0, lastUid: sectionCount * UIDS_PER_SECTION - 1, uidsPerSection: UIDS_PER_SECTION },
  };
  return members.map(({ id, name, address, peerAddress }, place) => {
    const adminListen = at(place + 6);
    const own = { name, nodeId: id, dataDir: join(folder, name), listen: address, peerListen: peerAddress, adminListen };
    const configFile = join(folder, `${name}.yaml`);
    // JSON is YAML.
    writeFileSync(configFile, JSON.stringify({ ...shared, ...own }, undefined, 2));
    return { node: new NodeProcess({ name, configFile, logFolder }), address, metrics: `http://${adminListen}/metrics` };
  });
}

function keepLease(client: StoreClient, caller: Caller): () => void {
  return every(clock, RENEW_EVERY_MS, () => {
    // One that fails is made up for by the next; should none come through, the raises themselves are refused.
    client.renewOnce({ ...caller, routingVersion: undefined }, { ...CALL, moveOnAfterMs: RENEW_EVERY_MS }).catch(() => undefined);
  });
}

/** Undefined until the arbiter has given out every section. */
async function sectionsOf(client: StoreClient, caller: Caller, sectionCount: number): Promise<readonly Owned[] | undefined> {
  const { windows } = await client.load(caller, CALL);
  const owned = windows.flatMap(({ firstSection, sectionCount: count, epoch, maxSeq }) =>
    Array.from({ length: count }, (_, offset): Owned => ({ section: (firstSection + offset) as SectionId, epoch, maxSeq })),
  );
  return owned.length === sectionCount ? owned : undefined;
}

async function leaderOf(stores: readonly Store[]): Promise<Store | undefined> {
  for (const store of stores) if ((await metricOf(store.metrics, 'seqsvr_raft_is_leader')) === 1) return store;
  return undefined;
}
