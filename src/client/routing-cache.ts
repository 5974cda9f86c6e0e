import { SeqError } from '../base/errors.js';
import { isSameGeometry, locate, showGeometry } from '../model/geometry.js';
import type { Uid } from '../model/ids.js';
import { type Owner, RoutingIndex, type RoutingTable } from '../model/routing.js';
import { patchTable, type RoutingDelta } from '../model/routing-delta.js';
import { isNewer, NO_VERSION, type Version } from '../model/version.js';

/** The newest routing table that any reply brought. Invariant: its version never goes back. */
export class RoutingCache {
  #index: RoutingIndex | undefined;

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
