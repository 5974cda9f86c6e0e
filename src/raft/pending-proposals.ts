import { unreachable } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { RaftCore } from './core.js';
import type { Proposed } from './ready.js';
import type { Entry, EntryType, Index, Term } from './types.js';

/** Proposals that wait for the next turn or for their fate; more are refused. */
const PENDING_MAX = 10_000;
/** Bytes of one command. Entry, append and frame around it must still fit into what a peer takes, or nothing after it commits. */
export const COMMAND_BYTES_MAX = 2 * 1024 * 1024;
/** What a caller is told to wait, in ms, before it tries again: about one commit. */
const RETRY_AFTER_MS = 50;

/** A committed and applied entry. */
export interface Applied<Result> {
  readonly index: Index;
  readonly term: Term;
  readonly result: Result;
}

interface Proposal<Result> {
  readonly type: EntryType;
  readonly data: Uint8Array;
  readonly resolve: (applied: Applied<Result>) => void;
  readonly reject: (error: SeqError) => void;
}

interface Waiter<Result> extends Proposal<Result> {
  readonly term: Term;
}

/** What was proposed at this node and has no fate yet: first queued for the next turn, then by its place in the log. */
export class PendingProposals<Result> {
  #queue: Proposal<Result>[] = [];
  readonly #waiters = new Map<Index, Waiter<Result>>();

  /** Rejects at once when the command can never be taken, or too many wait. */
  add(type: EntryType, data: Uint8Array): Promise<Applied<Result>> {
    return new Promise((resolve, reject) => {
      // A command without data is the no-op of a new leader: it is never applied, so it has no answer.
      if (type === 'normal' && data.length === 0) return reject(new SeqError('INVALID_ARGUMENT', 'a command must have at least 1 byte, got 0'));
      if (data.length > COMMAND_BYTES_MAX)
        return reject(new SeqError('INVALID_ARGUMENT', `a command has at most ${COMMAND_BYTES_MAX} bytes, got ${data.length}`));
      if (this.#queue.length + this.#waiters.size >= PENDING_MAX)
        return reject(new SeqError('RESOURCE_EXHAUSTED', `${PENDING_MAX} proposals are waiting`, { retryAfterMs: RETRY_AFTER_MS }));
      this.#queue.push({ type, data, resolve, reject });
    });
  }

  /** Everything queued, in one append. */
  propose(core: RaftCore): void {
    if (this.#queue.length === 0) return;
    const queue = this.#queue;
    this.#queue = [];
    const proposed = core.propose(queue);
    if (proposed.type === 'accepted') {
      queue.forEach((proposal, offset) => this.#waiters.set(proposed.firstIndex + offset, { ...proposal, term: proposed.term }));
      return;
    }
    const error = refusalOf(proposed);
    for (const { reject } of queue) reject(error);
  }

  /** This entry was applied, with this result; undefined for the no-op. Another one in its place says that it will never be. */
  applied({ index, term, type }: Entry, result: { readonly value: Result } | undefined): void {
    const waiter = this.#waiters.get(index);
    if (waiter === undefined) return;
    this.#waiters.delete(index);
    if (waiter.term !== term) return waiter.reject(new SeqError('UNAVAILABLE', 'another leader replaced this entry', { definite: true }));
    if (waiter.type === type && result !== undefined) return waiter.resolve({ index, term, result: result.value });
    // The core made it an empty entry: one change at a time.
    const options = { definite: true, retryAfterMs: RETRY_AFTER_MS };
    waiter.reject(new SeqError('UNAVAILABLE', 'another membership change is under way, or this one cannot be made now', options));
  }

  /** Leadership is gone: what is in a log may stay or go. */
  rejectWaiting(error: SeqError): void {
    for (const { reject } of this.#waiters.values()) reject(error);
    this.#waiters.clear();
  }

  /** Certainly in no log. */
  rejectQueued(error: SeqError): void {
    for (const { reject } of this.#queue) reject(error);
    this.#queue = [];
  }
}

function refusalOf(proposed: Exclude<Proposed, { type: 'accepted' }>): SeqError {
  if (proposed.type === 'forwarded')
    return new SeqError('UNAVAILABLE', 'passed on to the leader; nobody will tell what becomes of it', { definite: false });
  switch (proposed.why) {
    case 'tooMuchUncommitted':
      return new SeqError('RESOURCE_EXHAUSTED', 'too many bytes wait to be committed', { retryAfterMs: RETRY_AFTER_MS });
    case 'transferring':
      return new SeqError('UNAVAILABLE', 'leadership is being handed over', { definite: true, retryAfterMs: RETRY_AFTER_MS });
    case 'notLeader':
    case 'notMember':
      return new SeqError('NOT_LEADER', 'this StoreSvr does not lead');
    default:
      return unreachable(proposed.why);
  }
}
