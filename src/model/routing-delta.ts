import type { AllocId, Epoch, SectionId } from './ids.js';
import type { AllocEndpoint, RoutingTable, SectionRun, StoreEndpoint } from './routing.js';
import { isNewer, isSame, type Version } from './version.js';

/** Neighbouring sections that changed. */
export interface ChangedRun extends SectionRun {
  readonly firstSection: SectionId;
}

/** What changed from one table to a newer one of the same set. */
export interface RoutingDelta {
  /** The table that it changes: exactly this one. */
  readonly basedOn: Version;
  readonly version: Version;
  /** AllocSvrs that are new or have changed, in id order. */
  readonly allocs: readonly AllocEndpoint[];
  readonly goneAllocs: readonly AllocId[];
  /** In section order; `alloc` is an index into the AllocSvrs of the NEW table, which lie in id order. */
  readonly runs: readonly ChangedRun[];
  /** Absent: those of the table stay. */
  readonly stores: readonly StoreEndpoint[] | undefined;
}

/** Undefined when a delta would say nothing right: the newer table is not newer, or of another generation. */
export function diffTables(older: RoutingTable, newer: RoutingTable): RoutingDelta | undefined {
  if (!isNewer(newer.version, older.version) || newer.version.generation !== older.version.generation) return undefined;
  const before = new Map(older.allocs.map((alloc) => [alloc.id, alloc]));
  const after = new Set(newer.allocs.map(({ id }) => id));
  return {
    basedOn: older.version,
    version: newer.version,
    allocs: newer.allocs.filter((alloc) => !isSameAlloc(before.get(alloc.id), alloc)),
    goneAllocs: older.allocs.map(({ id }) => id).filter((id) => !after.has(id)),
    runs: changedRuns(older, newer),
    stores: isSameStores(older.stores, newer.stores) ? undefined : newer.stores,
  };
}

/**
 * The newer table; undefined when the delta is based on another table, or does not fit it: then only the whole table helps.
 */
export function patchTable(table: RoutingTable, delta: RoutingDelta): RoutingTable | undefined {
  if (!isSame(table.version, delta.basedOn)) return undefined;
  const gone = new Set<AllocId>([...delta.goneAllocs, ...delta.allocs.map(({ id }) => id)]);
  const allocs = [...table.allocs.filter(({ id }) => !gone.has(id)), ...delta.allocs].sort((one, other) => (one.id < other.id ? -1 : 1));
  if (delta.runs.some(({ alloc }) => alloc !== undefined && alloc >= allocs.length)) return undefined;
  const placeOf = new Map(allocs.map(({ id }, place) => [id, place]));
  const moved = table.allocs.map(({ id }) => placeOf.get(id));
  const runs = patchRuns(table.runs, delta.runs, (alloc) => (alloc === undefined ? undefined : moved[alloc]));
  return runs === undefined ? undefined : { version: delta.version, geometry: table.geometry, allocs, stores: delta.stores ?? table.stores, runs };
}

/** Walks both tables run by run; neighbours that changed alike are one run. */
function changedRuns(older: RoutingTable, newer: RoutingTable): readonly ChangedRun[] {
  const changed: ChangedRun[] = [];
  const before = new Cursor(older);
  const after = new Cursor(newer);
  for (let section = 0; !after.isAtEnd; ) {
    const sectionCount = Math.min(before.left, after.left);
    const isAlike = before.epoch === after.epoch && before.ownerId === after.ownerId;
    if (!isAlike) push(changed, { firstSection: section as SectionId, sectionCount, alloc: after.alloc, epoch: after.epoch });
    section += sectionCount;
    before.take(sectionCount);
    after.take(sectionCount);
  }
  return changed;
}

function push(runs: ChangedRun[], next: ChangedRun): void {
  const last = runs.at(-1);
  if (last !== undefined && last.firstSection + last.sectionCount === next.firstSection && last.alloc === next.alloc && last.epoch === next.epoch)
    runs[runs.length - 1] = { ...last, sectionCount: last.sectionCount + next.sectionCount };
  else runs.push(next);
}

