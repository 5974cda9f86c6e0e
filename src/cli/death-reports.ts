import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { parseAllocId } from '../model/ids.js';
import type { StoreClient } from '../store/client.js';
import type { Child } from './child.js';

/**
 * For how long a report is tried, in ms. It spares the arbiter the wait for one lease; a leader that is elected meanwhile
 * begins that wait anew, so a report keeps its worth for several leases. Then it changes nothing any more.
 */
const REPORT_LIMIT_MS = 30_000;
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
  readonly #store: Pick<StoreClient, 'reportDeath' | 'close'>;
  readonly #clock: Clock;
  readonly #observe: (event: ReportEvent) => void;
  readonly #stopped = new AbortController();
  #underWay = 0;

  constructor(options: {
    readonly store: Pick<StoreClient, 'reportDeath' | 'close'>;
    readonly clock: Clock;
    readonly observe: (event: ReportEvent) => void;
  }) {
    this.#clock = options.clock;
    this.#observe = options.observe;
    this.#store = options.store;
  }

  /** `how` it ended, for people: 'was killed by SIGKILL'. Rejects with nothing but a bug, which ends the process. */
  async report(child: Pick<Child, 'spec' | 'incarnation' | 'pid'>, how: string): Promise<void> {
    // One that could not even be started has no pid, and registered nowhere.
    if (child.pid === 0 || this.#underWay >= REPORTS_MAX) return;
    const who = { allocId: parseAllocId(child.spec.name), incarnation: child.incarnation };
    const startMs = this.#clock.nowMs();
    this.#underWay += 1;
    try {
      const reason = `${who.allocId} ${how}, as its supervisor saw`;
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
