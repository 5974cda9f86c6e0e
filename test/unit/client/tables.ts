import { parseAllocId, toEpoch } from '../../../src/model/ids.js';
import type { RoutingTable } from '../../../src/model/routing.js';

/** A table over uids 0..999 in ten sections of 100; `owners` are addresses, one per section; '' leaves one unowned. */
export function tableOf(version: number, owners: readonly string[], generation = 7): RoutingTable {
  const addresses = [...new Set(owners.filter((address) => address !== ''))];
  return {
    version: { generation, value: version },
    geometry: { firstUid: 0n, lastUid: BigInt(owners.length * 100 - 1), uidsPerSection: 100 },
    allocs: addresses.map((address, index) => ({ id: parseAllocId(`alloc-${index}`), address, zone: '' })),
    stores: [],
    runs: owners.map((address) => ({ sectionCount: 1, alloc: address === '' ? undefined : addresses.indexOf(address), epoch: toEpoch(version) })),
  };
}
