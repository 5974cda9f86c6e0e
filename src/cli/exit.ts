import { type ErrorCode, messageOf, SeqError } from '../base/errors.js';
import { DamageError, SnapshotDamageError } from '../store/damage.js';

/** What the shell learns. Part of the interface: scripts depend on it. */
export const EXIT = { ok: 0, failed: 1, usage: 2, unreachable: 3, unhealthy: 4, unsafe: 5, denied: 6, interrupted: 130 } as const;

/** What was asked for is not done, for safety: nobody confirmed it, or it is not what it seems. Nothing was changed. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

const EXIT_OF: Readonly<Record<ErrorCode, number>> = {
  INVALID_ARGUMENT: EXIT.usage,
  OUT_OF_RANGE: EXIT.failed,
  NOT_OWNER: EXIT.unreachable,
  NOT_LEADER: EXIT.unreachable,
  UNAVAILABLE: EXIT.unreachable,
  TIMEOUT: EXIT.unreachable,
  ABORTED: EXIT.interrupted,
  RESOURCE_EXHAUSTED: EXIT.failed,
  UNAUTHENTICATED: EXIT.denied,
  PERMISSION_DENIED: EXIT.denied,
  PROTOCOL: EXIT.failed,
  WOULD_LOSE_QUORUM: EXIT.unsafe,
  CLOSED: EXIT.unreachable,
};

/** What to do next, where the error itself does not say so. */
const ADVICE: Readonly<Partial<Record<ErrorCode, string>>> = {
  UNAVAILABLE: "is the cluster running? 'npm start' starts one here; --endpoints names another; 'seqctl cluster status' shows its health",
  TIMEOUT: "try a longer --timeout; 'seqctl cluster status' shows the cluster's health",
  OUT_OF_RANGE: 'this uid can have no more numbers; use another uid',
  RESOURCE_EXHAUSTED: 'try again in a moment',
  WOULD_LOSE_QUORUM: "bring other stores up first; 'seqctl member list' shows them, and when they are lost for good: 'seqsvr store recover --help'",
  PROTOCOL: 'is it a seqsvr of the same version that answers there?',
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof RefusedError) return EXIT.unsafe;
  return error instanceof SeqError ? EXIT_OF[error.code] : EXIT.failed;
}

/**
 * What, why, what to do. A stack trace only for whoever asked for it. `changes`: what a command that takes no numbers may
 * have changed without knowing it, and where to look.
 */
export function explain(error: unknown, options: { readonly debug: boolean; readonly changes?: string | undefined }): string {
  const lines = [headline(error)];
  const advice = adviceOn(error);
  if (advice !== undefined) lines.push(advice);
  if (error instanceof SeqError && error.maybeAllocated)
    lines.push(options.changes ?? 'a number may have been handed out and lost: a gap, never a repeat');
  if (options.debug && error instanceof Error) lines.push(withCauses(error));
  return lines.join('\n');
}

/** `error CODE: message`. */
export function headline(error: unknown): string {
  return `error${nameOf(error)}: ${messageOf(error)}`;
}

function nameOf(error: unknown): string {
  if (error instanceof RefusedError) return ' refused';
  if (error instanceof SeqError) return ` ${error.code}`;
  return error instanceof DamageError || error instanceof SnapshotDamageError ? ` ${error.name}` : '';
}

function adviceOn(error: unknown): string | undefined {
  if (error instanceof SeqError) return ADVICE[error.code === 'TIMEOUT' && isForNobodyListens(error) ? 'UNAVAILABLE' : error.code];
  if (error instanceof RefusedError) return undefined;
  if (error instanceof DamageError) return 'keep a copy of the data directory; OPERATIONS.md says how the node comes back';
  if (error instanceof SnapshotDamageError) return 'use an older snapshot: the older it is, the larger the bump that a restore needs';
  return 'this may be a bug; --debug shows where it happened';
}

/** The time ended, but more of it would not have helped: the last endpoint asked refused the connection. */
function isForNobodyListens(error: SeqError): boolean {
  return chainOf(error).some((cause) => SeqError.is(cause, 'UNAVAILABLE') && cause.message.includes('ECONNREFUSED'));
}

function withCauses(error: Error): string {
  return chainOf(error)
    .map((cause, depth) => `${depth === 0 ? '' : 'caused by '}${cause.stack ?? cause.message}`)
    .join('\n');
}

/** How many causes are looked at: a chain that loops must not print for ever. */
const CAUSES_MAX = 8;

/** The error, its cause, the cause of that, and so on. */
function chainOf(error: Error): Error[] {
  const chain: Error[] = [];
  for (let at: unknown = error; chain.length < CAUSES_MAX && at instanceof Error; at = at.cause) chain.push(at);
  return chain;
}
