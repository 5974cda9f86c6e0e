import { optional } from '../../../src/base/errors.js';
import type { Geometry } from '../../../src/model/geometry.js';
import { parseAllocId, parseIncarnation, type SectionId, toEpoch, toSectionId, toSeq } from '../../../src/model/ids.js';
import { DEFAULT_LEASE_TERMS } from '../../../src/model/lease.js';
import type { AssignedRun, Caller, Command, RaiseItem, ReleasedRun } from '../../../src/store/command.js';
import { encodeCommand } from '../../../src/store/command-codec.js';
import { Replica } from '../../../src/store/replica.js';
import type { Section, StoreState } from '../../../src/store/state.js';
import type { Result } from '../../../src/store/state-machine.js';

export const CLUSTER_ID = 'c'.repeat(32);
export const GENERATION = 1_750_000_000;
/** 70 sections: two blocks of records, the second one short. */
export const GEOMETRY: Geometry = { firstUid: 0n, lastUid: 699n, uidsPerSection: 10 };
export const INIT: Extract<Command, { type: 'init' }> = {
  type: 'init',
  clusterId: CLUSTER_ID,
  generation: GENERATION,
  geometry: GEOMETRY,
  lease: DEFAULT_LEASE_TERMS,
  raiseBy: 100n,
  members: [],
};

/** Why tests want something. */
export const MOTIVE = { reason: 'test', atMs: 1_750_000_000_000 };

/** One run of an AllocSvr: `run('a1', 2)` is the second one. */
export function run(id: string, number = 1): Caller {
  return { allocId: parseAllocId(id), incarnation: parseIncarnation(`${id}${'0'.repeat(30)}`.slice(0, 31).replaceAll(/[^0-9a-f]/g, '0') + number) };
}

export function section(number: number): SectionId {
  return toSectionId(number);
}

export function raiseOf(number: number, epoch: number, to: bigint): RaiseItem {
  return { section: toSectionId(number), epoch: toEpoch(epoch), to: toSeq(to) };
}

export function releaseOf(firstSection: number, epoch: number, trueMax: bigint, sectionCount = 1, digest?: string): ReleasedRun {
  return { firstSection: toSectionId(firstSection), sectionCount, epoch: toEpoch(epoch), trueMax: toSeq(trueMax), ...optional('digest', digest) };
}

/** One replica and the disk that its writes go to. */
export class TestReplica {
  replica: Replica;
  readonly disk: Map<string, Uint8Array>;
  #index = 0;

  constructor(disk: ReadonlyMap<string, Uint8Array> = new Map(), index = 0) {
    this.disk = new Map(disk);
    this.#index = index;
    this.replica = new Replica(this.disk, () => undefined);
  }

  /** A cluster of 70 sections with these runs registered. */
  static with(...callers: readonly Caller[]): TestReplica {
    const replica = new TestReplica();
    replica.run(INIT);
    for (const caller of callers) replica.register(caller);
    return replica;
  }

  get state(): StoreState {
    return this.replica.state;
  }

  run(command: Command, term = 1): Result {
    const result = this.replica.apply({ index: ++this.#index, term, type: 'normal' as const, data: encodeCommand(command) });
    for (const { key, value } of this.replica.takeWrites()) {
      if (value === undefined) this.disk.delete(key);
      else this.disk.set(key, value);
    }
    return result;
  }

  /** The process ends and begins again, from what is on disk. */
  restart(): void {
    this.replica = new Replica(this.disk, () => undefined);
  }

  register(caller: Caller, address = `${caller.allocId}:7000`): Result {
    return this.run({ type: 'register', ...caller, address, zone: '' });
  }

  /** The arbiter of term 1 gives sections away, on the version of now. */
  assign(to: Caller, firstSection: number, sectionCount = 1): Result {
    return this.run({ type: 'assign', ...this.#decision([{ ...to, firstSection: toSectionId(firstSection), sectionCount }]) });
  }

  planMove(to: Caller, firstSection: number, sectionCount = 1): Result {
    return this.run({ type: 'planMove', ...this.#decision([{ ...to, firstSection: toSectionId(firstSection), sectionCount }]) });
  }

  raise(caller: Caller, ...raises: readonly RaiseItem[]): Result {
    return this.run({ type: 'raise', ...caller, raises });
  }

  release(caller: Caller, ...releases: readonly ReleasedRun[]): Result {
    return this.run({ type: 'release', ...caller, generation: GENERATION, releases });
  }

  drain(caller: Caller): Result {
    return this.run({ type: 'drain', ...caller, ...MOTIVE });
  }

  section(number: number): Section {
    return this.state.sections[number]!;
  }

  #decision(runs: readonly AssignedRun[]) {
    return { arbiterTerm: 1, basedOn: this.state.version, runs, ...MOTIVE };
  }
}

/** What a section holds, short: owner, epoch, base and maxSeq, and where it is to go. */
export function show({ owner, epoch, base, maxSeq, next }: Section): string {
  const to = next === undefined ? '' : ` -> ${next.allocId}`;
  return `${owner?.allocId ?? 'nobody'} e${epoch} (${base}, ${maxSeq}]${to}`;
}

/** The whole state as plain values: two states are equal when this is. */
export function dump({ cluster, allocs, members, removed, audit, sections }: StoreState) {
  return { cluster, allocs, members, removed, audit, sections: [...sections] };
}
