import { Reign } from '../../src/arbiter/reign.js';
import type { Clock } from '../../src/base/clock.js';
import { arbiterPortOf } from '../../src/cli/arbiter-port.js';
import type { Command } from '../../src/store/command.js';
import type { StoreNode } from '../../src/store/node.js';
import { TICK_MS } from './bounds.js';
import { Memo } from './interner.js';
import type { Mutant } from './mutants.js';
import { TAKER, viewOf } from './spoilt-store.js';
import { incarnationOf, type Stores } from './store-values.js';

/** What the arbiter would do at a moment: take sections from runs whose lease is surely over. */
export interface Takeover {
  readonly sections: readonly number[];
  /** Runs whose renewals it does not answer until the fate of the decision is known. */
  readonly disowned: readonly number[];
}

/** What a leader knows: ages in ticks on its own clock. */
export interface LeaderView {
  readonly store: number;
  readonly term: number;
  /** For how long it has waited for each run. */
  readonly waitAges: readonly number[];
}

/** Long before anything that is measured here. */
const NOW_MS = 1_000_000;

/**
 * What the REAL arbiter decides: a Reign is led through the moments at which it heard each run and asked at the present one.
 * Nothing of it is copied or replaced but its port to the log, which notes the entry and never says what became of it.
 */
export class Takeovers {
  readonly #stores: Stores;
  readonly #mutant: Mutant | undefined;
  readonly #known = new Memo<Takeover | undefined>();

  constructor(stores: Stores, mutant?: Mutant) {
    this.#stores = stores;
    this.#mutant = mutant;
  }

  of(view: LeaderView): Takeover | undefined {
    return this.#known.get(`${view.store} ${view.waitAges.join()}`, () => this.#ask(view));
  }

  #ask({ store, term, waitAges }: LeaderView): Takeover | undefined {
    let nowMs = NOW_MS - Math.max(...waitAges) * TICK_MS;
    let isAsked = false;
    let proposed: Command | undefined;
    const clock: Clock = {
      nowMs: () => nowMs,
      now: () => ({ monoMs: nowMs, wallMs: nowMs, uptimeMs: nowMs }),
      wallMs: () => 0,
      after: () => () => undefined,
      defer: () => undefined,
    };
    const state = viewOf(this.#mutant, this.#stores, store);
    const node = {
      state,
      raft: { term },
      get isLeading(): boolean {
        return isAsked;
      },
      propose: (command: Command) => {
        proposed ??= command;
        return new Promise(() => undefined);
      },
    };
    const onFatal = (error: unknown): never => {
      throw error;
    };
    const reign = new Reign({ port: arbiterPortOf(node as unknown as StoreNode, clock), clock, onFatal });
    const times = waitAges.map((age, run) => ({ age, run })).sort((one, other) => other.age - one.age);
    for (const { age, run } of times) {
      nowMs = NOW_MS - age * TICK_MS;
      reign.heard(incarnationOf(run), []);
    }
    nowMs = NOW_MS;
    reign.heard(TAKER.incarnation, []);
    isAsked = true;
    reign.wake();
    return proposed?.type === 'assign' ? takeoverOf(proposed, { reign, waitAges, stores: this.#stores, store }) : undefined;
  }
}

function takeoverOf(
  { runs }: Extract<Command, { type: 'assign' }>,
  {
    reign,
    waitAges,
    stores,
    store,
  }: { readonly reign: Reign; readonly waitAges: readonly number[]; readonly stores: Stores; readonly store: number },
): Takeover {
  const all = runs.flatMap(({ firstSection, sectionCount }) => Array.from({ length: sectionCount }, (_, at) => firstSection + at));
  const { sections } = stores.valueOf(store);
  return {
    // What nobody owns needs no wait: it is given away by an action of its own.
    sections: all.filter((section) => sections[section]?.owner !== -1),
    disowned: waitAges.flatMap((_, run) => (reign.mayRenew(incarnationOf(run)) ? [] : [run])),
  };
}
