import { SeqClient, SeqError } from '../../src/client/client.js';
import type { History } from './history.js';
import { pause } from './until.js';

/** Between two calls of a writer, in ms: the machine is shared with the cluster. */
const PACE_MS = 20;
const FAILED_PAUSE_MS = 20;

/** One call of a writer. */
export interface Sample {
  readonly uid: bigint;
  readonly fromNs: number;
  readonly toNs: number;
  /** Undefined: it failed. */
  readonly seq: bigint | undefined;
  /** Numbers of the uid that nobody got since the writer's last one: a counter that was moved exactly skips none. */
  readonly skipped: bigint;
  readonly error: string | undefined;
}

/**
 * A writer for each uid, and nobody else calls on these: each asks for the next number again and again, one call at a
 * time. So every number that is skipped shows, and so does every moment in which a section does not answer.
 */
export class Steady {
  readonly samples: Sample[] = [];
  readonly #history: History;
  readonly #clients: readonly SeqClient[];
  readonly #running: readonly Promise<void>[];
  #isStopping = false;

  private constructor(clients: readonly SeqClient[], uids: readonly bigint[], history: History) {
    this.#history = history;
    this.#clients = clients;
    this.#running = uids.map((uid, at) => this.#write(clients[at % clients.length]!, uid));
  }

  static async start(options: {
    readonly endpoints: readonly string[];
    readonly uids: readonly bigint[];
    readonly history: History;
    readonly clients: number;
  }) {
    const { endpoints, uids, history } = options;
    const clients = await Promise.all(Array.from({ length: options.clients }, () => SeqClient.connect({ endpoints, timeoutMs: 20_000 })));
    return new Steady(clients, uids, history);
  }

  /** Samples of calls that were under way at some moment of the stretch. */
  within(fromNs: number, toNs: number): readonly Sample[] {
    return this.samples.filter((sample) => sample.fromNs <= toNs && sample.toNs >= fromNs);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await Promise.all(this.#running);
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  async #write(client: SeqClient, uid: bigint): Promise<void> {
    let last: bigint | undefined;
    while (!this.#isStopping) {
      const pending = this.#history.begin({ client: `writer of ${uid}`, call: 'next', uid, count: 1 });
      const fromNs = this.#history.nowNs();
      try {
        const seq = await client.next(uid);
        pending.numbers(seq, seq);
        const skipped = last === undefined ? 0n : seq - last - 1n;
        this.samples.push({ uid, fromNs, toNs: this.#history.nowNs(), seq, skipped, error: undefined });
        last = seq;
        await pause(PACE_MS);
      } catch (error) {
        pending.failed(error);
        if (!SeqError.is(error)) throw error;
        this.samples.push({ uid, fromNs, toNs: this.#history.nowNs(), seq: undefined, skipped: 0n, error: `${error.code}: ${error.message}` });
        await pause(FAILED_PAUSE_MS);
      }
    }
  }
}

export function failedOf(samples: readonly Sample[]): readonly Sample[] {
  return samples.filter(({ error }) => error !== undefined);
}

/** Uids that skipped numbers, and how many. */
export function jumpedOf(samples: readonly Sample[]): ReadonlyMap<bigint, bigint> {
  const jumped = new Map<bigint, bigint>();
  for (const { uid, skipped } of samples) if (skipped > 0n) jumped.set(uid, (jumped.get(uid) ?? 0n) + skipped);
  return jumped;
}

/** In ms; `share` in (0, 1]. */
export function latencyMs(samples: readonly Sample[], share: number): number {
  const sorted = samples.map(({ fromNs, toNs }) => (toNs - fromNs) / 1e6).sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
