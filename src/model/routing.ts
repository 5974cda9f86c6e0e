import { assert } from '../base/assert.js';
import type { Geometry } from './geometry.js';
import { sectionCountOf } from './geometry.js';
import type { AllocId, Epoch, SectionId } from './ids.js';
import type { Version } from './version.js';

/** A process that clients or nodes can dial. */
export interface AllocEndpoint {
  readonly id: AllocId;
  /** `host:port` of its client-facing listener. */
  readonly address: string;
  /** Failure domain, for whoever reads the table; placement does not look at it yet. '' means none was told. */
  readonly zone: string;
}

export interface StoreEndpoint {
  readonly id: number;
  readonly name: string;
  /** `host:port` of its store API (AllocSvrs, the CLI and table-less clients dial it). */
  readonly address: string;
}

/** Neighbouring sections with one owner and one epoch. */
export interface SectionRun {
  readonly sectionCount: number;
  /** Index into `allocs`; undefined while nobody owns them. */
  readonly alloc: number | undefined;
  readonly epoch: Epoch;
}

/**
 * Who serves what: the whole map from section to AllocSvr (article, "Disaster 2.0").
 * Invariant: the runs lie side by side and cover every section of the set exactly once.
 */
export interface RoutingTable {
  readonly version: Version;
  readonly geometry: Geometry;
  readonly allocs: readonly AllocEndpoint[];
  readonly stores: readonly StoreEndpoint[];
  readonly runs: readonly SectionRun[];
}

export interface Owner {
  /** Undefined while nobody owns the section. */
  readonly alloc: AllocEndpoint | undefined;
  readonly epoch: Epoch;
}

/** Looks sections up in a table: binary search over the first section of each run. */
export class RoutingIndex {
  readonly table: RoutingTable;
  readonly #firstSections: readonly number[];

  /** The table must be well-formed: a codec checked it, or this program made it. */
  constructor(table: RoutingTable) {
    this.table = table;
    const firstSections: number[] = [];
    let next = 0;
    for (const run of table.runs) {
      firstSections.push(next);
      next += run.sectionCount;
    }
    assert(next === sectionCountOf(table.geometry), 'the runs of a routing table cover every section once');
    this.#firstSections = firstSections;
  }

  ownerOf(section: SectionId): Owner {
    const run = this.table.runs[this.#runOf(section)];
    assert(run !== undefined, 'section outside the routing table');
    return { alloc: run.alloc === undefined ? undefined : this.table.allocs[run.alloc], epoch: run.epoch };
  }

  #runOf(section: SectionId): number {
    let low = 0;
    let high = this.#firstSections.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#firstSections[middle] ?? 0) <= section) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
