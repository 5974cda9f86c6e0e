import { NO_SEQ, type AllocId, type Incarnation, toEpoch, toSectionId, toSeq } from '../../src/model/ids.js';
import { type LeaseTerms, waitMsOf } from '../../src/model/lease.js';
import { DEFAULT_POLICY } from '../../src/model/policy.js';
import { NO_SETS } from '../../src/model/sets.js';
import type { Handoff, WindowRun } from '../../src/model/window.js';
import { runAt } from '../../src/alloc/owned-sections.js';
import type { Caller, Command } from '../../src/store/command.js';
import type { Result } from '../../src/store/result.js';
import { apply } from '../../src/store/state-machine.js';
import { type Alloc, type Section, StoreState } from '../../src/store/state.js';
import { type Bounds, leaseTermsOf } from './bounds.js';
import { Interner, Memo } from './interner.js';
import type { Mutant } from './mutants.js';
import { spoiltCommand, spoiltState } from './spoilt-store.js';

/** Everybody is told by a number: runs as they come, AllocSvrs by their names. -1: nobody. */
export const NOBODY = -1;

/** A section of the replicated state, as a value that is its own JSON. */
export interface SectionValue {
  readonly owner: number;
  readonly epoch: number;
  readonly base: number;
  readonly maxSeq: number;
  /** The run that a planned move takes it to. */
  readonly next: number;
  readonly handoff: HandoffValue | null;
}

export interface HandoffValue {
  readonly epoch: number;
  readonly digest: string;
  /** The AllocSvr, not the run. */
  readonly from: number;
}

export interface AllocValue {
  readonly run: number;
  readonly state: Alloc['state'];
  readonly former: readonly number[];
  readonly dead: readonly number[];
}

/** The replicated state without its version: that only the order of versions counts is in the cells of a state. */
export interface StoreValue {
  readonly sections: readonly SectionValue[];
  readonly allocs: readonly AllocValue[];
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly isSettling: boolean;
}

/** A window of one section, as a table says it to one run. */
export interface WindowValue {
  readonly epoch: number;
  readonly base: number;
  readonly maxSeq: number;
  /** The AllocSvr that a planned move takes it to; -1: it stays. */
  readonly next: number;
  readonly handoff: HandoffValue | null;
}

export interface Applied {
  readonly store: number;
  readonly result: Result;
  /** Clients see something else now. */
  readonly isNewVersion: boolean;
}

const GENERATION = 1;
/** Any version: decisions are based on it, or on the one before. */
const VERSION = 10;

export function allocIdOf(name: number): AllocId {
  return `a${name}` as AllocId;
}

export function incarnationOf(run: number): Incarnation {
  return String(run).padStart(32, '0') as Incarnation;
}

export function runOf(incarnation: string | undefined): number {
  return incarnation === undefined ? NOBODY : Number(incarnation);
}

export function callerOf(run: number, name: number): Caller {
  return { allocId: allocIdOf(name), incarnation: incarnationOf(run) };
}

export function basedOn(isCurrent: boolean): { readonly generation: number; readonly value: number } {
  return { generation: GENERATION, value: isCurrent ? VERSION : VERSION - 1 };
}

/**
 * The replicated states that were ever reached, and the REAL state machine over them: `apply` runs once for each state and
 * command, on a StoreState that is made anew from the value.
 */
export class Stores {
  readonly values = new Interner<StoreValue | null>(null);
  readonly #bounds: Bounds;
  readonly #terms: LeaseTerms;
  readonly #applied = new Memo<Applied>();
  readonly #states = new Memo<StoreState>();
  readonly #windows = new Memo<readonly (WindowValue | null)[]>();
  readonly #mutant: Mutant | undefined;

  constructor(bounds: Bounds, mutant?: Mutant) {
    this.#bounds = bounds;
    this.#mutant = mutant;
    this.#terms = leaseTermsOf(bounds);
  }

