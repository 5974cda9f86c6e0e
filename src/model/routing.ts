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

/** Looks sections up in a table: in an array with the run of each section. */
export class RoutingIndex {
  readonly table: RoutingTable;
  /** The narrowest that holds every run: a process may have many clients, each with an index. */
  readonly #runs: Uint8Array | Uint16Array | Uint32Array;

  /** The table must be well-formed: a codec checked it, or this program made it. */
  constructor(table: RoutingTable) {
    this.table = table;
    const sectionCount = sectionCountOf(table.geometry);
    this.#runs = placesFor(table.runs.length, sectionCount);
    let next = 0;
    for (const [run, { sectionCount: count }] of table.runs.entries()) {
      this.#runs.fill(run, next, next + count);
      next += count;
    }
    assert(next === sectionCount, 'the runs of a routing table cover every section once');
  }

  ownerOf(section: SectionId): Owner {
    const { alloc, epoch } = this.runOf(section);
    return { alloc: alloc === undefined ? undefined : this.table.allocs[alloc], epoch };
  }

  runOf(section: SectionId): SectionRun {
    const run = this.table.runs[this.#runs[section] ?? Number.NaN];
    assert(run !== undefined, 'section outside the routing table');
    return run;
  }
}

function placesFor(runCount: number, sectionCount: number): Uint8Array | Uint16Array | Uint32Array {
  if (runCount <= 2 ** 8) return new Uint8Array(sectionCount);
  return runCount <= 2 ** 16 ? new Uint16Array(sectionCount) : new Uint32Array(sectionCount);
}
