import type { AllocEvent } from '../../../src/alloc/events.js';
import type { PullCounters, Wanted } from '../../../src/alloc/handoff-intake.js';
import type { Chunk } from '../../../src/alloc/handoff-source.js';
import { AllocNode, type Current, type Patience } from '../../../src/alloc/node.js';
import type { SavedCounters } from '../../../src/alloc/handover.js';
import type { SealedCounters } from '../../../src/alloc/sealed-counters.js';
import type { StorePort } from '../../../src/alloc/store-port.js';
import { sleep } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Geometry } from '../../../src/model/geometry.js';
import { type AllocId, type Incarnation, type SectionId, type Slot, toSectionId } from '../../../src/model/ids.js';
import type { Assignment, Caller, ReleasedRun, WatchHandlers } from '../../../src/store/client.js';
import type { Command } from '../../../src/store/command.js';
import type { Result } from '../../../src/store/result.js';
import { type Section, StoreState } from '../../../src/store/state.js';
import { apply } from '../../../src/store/state-machine.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

const TERM = 1;
const CLUSTER_ID = 'c'.repeat(32);
const MOTIVE = { reason: 'test', atMs: 0 };
const LOST = new SeqError('TIMEOUT', 'no answer');
export const GEOMETRY: Geometry = { firstUid: 0n, lastUid: 11_999n, uidsPerSection: 3000 };

export type StoreKind = 'register' | 'renew' | 'raise' | 'release' | 'drain' | 'load';

/** What a test may do to a pull. */
export interface PullFaults {
  /** Nobody answers at the address. */
  isDown: boolean;
  /** The stream breaks off before its message of this number, counted from 0. */
  breakAt: number;
  /** Changes what travels. */
  tamper: ((chunk: Chunk) => Chunk) | undefined;
  /** The stream breaks off with the first end mark: it was sealed, and that is not known. */
  isBrokenAtSeal: boolean;
  /** Each message takes this long, in ms. */
  delayMs: number;
}

/** One AllocSvr, run after run. */
export interface TestAlloc {
  readonly id: AllocId;
  node: AllocNode;
  incarnation: Incarnation;
  isUp: boolean;
  /** Its disk; undefined: it has none. */
  file: { readonly sealed: readonly SealedCounters[]; readonly clusterId: string } | undefined;
  readonly events: AllocEvent[];
  readonly fatal: SeqError[];
}

/**
 * Real AllocNodes on a store that is the real state machine, and an in-memory port between them. Whatever goes wrong is
 * the test's doing; time moves when it says so.
 */
export class HandoffStage {
  readonly clock = new VirtualClock();
  readonly dice: SeededRandom;
  readonly state = new StoreState();
  readonly allocs = new Map<string, TestAlloc>();
  /** Releases that were carried out, and those that were asked for. */
  readonly releases: ReleasedRun[][] = [];
  readonly asked: ReleasedRun[][] = [];
  readonly pulls: { readonly address: string; readonly wanted: readonly Wanted[] }[] = [];
  /** Fails the next requests of a kind, before they are carried out. */
  readonly failures = new Map<StoreKind, SeqError>();
  /** Kinds that are carried out while their replies are lost. */
  readonly lost = new Set<StoreKind>();
  readonly faults: PullFaults = { isDown: false, breakAt: Number.POSITIVE_INFINITY, tamper: undefined, isBrokenAtSeal: false, delayMs: 0 };
  /** AllocSvrs that the store and they themselves cannot reach each other. */
  readonly cutOff = new Set<string>();
  /** When the store last answered a renewal of a run. */
  readonly heardAtMs = new Map<Incarnation, number>();
  /** Tables are pushed at once, unless a test takes them in by hand. */
  isPushing = true;
  successorCount: number | undefined;
  /** How long saving counters takes, in ms. */
  saveMs = 0;
  readonly #watchers = new Map<Incarnation, WatchHandlers>();
  #incarnations: Record<string, number> = {};

  constructor(seed = 1) {
    this.dice = new SeededRandom(seed);
    const lease = { leaseMs: 3000, driftPpm: 10_000, marginMs: 100 };
    this.apply({ type: 'init', clusterId: CLUSTER_ID, generation: 1000, geometry: GEOMETRY, lease, raiseBy: 100n, members: [] });
  }

  apply(command: Command): Result {
    const before = this.state.version.value;
    const result = apply(this.state, command, TERM);
    if (this.isPushing && this.state.version.value !== before) this.push();
    return result;
  }

  /** What the newest table means, for everybody who watches. */
  push(): void {
    for (const alloc of this.allocs.values()) {
      if (alloc.isUp && !this.cutOff.has(alloc.id)) this.#watchers.get(alloc.incarnation)?.onAssignment(this.assignmentOf(alloc));
    }
  }

