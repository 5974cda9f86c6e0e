import { Lease } from '../../src/model/lease.js';
import type { Command } from '../../src/store/command.js';
import { type Bounds, leaseTermsOf, TICK_MS, waitTicksOf } from './bounds.js';
import { Interner, Memo } from './interner.js';
import { ALIVE, ANSWERED, DEAD, Layout, SENT, State } from './layout.js';
import type { Mutant } from './mutants.js';
import { Memories } from './section-memory.js';
import { type Applied, callerOf, Stores, type WindowValue } from './store-values.js';
import { Takeovers } from './takeovers.js';

/** A number was handed out, or could be, that a guarantee forbids. */
export class Violation extends Error {}

/** Told of each step that may come next. `run` and `section`: what it is about; -1: nothing of the kind. */
export type Emit = (next: State, what: string, run?: number, section?: number) => void;

/** What a renewal's answer brings. */
export interface AnswerValue {
  readonly windows: readonly (WindowValue | null)[];
  readonly leaseTicks: number;
}

/** A takeover that was proposed. */
export interface DecisionValue {
  readonly term: number;
  readonly moves: readonly { readonly section: number; readonly to: number }[];
  readonly disowned: readonly number[];
}

export interface RaiseValue {
  readonly epoch: number;
  readonly to: number;
  /** The committed maxSeq on its way back; 0: the request is on its way. */
  readonly answer: number;
}

export interface ReleaseValue {
  readonly epoch: number;
  readonly trueMax: number;
  readonly digest: string | null;
}

/** All that one exploration shares: its bounds, the values that its states name by numbers, and the real code over them. */
export class World {
  readonly bounds: Bounds;
  readonly mutant: Mutant | undefined;
  readonly at: Layout;
  readonly stores: Stores;
  readonly memories: Memories;
  readonly takeovers: Takeovers;
  readonly answers = new Interner<AnswerValue | null>(null);
  readonly decisions = new Interner<DecisionValue | null>(null);
  readonly raises = new Interner<RaiseValue | null>(null);
  readonly releases = new Interner<ReleaseValue | null>(null);
  /** The longest wait that is ever committed, in ticks: no age above it makes a difference. */
  readonly waitTicks: number;
  /** No assignment brings a section to an epoch above it. Lifted while it is asked whether a state can get well again. */
  epochsMax: number;
  readonly #valid = new Memo<boolean>();

  constructor(bounds: Bounds, mutant?: Mutant) {
    this.bounds = bounds;
    this.mutant = mutant;
    this.epochsMax = bounds.epochs;
    this.at = new Layout(bounds);
    this.stores = new Stores(bounds, mutant);
    this.memories = new Memories(bounds, mutant);
    this.takeovers = new Takeovers(this.stores, mutant);
    this.waitTicks = waitTicksOf(leaseTermsOf(bounds));
  }

  /** Every AllocSvr has one run, which has registered and seen the first table; the first one owns everything. No lease holds yet. */
  first(): State {
    const { at, bounds } = this;
    const state = new State(Array.from({ length: at.cellCount }, () => 0));
    const store = this.stores.first();
    state.set(at.store, store);
    state.set(at.term, 1);
    state.set(at.movesLeft, bounds.moves);
    state.set(at.crashesLeft, bounds.crashes);
    state.set(at.spawnsLeft, bounds.spawns);
    state.set(at.stopsLeft, bounds.stops);
    state.set(at.leaseChangesLeft, bounds.leaseChanges);
    for (let run = 0; run < bounds.allocs; run += 1) {
      state.set(at.status(run), ALIVE);
      state.set(at.name(run), run);
      state.set(at.leaseAge(run), bounds.lease);
      for (const [section, window] of this.stores.windowsOf(store, run, run).entries())
        state.set(at.memory(run, section), this.memories.adopt(0, window));
    }
    return state;
  }

  isAlive(state: State, run: number): boolean {
    return state.get(this.at.status(run)) === ALIVE;
  }

