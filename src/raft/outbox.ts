import type { RaftLog } from './log.js';
import type { Message } from './message.js';
import type { ReadState } from './read-queue.js';
import type { AppendAck, AppendWork, Ready, SoftState } from './ready.js';
import type { HardState, Term } from './types.js';

/** What a core shows of itself when it is asked for what there is to do. */
export interface Shown {
  readonly term: Term;
  readonly hardState: HardState;
  readonly softState: SoftState;
  readonly log: RaftLog;
}

/** What a core wants done and was not yet asked for, and what it has already said of its own state. */
export class Outbox {
  #messages: Message[] = [];
  #replies: Message[] = [];
  #reads: ReadState[] = [];
  #hardState: HardState;
  #softState: SoftState;

  constructor({ hardState, softState }: Pick<Shown, 'hardState' | 'softState'>) {
    this.#hardState = hardState;
    this.#softState = softState;
  }

  /** `isPromise`: it speaks of what is on disk only once the next AppendWork is. Persist BEFORE send. */
  add(message: Message, { isPromise }: { readonly isPromise: boolean }): void {
    (isPromise ? this.#replies : this.#messages).push(message);
  }

  addRead(read: ReadState): void {
    this.#reads.push(read);
  }

  hasAny({ hardState, softState, log }: Shown): boolean {
    return (
      this.#messages.length > 0 ||
      this.#replies.length > 0 ||
      this.#reads.length > 0 ||
      log.hasUnsaved ||
      log.unsavedSnapshot !== undefined ||
      log.hasApplicable ||
      !isSameHardState(hardState, this.#hardState) ||
      !isSameSoftState(softState, this.#softState)
    );
  }

  /** Everything, once. */
  take(shown: Shown): Ready {
    const { log, softState } = shown;
    const isSame = isSameSoftState(softState, this.#softState);
    this.#softState = softState;
    const apply = log.applicable();
    const append = this.#takeAppendWork(shown);
    if (apply.length > 0) log.applying(apply);
    const ready: Ready = { softState: isSame ? undefined : softState, messages: this.#messages, append, apply, reads: this.#reads };
    this.#messages = [];
    this.#reads = [];
    return ready;
  }

  #takeAppendWork({ term, hardState, log }: Shown): AppendWork | undefined {
    const entries = log.unsaved();
    const snapshot = log.unsavedSnapshot;
    const isSame = isSameHardState(hardState, this.#hardState);
    if (entries.length === 0 && isSame && snapshot === undefined && this.#replies.length === 0) return undefined;
    const isVote = hardState.term !== this.#hardState.term || hardState.votedFor !== this.#hardState.votedFor;
    // Every write attests to the end of the log again: an ack of a former term may have been ignored meanwhile.
    const last = log.hasUnstable ? log.last : undefined;
    const ack: AppendAck | undefined = last === undefined && snapshot === undefined ? undefined : { term, last, snapshot };
    log.saving();
    this.#hardState = hardState;
    const replies = this.#replies;
    this.#replies = [];
    return { entries, hardState: isSame ? undefined : hardState, snapshot, mustSync: entries.length > 0 || isVote, replies, ack };
  }
}

function isSameHardState(one: HardState, other: HardState): boolean {
  return one.term === other.term && one.votedFor === other.votedFor && one.commitIndex === other.commitIndex;
}

function isSameSoftState(one: SoftState, other: SoftState): boolean {
  return one.role === other.role && one.leaderId === other.leaderId;
}
