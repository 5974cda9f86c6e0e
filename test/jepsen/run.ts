import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, SeqError } from '../../src/base/errors.js';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import type { Operation } from '../../src/verify/operation.js';
import { timelineHtml } from '../../src/verify/timeline-html.js';
import { SeededRandom } from '../unit/seeded-random.js';
import { History } from './history.js';
import { BrokenGuarantee, type Nemesis, type Strike } from './nemesis/nemesis.js';
import { SetMapLoad } from './set-map-load.js';
import { pause, until } from './until.js';
import { type Ending, SECTIONS, UIDS_PER_SECTION, World } from './world.js';
import { Workload } from './workload.js';

/** Load must flow before the first fault: so many answered operations. */
const FLOW_COUNT_MIN = 200;
const FLOW_LIMIT_MS = 60_000;
const WORKERS = 6;
const STRICT_PERCENT = 15;
const ADVANCE_PERCENT = 3;
const SET_MAP_WORKERS = 3;
/** After healing, the last operation on every uid has so long. */
const LAST_CALL_LIMIT_MS = 30_000;
const AGREE_LIMIT_MS = 30_000;

export interface RunOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly nemeses: readonly Nemesis[];
  readonly stores: number;
  readonly allocs: number;
  readonly inNamespaces: boolean;
  /** Where the history and the report go. Undefined: nowhere, unless the run fails; then to a folder that it names. */
  readonly out: string | undefined;
  /** Ends the run after the strike that goes on; it is invalid then. */
  readonly signal?: AbortSignal;
}

/** valid: load flowed, faults happened, everything worked again. violation: a guarantee was broken. invalid: it proves nothing. */
export type Verdict = 'valid' | 'violation' | 'invalid';

export interface RunReport {
  readonly verdict: Verdict;
  readonly seed: number;
  readonly nemeses: readonly string[];
  readonly stores: number;
  readonly allocs: number;
  readonly wires: 'namespaces' | 'loopback';
  readonly operations: number;
  readonly answered: number;
  readonly unknown: number;
  /** Compare-and-set calls on the stores, and how many of them were done. */
  readonly setMapCalls: number;
  readonly setMapDone: number;
  readonly strikes: readonly (Strike & { readonly nemesis: string; readonly fromMs: number; readonly toMs: number })[];
  readonly endings: readonly Ending[];
  /** What is wrong; empty when the verdict is valid. */
  readonly problems: readonly string[];
  readonly out: string | undefined;
}

/** One run: a cluster of its own, load, faults for so many seconds, healing, and every check there is. */
export async function runOnce(options: RunOptions): Promise<RunReport> {
  const needs = new Set(options.nemeses.flatMap((nemesis) => nemesis.needs));
  const world = await World.start({ ...options, needs });
  const run = new Run(options, world);
  try {
    await run.play();
    return run.report();
  } finally {
    await run.close();
  }
}

class Run {
  readonly #options: RunOptions;
  readonly #world: World;
  readonly #history = new History();
  readonly #uids = Array.from({ length: SECTIONS * 2 }, (_, at) => BigInt(Math.floor(at / 2) * UIDS_PER_SECTION + (at % 2) * (UIDS_PER_SECTION - 1)));
  readonly #strikes: (Strike & { nemesis: string; fromMs: number; toMs: number })[] = [];
  readonly #invalid: string[] = [];
  readonly #violations: string[] = [];
  #workload: Workload | undefined;
  #setMap: SetMapLoad | undefined;
  #isKept = false;

  constructor(options: RunOptions, world: World) {
    this.#options = options;
    this.#world = world;
  }

