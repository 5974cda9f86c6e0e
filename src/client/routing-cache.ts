import { SeqError } from '../base/errors.js';
import { contains, type Grid, gridOf, isSameGeometry, locate, offsetIn, showGeometry } from '../model/geometry.js';
import { type SectionId, toUid, type Uid } from '../model/ids.js';
import { type Owner, RoutingIndex, type RoutingTable } from '../model/routing.js';
import { patchTable, type RoutingDelta } from '../model/routing-delta.js';
import { isNewer, NO_VERSION, type Version } from '../model/version.js';
import { bigOf } from './halves.js';

/** The newest routing table that any reply brought. Invariant: its version never goes back. */
export class RoutingCache {
  #index: RoutingIndex | undefined;
  /** The geometry of a set never changes. */
  #grid: Grid | undefined;

  get table(): RoutingTable | undefined {
    return this.#index?.table;
  }

  /** NO_VERSION while there is no table. */
  get version(): Version {
    return this.#index?.table.version ?? NO_VERSION;
  }

  /**
   * The address of the AllocSvr that serves the uid; undefined without a table, or while nobody owns its section.
   * Throws INVALID_ARGUMENT when a table is known and the uid lies outside its set.
   */
  pick(uid: Uid): string | undefined {
    return this.ownerOf(uid)?.alloc?.address;
  }

  /** As pick(), with all that the table says; undefined only without a table. */
  ownerOf(uid: Uid): Owner | undefined {
    return this.#index?.ownerOf(locate(this.#index.table.geometry, uid).section);
  }

  /** As ownerOf(), of a uid in halves of 32 bits; undefined also when it lies outside the set. */
  ownerAt(low: number, high: number): Owner | undefined {
    const section = this.sectionAt(low, high);
    return section < 0 ? undefined : this.#index?.ownerOf(section as SectionId);
  }

  /** The owner's place among the table's allocs; -1: no table, outside the set, or nobody. */
  allocAt(low: number, high: number): number {
    const section = this.sectionAt(low, high);
    return section < 0 ? -1 : (this.#index?.runOf(section as SectionId).alloc ?? -1);
  }

  /** The section of a uid in halves of 32 bits; -1: no table, or outside the set. */
  sectionAt(low: number, high: number): number {
    if (this.#grid === undefined) return -1;
    const offset = offsetIn(this.#grid, low, high);
    return offset < 0 ? this.#farSection(bigOf(low, high)) : Math.floor(offset / this.#grid.uidsPerSection);
  }

  /** Of a uid that numbers cannot tell from its neighbours. */
  #farSection(uid: bigint): number {
    const { table } = this;
    const parsed = toUid(uid);
    return table === undefined || !contains(table.geometry, parsed) ? -1 : locate(table.geometry, parsed).section;
  }

  /**
   * True when the table was newer and is now the one in use; an older or equal one is dropped.
   * Throws PROTOCOL for a newer table of another geometry: geometry is fixed for the life of a cluster, so this one
   * belongs to another cluster, whose numbers must never be mixed with ours.
   */
  absorb(table: RoutingTable): boolean {
    if (this.#index !== undefined) {
      if (!isNewer(table.version, this.#index.table.version)) return false;
      const { geometry } = this.#index.table;
      if (!isSameGeometry(geometry, table.geometry)) {
        throw new SeqError(
          'PROTOCOL',
          `a table of another cluster: its set is ${showGeometry(table.geometry)}, the one in use is ${showGeometry(geometry)}`,
        );
      }
    }
    this.#index = new RoutingIndex(table);
    this.#grid ??= gridOf(table.geometry);
    return true;
  }

  /**
   * As absorb(), for what changed since a table. 'misfit': it is newer, but changes another table than the one in use, so
   * only a whole table helps.
   */
  absorbDelta(delta: RoutingDelta): boolean | 'misfit' {
    const { table } = this;
    if (!isNewer(delta.version, this.version)) return false;
    const patched = table && patchTable(table, delta);
    return patched === undefined ? 'misfit' : this.absorb(patched);
  }

  /** Every address that the table names. */
  addresses(): string[] {
    const { table } = this;
    return table === undefined ? [] : [...table.allocs, ...table.stores].map(({ address }) => address);
  }
}
