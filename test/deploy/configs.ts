import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AllocConfig, type NodeConfig, parseConfig, type StoreConfig } from '../../src/cli/config.js';
import { projectRoot } from '../project-root.js';

/** What a folder of configuration files says, by file name without its ending. */
export interface Cluster {
  readonly stores: ReadonlyMap<string, StoreConfig>;
  readonly allocs: ReadonlyMap<string, AllocConfig>;
}

/** Reads every file of the folder with the program's own parser. Throws for one that the program would refuse. */
export function clusterIn(folder: string): Cluster {
  const stores = new Map<string, StoreConfig>();
  const allocs = new Map<string, AllocConfig>();
  for (const name of readdirSync(join(projectRoot, folder)).filter((file) => /^(?:store|alloc)[\w-]*\.yaml$/.test(file))) {
    const config: NodeConfig = parseConfig(readFileSync(join(projectRoot, folder, name), 'utf8'), join(folder, name));
    if (config.role === 'store') stores.set(name.replace('.yaml', ''), config);
    else allocs.set(name.replace('.yaml', ''), config);
  }
  return { stores, allocs };
}

/** What is wrong between the files of one cluster: each is right by itself. Empty: nothing. */
export function discordIn({ stores, allocs }: Cluster): string[] {
  const wrong: string[] = [];
  const [first] = stores.values();
  if (first === undefined) return ['there is no store'];
  const agreed = (config: StoreConfig): string =>
    JSON.stringify([config.cluster, config.members, config.lease, String(config.raiseBy), show(config.geometry)]);
  for (const [file, config] of stores) {
    if (config.name !== file) wrong.push(`${file}: is named ${config.name}`);
    if (agreed(config) !== agreed(first)) wrong.push(`${file}: cluster, members, lease, raiseBy and geometry must be those of ${first.name}`);
  }
  const names = first.members.map(({ name }) => name);
  if (names.toSorted().join() !== [...stores.keys()].toSorted().join())
    wrong.push(`the members are ${names.join()}, the files ${[...stores.keys()].join()}`);
  const addresses = first.members.map(({ address }) => address);
  for (const [file, config] of allocs) {
    if (config.name !== file) wrong.push(`${file}: is named ${config.name}`);
    for (const store of config.stores) if (!addresses.includes(store)) wrong.push(`${file}: no member has the address ${store}`);
  }
  return wrong;
}

/** The port of an address. */
export function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
}

function show(geometry: StoreConfig['geometry']): string {
  return `${geometry.firstUid} ${geometry.lastUid} ${geometry.uidsPerSection}`;
}