  /** What goes wrong is noted and not thrown. */
  async play(): Promise<void> {
    try {
      await this.#begin();
      await this.#strikeAll();
      await this.#heal();
      await this.#checkStores();
    } catch (error) {
      (error instanceof BrokenGuarantee ? this.#violations : this.#invalid).push(messageOf(error));
    }
    await this.#setMap?.stop();
    await this.#workload?.stop();
    this.#checkHistories();
  }

  report(): RunReport {
    const { seed, nemeses, stores, allocs } = this.#options;
    const bugs = this.#world.endings.filter(({ isBug }) => isBug).map(({ name, lastLine }) => `${name} broke: ${lastLine}`);
    const violations = [...this.#violations, ...bugs];
    const verdict = violations.length > 0 ? 'violation' : this.#invalid.length > 0 ? 'invalid' : 'valid';
    this.#isKept = verdict !== 'valid';
    const out = this.#options.out ?? (this.#isKept ? this.#world.cluster.path('report') : undefined);
    const outcomes = this.#history.operations.map(({ outcome }) => outcome.type);
    const report: RunReport = {
      verdict,
      seed,
      nemeses: nemeses.map(({ name }) => name),
      stores,
      allocs,
      wires: this.#world.wires.kind,
      operations: outcomes.length,
      answered: outcomes.filter((type) => type === 'numbers' || type === 'value').length,
      unknown: outcomes.filter((type) => type === 'unknown').length,
      setMapCalls: this.#setMap?.calls.length ?? 0,
      setMapDone: this.#setMap?.setCount ?? 0,
      strikes: this.#strikes,
      endings: this.#world.endings,
      problems: [...violations, ...this.#invalid],
      out,
    };
    if (out !== undefined) this.#save(out, report);
    return report;
  }

  async close(): Promise<void> {
    await this.#workload?.close();
    await this.#world.dispose({ keep: this.#isKept });
  }

  async #begin(): Promise<void> {
    const { seed } = this.#options;
    const { cluster } = this.#world;
    const [uids, history] = [this.#uids, this.#history];
    this.#workload = await Workload.start({
      endpoints: cluster.endpoints,
      uids,
      history,
      workers: WORKERS,
      seed,
      strictPercent: STRICT_PERCENT,
      advancePercent: ADVANCE_PERCENT,
    });
    this.#setMap = new SetMapLoad({
      clusterId: cluster.clusterId,
      endpoints: () => this.#world.stores.map((name) => cluster.addressOf(name)),
      uids: { first: 0n, last: BigInt(SECTIONS * UIDS_PER_SECTION - 1) },
      nowNs: () => history.nowNs(),
      workers: SET_MAP_WORKERS,
      seed,
    });
    await until(
      `${FLOW_COUNT_MIN} operations are answered before the first fault`,
      FLOW_LIMIT_MS,
      () => this.#answered().length >= FLOW_COUNT_MIN || undefined,
    );
    this.#workload.expectFaults();
  }

  /** Strike by strike, with the cluster whole before each: so no two faults together are more than it must bear. */
  async #strikeAll(): Promise<void> {
    const { seed, seconds, nemeses, signal } = this.#options;
    const choices = new SeededRandom(seed);
    const round: Nemesis[] = [];
    const endMs = performance.now() + seconds * 1_000;
    // The strikes of a seed are the same, however many of them there is time for.
    for (let number = 0; number === 0 || performance.now() < endMs; number += 1) {
      if (signal?.aborted) throw new Error('interrupted');
      // Each of them once, in any order, before one comes again.
      if (round.length === 0) round.push(...nemeses);
      const [nemesis] = round.splice(choices.below(round.length), 1);
      if (nemesis === undefined) throw new Error('a run needs a nemesis');
      const random = new SeededRandom(seed * 1_000 + number);
      const fromMs = this.#nowMs();
      const strike = await nemesis.strike(this.#world, random);
      this.#strikes.push({ nemesis: nemesis.name, ...strike, fromMs, toMs: this.#nowMs() });
      await this.#world.untilWhole();
      await pause(random.below(1_000));
    }
    const silent = this.#strikes.filter(({ proof }) => proof === undefined);
    if (silent.length === this.#strikes.length) this.#invalid.push(`no fault really happened: ${silent.map(({ what }) => what).join('; ')}`);
  }

  async #heal(): Promise<void> {
    await this.#world.wires.heal();
    await this.#world.untilWhole();
    const last = await Promise.all(this.#uids.map(async (uid) => ({ uid, seq: await this.#workload?.next(uid, LAST_CALL_LIMIT_MS) })));
    const failed = last.filter(({ seq }) => typeof seq !== 'bigint');
    if (failed.length > 0) {
      const [{ uid, seq }] = failed as [(typeof failed)[number]];
      this.#invalid.push(`after healing, the last call on ${failed.length} uids failed; on ${uid}: ${SeqError.is(seq) ? seq.message : String(seq)}`);
    }
    await this.#setMap?.stop();
    await this.#workload?.stop();
  }

  /** What the stores have committed covers what was handed out (invariant 2), and all of them have the same (invariant 6). */
  async #checkStores(): Promise<void> {
    const { cluster } = this.#world;
    const listed = JSON.parse(await this.#world.seqctl('section', 'list')) as {
      sections: { firstSection: number; lastSection: number; maxSeq: string }[];
    };
    for (const { firstSection, lastSection, maxSeq } of listed.sections) {
      const above = this.#answered().find(({ uid, outcome }) => {
        const section = Number(uid / BigInt(UIDS_PER_SECTION));
        return section >= firstSection && section <= lastSection && highest(outcome) > BigInt(maxSeq);
      });
      if (above !== undefined)
        this.#violations.push(`uid ${above.uid} got ${highest(above.outcome)}, above the committed maxSeq ${maxSeq} of its section`);
    }
    await until('all stores are at the same index', AGREE_LIMIT_MS, async () => {
      const statuses = await Promise.all(this.#world.stores.map((name) => cluster.storeStatus(name)));
      const byIndex = new Map<bigint, Set<string>>();
      for (const { appliedIndex, stateHash } of statuses) byIndex.set(appliedIndex, (byIndex.get(appliedIndex) ?? new Set()).add(stateHash));
      for (const [index, hashes] of byIndex) if (hashes.size > 1) this.#violations.push(`stores differ at index ${index}: ${[...hashes].join(' ')}`);
      return byIndex.size === 1 || this.#violations.length > 0 || undefined;
    });
  }

  #checkHistories(): void {
    const { violations } = checkHistory(this.#history.operations);
    if (violations.length > 0) this.#violations.push(`${violations.length} violations:\n${showViolations(violations)}`);
    if (this.#history.openCount > 0) this.#invalid.push(`${this.#history.openCount} operations never ended`);
    const verdict = this.#setMap?.verdict();
    if (verdict?.type === 'illegal')
      this.#violations.push(`compare-and-set on the stores is not linearizable: stuck at ${JSON.stringify(this.#setMap?.calls[verdict.stuckAt])}`);
    if (verdict?.type === 'unknown') this.#invalid.push(`compare-and-set on the stores: ${verdict.why}`);
  }

  #save(out: string, report: RunReport): void {
    mkdirSync(out, { recursive: true });
    const faults = this.#strikes.map(({ nemesis, what, fromMs, toMs }) => ({ fault: `${nemesis}: ${what}`, fromNs: fromMs * 1e6, toNs: toMs * 1e6 }));
    const { operations } = this.#history;
    this.#history.save(join(out, 'history.jsonl'), faults);
    const { violations } = checkHistory(operations);
    if (violations.length > 0)
      writeFileSync(join(out, 'timeline.html'), timelineHtml({ title: `seed ${report.seed}`, violations, operations, faults }));
    writeFileSync(join(out, 'set-map.jsonl'), (this.#setMap?.calls ?? []).map((call) => `${JSON.stringify(call)}\n`).join(''));
    writeFileSync(join(out, 'report.json'), JSON.stringify(report, undefined, 2));
  }

  #answered(): readonly Operation[] {
    return this.#history.operations.filter(({ outcome }) => outcome.type === 'numbers' || outcome.type === 'value');
  }

  #nowMs(): number {
    return Math.round(this.#history.nowNs() / 1e6);
  }
}

function highest(outcome: Operation['outcome']): bigint {
  return outcome.type === 'numbers' ? outcome.last : outcome.type === 'value' ? outcome.seq : 0n;
}
