import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { parseAllocId } from '../model/ids.js';
import { StoreClient } from '../store/client.js';
import type { Child } from './child.js';

/** After about one lease a report changes nothing any more, in ms. */
const REPORT_LIMIT_MS = 4_000;
/** Reports on their way at once; a host whose workers all keep dying says what it can. */
const REPORTS_MAX = 256;

export type ReportEvent =
  | { readonly type: 'deathReported'; readonly allocId: string; readonly incarnation: string; readonly tookMs: number }
  | { readonly type: 'deathNotReported'; readonly allocId: string; readonly incarnation: string; readonly error: SeqError };

/**
 * Tells the StoreSvrs that an AllocSvr's process has ended, so that nobody waits for its lease. Only what this process saw of
 * a child that it spawned itself may be reported, by the incarnation that was fixed then (DESIGN 3.3).
 */
export class DeathReports {
  readonly #store: StoreClient;
  readonly #clock: Clock;
  readonly #observe: (event: ReportEvent) => void;
  readonly #stopped = new AbortController();
  #underWay = 0;

  constructor(options: {
    readonly stores: readonly string[];
    readonly clock: Clock;
    readonly random: Random;
    readonly observe: (event: ReportEvent) => void;
  }) {
    this.#clock = options.clock;
    this.#observe = options.observe;
    this.#store = new StoreClient({ endpoints: options.stores, clock: options.clock, random: options.random });
  }

  /** `how` it ended, for people: 'was killed by SIGKILL'. Never rejects. */
  async report(child: Child, how: string): Promise<void> {
    if (this.#underWay >= REPORTS_MAX) return;
    const who = { allocId: parseAllocId(child.spec.name), incarnation: child.incarnation };
    const startMs = this.#clock.nowMs();
    this.#underWay += 1;
    try {
      const reason = `its supervisor saw it end: it ${how}`;
      await this.#store.reportDeath({ ...who, reason }, { timeoutMs: REPORT_LIMIT_MS, signal: this.#stopped.signal });
      this.#observe({ type: 'deathReported', ...who, tookMs: this.#clock.nowMs() - startMs });
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      // Its lease is waited out, as without a supervisor.
      if (!this.#stopped.signal.aborted) this.#observe({ type: 'deathNotReported', ...who, error });
    } finally {
      this.#underWay -= 1;
    }
  }

  close(): void {
    this.#stopped.abort();
    this.#store.close();
  }
}
