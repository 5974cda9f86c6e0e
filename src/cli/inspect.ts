import { type Clock, sleep } from '../base/clock.js';
import { type ErrorCode, SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import type { RoutingTable } from '../model/routing.js';
import type { ChannelPool } from '../rpc/channel-pool.js';
import { tableFromWire } from '../rpc/codec.js';
import { AdminServiceService, type GetStatusResponse } from '../rpc/gen/seqsvr/v1/admin.js';
import { RouteServiceService } from '../rpc/gen/seqsvr/v1/seq.js';
import { formatDuration } from './duration.js';

/** For one question to one node, in ms: a dead node must not use up the whole command's time. */
export const ATTEMPT_LIMIT_MS = 1_000;
/** Between two rounds over all endpoints, in ms. */
const ROUND_PAUSE_MS = 100;

/** What one node said of itself, or why it said nothing. */
export interface NodeAnswer {
  readonly address: string;
  readonly status: GetStatusResponse | undefined;
  /** '' when it answered. */
  readonly error: string;
  /** Of that error. */
  readonly code?: ErrorCode;
}

/** A cluster as its nodes tell it: the table that one of them had, and each node's own answer. */
export interface Inspection {
  readonly table: RoutingTable;
  readonly answers: readonly NodeAnswer[];
}

export interface AskOptions {
  readonly pool: ChannelPool;
  readonly clock: Clock;
  /** For the whole question, in ms. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The routing table of the first endpoint that has one, asked in turn until the time is up.
 * Throws UNAVAILABLE when none had it in time, ABORTED by its signal, and what an endpoint said when no retry can help.
 */
export async function fetchTable(endpoints: readonly string[], { pool, clock, timeoutMs, signal }: AskOptions): Promise<RoutingTable> {
  for (const endpoint of endpoints) splitAddress(endpoint);
  const endMs = clock.nowMs() + timeoutMs;
  let last = new SeqError('UNAVAILABLE', 'no time was left');
  while (clock.nowMs() < endMs) {
    let isHopeless = true;
    for (const endpoint of endpoints) {
      const attemptMs = Math.min(ATTEMPT_LIMIT_MS, endMs - clock.nowMs());
      if (attemptMs <= 0) break;
      try {
        const { routing } = await pool.to(endpoint).call(RouteServiceService.getRoute, { setsVersion: 0n }, { timeoutMs: attemptMs, signal });
        if (routing !== undefined) return tableFromWire(routing);
        last = new SeqError('UNAVAILABLE', `${endpoint} knows no routing table yet`);
      } catch (error) {
        if (!SeqError.is(error)) throw error;
        last = error;
      }
      isHopeless &&= !last.retryable;
    }
    if (isHopeless) throw last;
    await sleep(clock, Math.min(ROUND_PAUSE_MS, Math.max(0, endMs - clock.nowMs())), signal);
  }
  const message = `no routing table from ${endpoints.join(', ')} within ${formatDuration(Math.round(timeoutMs))}: ${last.message}`;
  throw new SeqError('UNAVAILABLE', message, { definite: true, cause: last });
}

/** Asks every store and AllocSvr of the table, and every AllocSvr that the stores know of besides, all at once. */
export async function inspectCluster(endpoints: readonly string[], options: AskOptions): Promise<Inspection> {
  const table = await fetchTable(endpoints, options);
  // Each node gets its whole second even when the table used up the time: an answer beats a guess.
  const timeoutMs = ATTEMPT_LIMIT_MS;
  const named = new Set([...table.stores, ...table.allocs].map(({ address }) => address));
  const first = await askAll([...named], { ...options, timeoutMs });
  const besides = membersOf(first).filter((address) => !named.has(address));
  const second = await askAll([...new Set(besides)], { ...options, timeoutMs });
  return { table, answers: [...first, ...second] };
}

export function askAll(addresses: readonly string[], options: AskOptions): Promise<NodeAnswer[]> {
  return Promise.all(
    addresses.map(async (address) => {
      try {
        const status = await options.pool
          .to(address)
          .call(AdminServiceService.getStatus, {}, { timeoutMs: options.timeoutMs, signal: options.signal });
        return { address, status, error: '' };
      } catch (error) {
        if (!SeqError.is(error)) throw error;
        return { address, status: undefined, error: error.message, code: error.code };
      }
    }),
  );
}

function membersOf(answers: readonly NodeAnswer[]): string[] {
  return answers.flatMap(({ status }) => {
    if (status?.role?.$case !== 'store') return [];
    const { allocs, members } = status.role.value;
    return [...allocs, ...members].map(({ address }) => address).filter((address) => address !== '');
  });
}