  /** It takes steps: it lives and does not stand in the middle of a call. */
  isRunning(state: State, run: number): boolean {
    return this.isAlive(state, run) && state.get(this.at.call(run)) === 0;
  }

  isNewest(state: State, run: number): boolean {
    return this.stores.stateOf(state.get(this.at.store)).isCurrent(callerOf(run, state.get(this.at.name(run))));
  }

  /** Does the lease of a run hold, by the REAL arithmetic on its own clock? */
  hasLease(state: State, run: number): boolean {
    const age = state.get(this.at.leaseAge(run));
    const ticks = state.get(this.at.leaseTicks(run));
    if (age >= ticks && this.mutant !== 'lease-by-timer') return false;
    if (this.mutant === 'lease-by-timer') return ticks > 0;
    return this.#valid.get(age * 64 + ticks, () =>
      Lease.renewed({ sentAt: instantOf(0), leaseMs: ticks * TICK_MS }).isValidAt(instantOf(age * TICK_MS)),
    );
  }

  /** It could hand out a number of the section now, if its window has one. */
  serves(state: State, run: number, section: number): boolean {
    return this.isAlive(state, run) && this.hasLease(state, run) && this.memories.isOpen(state.get(this.at.memory(run, section)));
  }

  /** Something is counted on its clock: a lease, or a renewal that may bring one. */
  isCounting(state: State, run: number): boolean {
    return this.#counts(state, run, SENT);
  }

  /** Something that a leader granted is counted on its clock. */
  isGranted(state: State, run: number): boolean {
    return this.#counts(state, run, ANSWERED);
  }

  #counts(state: State, run: number, fromStage: number): boolean {
    const { at, bounds } = this;
    if (!this.isAlive(state, run)) return false;
    if (state.get(at.leaseAge(run)) < bounds.lease) return true;
    for (let slot = 0; slot < bounds.renewals; slot += 1)
      if (state.get(at.renewal(run, slot)) >= fromStage && state.get(at.renewalAge(run, slot)) < bounds.lease) return true;
    return false;
  }

  /** Applies a command to `next`, which is the caller's own copy. */
  commit(next: State, command: Command, entryTerm = next.get(this.at.term)): Applied {
    const { at } = this;
    const applied = this.stores.apply(next.get(at.store), command, entryTerm);
    next.set(at.store, applied.store);
    if (applied.isNewVersion) {
      next.set(at.isDecisionCurrent, 0);
      next.set(at.isOldCurrent, 0);
      for (let run = 0; run < at.runCount; run += 1) if (this.isAlive(next, run)) next.set(at.newest(run), next.get(at.newest(run)) + 1);
    }
    return applied;
  }

  /** The newest table comes to a run. */
  adopt(next: State, run: number, windows: readonly (WindowValue | null)[], version: number): void {
    const { at, memories } = this;
    if (version <= next.get(at.seen(run))) return;
    next.set(at.seen(run), version);
    for (const [section, window] of windows.entries()) {
      const adopted = memories.adopt(next.get(at.memory(run, section)), window);
      if (adopted < 0) return this.end(next, run);
      next.set(at.memory(run, section), adopted);
    }
  }

  /** The process is over. What it sent is still on its way. */
  end(next: State, run: number): void {
    const { at, bounds } = this;
    const sent = Array.from({ length: bounds.sections }, (_, section) => [next.get(at.raise(run, section)), next.get(at.release(run, section))]);
    const name = next.get(at.name(run));
    for (let place = at.status(run); place < at.status(run + 1); place += 1) next.set(place, 0);
    next.set(at.status(run), DEAD);
    next.set(at.name(run), name);
    for (const [section, [raise = 0, release = 0]] of sent.entries()) {
      next.set(at.raise(run, section), this.raises.valueOf(raise)?.answer === 0 ? raise : 0);
      next.set(at.release(run, section), release);
    }
  }
}

function instantOf(ms: number): { readonly monoMs: number; readonly wallMs: number; readonly uptimeMs: number } {
  return { monoMs: ms, wallMs: ms, uptimeMs: ms };
}