  /** All AllocSvrs have registered, and the first of them was given everything. */
  first(): number {
    const { allocs, sections, raiseBy } = this.#bounds;
    const owned: SectionValue = { owner: 0, epoch: 1, base: 0, maxSeq: raiseBy, next: NOBODY, handoff: null };
    return this.values.numberOf({
      sections: Array.from({ length: sections }, () => owned),
      allocs: Array.from({ length: allocs }, (_, name) => ({ run: name, state: 'joined' as const, former: [], dead: [] })),
      leaseMs: this.#terms.leaseMs,
      waitMs: waitMsOf(this.#terms),
      isSettling: false,
    });
  }

  valueOf(store: number): StoreValue {
    const value = this.values.valueOf(store);
    if (value === null) throw new RangeError('0 is no replicated state');
    return value;
  }

  apply(store: number, command: Command, entryTerm: number): Applied {
    const key = `${store} ${entryTerm} ${JSON.stringify(command, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value))}`;
    return this.#applied.get(key, () => {
      const before = this.valueOf(store);
      const state = this.make(before);
      const result = apply(state, spoiltCommand(this.#mutant, { command, state, entryTerm }), entryTerm);
      return {
        store: this.values.numberOf(spoiltState(this.#mutant, { command, before, after: this.#read(state) })),
        result,
        isNewVersion: state.version.value !== VERSION,
      };
    });
  }

  /** To look at only: it is shared. */
  stateOf(store: number): StoreState {
    return this.#states.get(store, () => this.make(this.valueOf(store)));
  }

  /** What a table made now would say to a run, section by section. */
  windowsOf(store: number, run: number, name: number): readonly (WindowValue | null)[] {
    return this.#windows.get(store * 64 + run, () => {
      const windows = this.stateOf(store).windowsOf(callerOf(run, name));
      return Array.from({ length: this.#bounds.sections }, (_, section) => {
        const found = runAt(windows, toSectionId(section));
        return found === undefined ? null : windowValueOf(found);
      });
    });
  }

  /** A new one. */
  make({ sections, allocs, leaseMs, waitMs, isSettling }: StoreValue): StoreState {
    const state = new StoreState();
    const { uids, raiseBy } = this.#bounds;
    state.setCluster({
      clusterId: 'model',
      geometry: { firstUid: 0n, lastUid: BigInt(sections.length * uids - 1), uidsPerSection: uids },
      lease: { ...this.#terms, leaseMs },
      leaseNumber: isSettling ? 1 : 0,
      waitMs,
      // Two of two that are silent are no reason to stop here: what the brake holds back is not seen to be safe.
      policy: { ...DEFAULT_POLICY, silentShareMaxPercent: 100 },
      sets: NO_SETS,
      auditCount: 0,
      raiseBy: BigInt(raiseBy),
      version: { generation: GENERATION, value: VERSION },
    });
    for (const [name, { run, state: standing, former, dead }] of allocs.entries()) {
      state.setAlloc({
        id: allocIdOf(name),
        incarnation: incarnationOf(run),
        address: `${allocIdOf(name)}:1`,
        zone: '',
        state: standing,
        former: former.map(incarnationOf),
        dead: dead.map(incarnationOf),
      });
    }
    const nameOf = (run: number): number => allocs.findIndex(({ run: newest, former }) => newest === run || former.includes(run));
    const caller = (run: number): Caller | undefined => (run === NOBODY ? undefined : callerOf(run, nameOf(run)));
    for (const [section, { owner, epoch, base, maxSeq, next, handoff }] of sections.entries()) {
      state.setSection(section, {
        owner: caller(owner),
        epoch: toEpoch(epoch),
        base: toSeq(BigInt(base)),
        maxSeq: toSeq(BigInt(maxSeq)),
        next: caller(next),
        handoff: handoff === null ? undefined : handoffOf(handoff),
      });
    }
    return state;
  }

  #read(state: StoreState): StoreValue {
    const { cluster } = state;
    if (cluster === undefined) throw new RangeError('the cluster is initialised');
    return {
      sections: state.sections.map(sectionValueOf),
      allocs: state.allocs.map(({ incarnation, state: standing, former, dead }) => ({
        run: runOf(incarnation),
        state: standing,
        former: former.map(runOf),
        dead: dead.map(runOf),
      })),
      leaseMs: cluster.lease.leaseMs,
      waitMs: cluster.waitMs,
      isSettling: cluster.waitMs > waitMsOf(cluster.lease),
    };
  }
}

export function handoffOf({ epoch, digest, from }: HandoffValue): Handoff {
  return { epoch: toEpoch(epoch), digest, from: allocIdOf(from) };
}

export function windowRunOf(window: WindowValue): WindowRun {
  const { epoch, base, maxSeq, next, handoff } = window;
  return {
    firstSection: toSectionId(0),
    sectionCount: 1,
    epoch: toEpoch(epoch),
    base: base === 0 ? NO_SEQ : toSeq(BigInt(base)),
    maxSeq: toSeq(BigInt(maxSeq)),
    leaving: next !== NOBODY,
    ...(next === NOBODY ? {} : { next: allocIdOf(next) }),
    ...(handoff === null ? {} : { handoff: handoffOf(handoff) }),
  };
}

function windowValueOf({ epoch, base, maxSeq, next, handoff }: WindowRun): WindowValue {
  return {
    epoch,
    base: Number(base),
    maxSeq: Number(maxSeq),
    next: nameOf(next),
    handoff: handoff === undefined ? null : { epoch: handoff.epoch, digest: handoff.digest, from: nameOf(handoff.from) },
  };
}

function sectionValueOf({ owner, epoch, base, maxSeq, next, handoff }: Section): SectionValue {
  return {
    owner: runOf(owner?.incarnation),
    epoch,
    base: Number(base),
    maxSeq: Number(maxSeq),
    next: runOf(next?.incarnation),
    handoff: handoff === undefined ? null : { epoch: handoff.epoch, digest: handoff.digest, from: nameOf(handoff.from) },
  };
}

function nameOf(id: AllocId | undefined): number {
  return id === undefined ? NOBODY : Number(id.slice(1));
}