/** The runs of a table with some of them replaced; undefined when those reach past the end. */
function patchRuns(
  old: readonly SectionRun[],
  changed: readonly ChangedRun[],
  moved: (alloc: number | undefined) => number | undefined,
): readonly SectionRun[] | undefined {
  const runs: SectionRun[] = [];
  let at = 0;
  let end = 0;
  let next = 0;
  const append = (run: SectionRun): void => {
    const last = runs.at(-1);
    if (last?.alloc === run.alloc && last?.epoch === run.epoch && last !== undefined)
      runs[runs.length - 1] = { ...last, sectionCount: last.sectionCount + run.sectionCount };
    else runs.push(run);
  };
  for (const { sectionCount, alloc, epoch } of old) {
    end += sectionCount;
    while (at < end) {
      const change = changed[next];
      const begin = change?.firstSection ?? end;
      if (begin > at) {
        const kept = Math.min(begin, end) - at;
        append({ sectionCount: kept, alloc: moved(alloc), epoch });
        at += kept;
      } else if (change !== undefined) {
        append({ sectionCount: change.sectionCount, alloc: change.alloc, epoch: change.epoch });
        at += change.sectionCount;
        next += 1;
      }
    }
  }
  return at === end && next === changed.length ? runs : undefined;
}

/** A place in the runs of a table. */
class Cursor {
  readonly #table: RoutingTable;
  #run = 0;
  left: number;

  constructor(table: RoutingTable) {
    this.#table = table;
    this.left = table.runs[0]?.sectionCount ?? 0;
  }

  get isAtEnd(): boolean {
    return this.#run >= this.#table.runs.length;
  }

  get epoch(): Epoch {
    return (this.#table.runs[this.#run]?.epoch ?? 0) as Epoch;
  }

  get alloc(): number | undefined {
    return this.#table.runs[this.#run]?.alloc;
  }

  get ownerId(): AllocId | undefined {
    return this.alloc === undefined ? undefined : this.#table.allocs[this.alloc]?.id;
  }

  take(count: number): void {
    this.left -= count;
    if (this.left > 0) return;
    this.#run += 1;
    this.left = this.#table.runs[this.#run]?.sectionCount ?? 0;
  }
}

function isSameAlloc(one: AllocEndpoint | undefined, other: AllocEndpoint): boolean {
  return one?.address === other.address && one.zone === other.zone;
}

function isSameStores(one: readonly StoreEndpoint[], other: readonly StoreEndpoint[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ id, name, address }, at) => id === other[at]?.id && name === other[at].name && address === other[at].address)
  );
}

/** Tables that a server has seen, so that it can tell what changed since one of them. */
const TABLES_KEPT_MAX = 32;

/** The newest table of a server, and what makes older ones into it: each worked out once, however many ask. */
export class TableHistory {
  readonly #tables: RoutingTable[] = [];
  readonly #deltas = new Map<RoutingTable, RoutingDelta | undefined>();

  /** The newest; one that is not newer than what is here is ignored. */
  add(table: RoutingTable): void {
    const newest = this.#tables.at(-1);
    if (newest === table || (newest !== undefined && !isNewer(table.version, newest.version))) return;
    this.#tables.push(table);
    if (this.#tables.length > TABLES_KEPT_MAX) this.#tables.shift();
    this.#deltas.clear();
  }

  /** From the caller's version to the newest table; undefined when it is not known here, or the whole table says it better. */
  deltaFrom(version: Version): RoutingDelta | undefined {
    const newest = this.#tables.at(-1);
    const known = this.#tables.find((table) => isSame(table.version, version));
    if (newest === undefined || known === undefined || known === newest) return undefined;
    if (!this.#deltas.has(known)) {
      const delta = diffTables(known, newest);
      // About as many bytes a run in both.
      this.#deltas.set(known, delta !== undefined && delta.runs.length < newest.runs.length ? delta : undefined);
    }
    return this.#deltas.get(known);
  }
}