  /** A new run of an AllocSvr; resolves when it serves. */
  async start(id: string, options: { file?: boolean } = {}): Promise<TestAlloc> {
    const number = (this.#incarnations[id] ?? 0) + 1;
    this.#incarnations[id] = number;
    const former = this.allocs.get(id);
    const incarnation = `${Buffer.from(id).toString('hex')}${'0'.repeat(32)}`.slice(0, 28) + String(number).padStart(4, '0');
    const alloc: TestAlloc = former ?? {
      id: id as AllocId,
      node: undefined as unknown as AllocNode,
      incarnation: '' as Incarnation,
      isUp: false,
      file: undefined,
      events: [],
      fatal: [],
    };
    this.allocs.set(id, alloc);
    const node = new AllocNode({
      id: alloc.id,
      zone: '',
      renewEveryMs: 500,
      store: this.#storeFor(alloc.id, incarnation as Incarnation),
      clock: this.clock,
      random: { below: (below) => this.dice.below(below), id128: () => incarnation },
      observe: (event) => alloc.events.push(event),
      onFatal: (error) => {
        alloc.fatal.push(error);
        if (alloc.node === node) alloc.isUp = false;
      },
      pull: this.#pull(alloc.id),
      ...(options.file === true && { saved: this.#disk(alloc) }),
    });
    Object.assign(alloc, { node, incarnation, isUp: true });
    const started = node.start({ address: `${id}:1` });
    await this.clock.elapse(1);
    await started;
    return alloc;
  }

  /** As kill -9. */
  crash(alloc: TestAlloc): void {
    alloc.isUp = false;
    this.#watchers.delete(alloc.incarnation);
    alloc.node.stop();
  }

  assign(alloc: Caller, ...sections: number[]): Result {
    return this.apply({ type: 'assign', arbiterTerm: TERM, basedOn: this.state.version, runs: this.#runs(alloc, sections), ...MOTIVE });
  }

  planMove(alloc: Caller, ...sections: number[]): Result {
    return this.apply({ type: 'planMove', arbiterTerm: TERM, basedOn: this.state.version, runs: this.#runs(alloc, sections), ...MOTIVE });
  }

  caller(alloc: TestAlloc): Caller {
    return { allocId: alloc.id, incarnation: alloc.incarnation };
  }

  section(section: number): Section {
    return this.state.sections[section]!;
  }

  /** Numbers at once, or the error code, or 'waits'. */
  next(alloc: TestAlloc, section: number, { slot = 0, count = 1 } = {}): bigint | string {
    const taken = caught(() => alloc.node.next(ask(section, slot, count), this.patience()));
    if (!(taken instanceof Promise)) return typeof taken === 'string' ? taken : taken.first;
    taken.catch(() => undefined);
    return 'waits';
  }

  /** The first number of a call that may wait, or the error code. */
  async later(alloc: TestAlloc, section: number, { slot = 0, count = 1 } = {}): Promise<bigint | string> {
    const taken = await caught(() => alloc.node.next(ask(section, slot, count), this.patience()));
    return typeof taken === 'string' ? taken : taken.first;
  }

  current(alloc: TestAlloc, section: number, slot = 0): Current | Promise<Current | string> | string {
    return caught(() => alloc.node.current(ask(section, slot, 1), this.patience()));
  }

  patience(waitMs = 2000): Patience {
    return { deadlineMs: this.clock.nowMs() + waitMs, isCancelled: () => false };
  }

  assignmentOf({ id, incarnation }: { readonly id: AllocId; readonly incarnation: Incarnation }): Assignment {
    const caller = { allocId: id, incarnation };
    const { sets } = this.state.cluster!;
    return { table: this.state.table()!, windows: this.state.windowsOf(caller), incoming: this.state.incomingOf(caller), sets };
  }

  #runs({ allocId, incarnation }: Caller, sections: readonly number[]) {
    return sections.map((section) => ({ firstSection: toSectionId(section), sectionCount: 1, allocId, incarnation }));
  }

  #storeFor(allocId: AllocId, incarnation: Incarnation): StorePort {
    const caller = { allocId, incarnation };
    const run = async <Reply>(kind: StoreKind, act: () => Reply): Promise<Reply> => {
      const failure = this.failures.get(kind) ?? (this.cutOff.has(allocId) ? LOST : undefined);
      if (failure !== undefined) throw failure;
      const reply = act();
      if (this.lost.has(kind)) throw LOST;
      return reply;
    };
    const done = (result: Result): Result => {
      if (result.type === 'refused') throw new SeqError(result.code, result.why, { definite: true });
      return result;
    };
    const current = (): void => {
      if (!this.state.isCurrent(caller)) throw new SeqError('NOT_OWNER', `superseded: incarnation ${incarnation} of ${allocId} is a former one`);
    };
    const { lease, raiseBy } = this.state.cluster!;
    return {
      register: ({ address, zone }) =>
        run('register', () => {
          done(this.apply({ type: 'register', ...caller, address, zone }));
          return { clusterId: CLUSTER_ID, geometry: GEOMETRY, raiseBy, lease };
        }),
      renewOnce: ({ routingVersion }) =>
        run('renew', () => {
          current();
          this.heardAtMs.set(incarnation, this.clock.nowMs());
          const isNew = routingVersion === undefined || routingVersion.value < this.state.version.value;
          return { lease, assignment: isNew ? this.assignmentOf({ id: allocId, incarnation }) : undefined };
        }),
      raise: ({ raises }) =>
        run('raise', () => {
          const result = done(this.apply({ type: 'raise', ...caller, raises }));
          if (result.type !== 'raises') throw new Error('a raise is answered with raises');
          return result.outcomes.map((outcome) =>
            outcome.type === 'raised' ? outcome : { type: 'refused' as const, error: new SeqError(outcome.code, outcome.why, { definite: true }) },
          );
        }),
      release: ({ generation, releases }) => {
        this.asked.push([...releases]);
        return run('release', () => {
          this.releases.push([...releases]);
          const result = done(this.apply({ type: 'release', ...caller, generation, releases }));
          if (result.type !== 'released') throw new Error('a release is answered with counts');
          return { releasedCount: result.releasedCount, refusedCount: result.refusedCount };
        });
      },
      drain: () =>
        run('drain', () => {
          done(this.apply({ type: 'drain', ...caller, ...MOTIVE }));
          const joined = this.state.allocs.filter(({ state }) => state === 'joined').length;
          return { assignment: this.assignmentOf({ id: allocId, incarnation }), successorCount: this.successorCount ?? joined };
        }),
      load: () =>
        run('load', () => {
          current();
          return this.assignmentOf({ id: allocId, incarnation });
        }),
      confirm: ({ sections }) =>
        run('load', () => {
          current();
          return sections.map(({ section, epoch }) => {
            const known = this.state.sections[section]!;
            return known.owner?.incarnation === incarnation && known.epoch === epoch;
          });
        }),
      watch: (_ask, handlers) => {
        this.#watchers.set(incarnation, handlers);
        return () => {
          this.#watchers.delete(incarnation);
        };
      },
    };
  }

  /** Streams of counters from one AllocSvr to another, with the faults that a test wants. */
  #pull(by: AllocId): PullCounters {
    return async (address, wanted, handlers, signal) => {
      this.pulls.push({ address, wanted });
      const broken = (): SeqError => new SeqError('UNAVAILABLE', `${address} broke off`);
      const from = this.allocs.get(address.split(':')[0]!);
      if (from?.isUp !== true || this.faults.isDown) throw broken();
      const { incarnation } = from;
      let number = 0;
      let isBroken = false;
      // Whoever reads is gone when the signal says so, and never hears of what the owner does after that.
      await new Promise<void>((resolve, reject) => {
        const fail = (error: unknown): void => {
          isBroken = true;
          reject(error);
        };
        signal.addEventListener('abort', () => fail(broken()), { once: true });
        const write = async (sent: Chunk): Promise<void> => {
          if (this.faults.delayMs > 0) await new Promise<void>((wake) => this.clock.after(this.faults.delayMs, wake));
          if (!from.isUp || from.incarnation !== incarnation || number++ >= this.faults.breakAt || this.faults.isDown) fail(broken());
          if (this.faults.isBrokenAtSeal && sent.sealed.length > 0) fail(broken());
          if (isBroken) return;
          const chunk = this.faults.tamper?.(sent) ?? sent;
          try {
            handlers.onPages(chunk.pages);
            handlers.onSealed(
              chunk.sealed.map(({ section, epoch, defaultSeq, trueMax, digest }) => ({ section, epoch, defaultSeq, trueMax, digest })),
            );
          } catch (error) {
            fail(error);
          }
        };
        from.node.source.pull({ allocId: by, sections: wanted }, { write, isCancelled: () => isBroken }).then(resolve, fail);
      });
    };
  }

  #disk(alloc: TestAlloc): SavedCounters {
    return {
      save: async (sealed, clusterId) => {
        if (this.saveMs > 0) await sleep(this.clock, this.saveMs);
        alloc.file = { sealed, clusterId };
        return 1;
      },
      load: async ({ clusterId }) => {
        if (alloc.file === undefined) return [];
        return alloc.file.clusterId === clusterId ? alloc.file.sealed : { refused: `it is of cluster ${alloc.file.clusterId}` };
      },
      remove: async () => {
        alloc.file = undefined;
        return undefined;
      },
    };
  }
}

function ask(section: number, slot: number, count: number) {
  return { section: section as SectionId, slot: slot as Slot, count, floor: 0n };
}

/** The outcome, or the code of a SeqError. */
function caught<Outcome>(act: () => Outcome | Promise<Outcome>): Outcome | string | Promise<Outcome | string> {
  const codeOf = (error: unknown): string => {
    if (SeqError.is(error)) return error.code;
    throw error;
  };
  try {
    const outcome = act();
    return outcome instanceof Promise ? outcome.catch(codeOf) : outcome;
  } catch (error) {
    return codeOf(error);
  }
}
