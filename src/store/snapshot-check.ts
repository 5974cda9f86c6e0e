import { sectionCountOf } from '../model/geometry.js';
import { Replica } from './replica.js';
import { SnapshotDamageError } from './damage.js';
import type { SnapshotFile } from './snapshot-file.js';
import type { StoreState } from './state.js';

/** What is in a snapshot, counted. */
export interface SnapshotCounts {
  readonly sections: number;
  /** Those that ever had an owner. */
  readonly sectionsUsed: number;
  readonly allocs: number;
  readonly members: readonly string[];
  /** The highest of any section. */
  readonly maxSeq: bigint;
  readonly raiseBy: bigint;
}

/**
 * The state that a snapshot holds, once everything about it was checked: the checksum says that it is what was written, and this that
 * what was written is a state, the one that the header speaks of. Throws SnapshotDamageError with the first thing that is not so.
 */
export function stateOf({ header, data }: SnapshotFile, path: string): Replica {
  const wrong = (what: string): SnapshotDamageError => new SnapshotDamageError(`snapshot ${path} is not to be used: ${what}`);
  const replica = new Replica(new Map(), () => undefined);
  const records = replica.parseSnapshot(data);
  if (records === undefined) throw wrong('its state cannot be read');
  replica.restore(records);
  const { cluster, sections } = replica.state;
  if (cluster === undefined) throw wrong('it holds no cluster');
  if (cluster.clusterId !== header.clusterId) throw wrong(`it is of cluster ${cluster.clusterId}, its header says ${header.clusterId}`);
  const { generation, value } = cluster.version;
  if (generation !== header.version.generation || value !== header.version.value)
    throw wrong(`it has routing version ${generation}.${value}, its header says ${header.version.generation}.${header.version.value}`);
  if (replica.hash !== header.stateHash) throw wrong(`its state hash is ${replica.hash}, its header says ${header.stateHash}`);
  if (sections.length !== sectionCountOf(cluster.geometry))
    throw wrong(`it has ${sections.length} sections, its geometry ${sectionCountOf(cluster.geometry)}`);
  checkOwners(replica.state, wrong);
  // Whatever this program does not know would be lost in a restore.
  if (!Buffer.from(replica.snapshot()).equals(data)) throw wrong('written again it is not the same: another version of the program made it');
  return replica;
}

export function countsOf(state: StoreState): SnapshotCounts {
  const used = state.sections.filter(({ epoch }) => epoch > 0);
  return {
    sections: state.sections.length,
    sectionsUsed: used.length,
    allocs: state.allocs.length,
    members: state.members.map(({ name }) => name),
    maxSeq: used.reduce((most: bigint, { maxSeq }) => (maxSeq > most ? maxSeq : most), 0n),
    raiseBy: state.cluster?.raiseBy ?? 0n,
  };
}

/** base <= maxSeq is asserted where a section is set; who owns one must be known. */
function checkOwners(state: StoreState, wrong: (what: string) => SnapshotDamageError): void {
  for (const [section, { owner }] of state.sections.entries())
    if (owner !== undefined && state.alloc(owner.allocId) === undefined)
      throw wrong(`section ${section} is owned by ${owner.allocId}, which is not in it`);
}
