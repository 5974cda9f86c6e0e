import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { SectionId } from '../model/ids.js';
import type { WaitingOp } from './frame-server.js';
import type { AllocNode, Confirmed, Current, Patience, Taken } from './node.js';
import type { ReplyDraft } from './reply-draft.js';

type Outcome = Taken | Current | SeqError;

interface Settled {
  readonly op: WaitingOp;
  readonly outcome: Outcome;
}

export interface LateAnswersOptions {
  readonly node: Pick<AllocNode, 'next' | 'current' | 'table'>;
  readonly clock: Pick<Clock, 'defer'>;
  readonly waiting: readonly WaitingOp[];
  readonly patience: Patience;
  /** For a STRICT frame. */
  readonly confirmed: Confirmed | undefined;
  /** Sends a reply with what `write` puts into the draft, in this very turn. */
  readonly flush: (write: (draft: ReplyDraft) => void) => void;
}

/**
 * The operations of a frame that must wait. Those of one section wait one after another, so that a large frame never takes more than one
 * place a section in the queue, and repeated uids keep their order. What settles in one turn travels in one reply.
 */
export class LateAnswers {
  readonly #options: LateAnswersOptions;
  #settled: Settled[] = [];

  constructor(options: LateAnswersOptions) {
    this.#options = options;
  }

  /** Resolves once each of them was answered, or the caller went away. Rejects with a bug only. */
  async run(): Promise<void> {
    const bySection = new Map<SectionId, WaitingOp[]>();
    for (const op of this.#options.waiting) {
      const others = bySection.get(op.ask.section);
      if (others === undefined) bySection.set(op.ask.section, [op]);
      else others.push(op);
    }
    await Promise.all([...bySection.values()].map((ops) => this.#each(ops)));
    this.#flush();
  }

  async #each(ops: readonly WaitingOp[]): Promise<void> {
    let timeout: SeqError | undefined;
    for (const op of ops) {
      // Nothing more is taken for who went away.
      if (this.#options.patience.isCancelled()) return;
      const asked = timeout ?? this.#ask(op);
      const outcome = asked instanceof Promise ? await asked : asked;
      // All have the same deadline.
      if (SeqError.is(outcome, 'TIMEOUT')) timeout = outcome;
      this.#settle({ op, outcome });
    }
  }

  #ask({ ask }: WaitingOp): Outcome | Promise<Outcome> {
    const { node, patience, confirmed } = this.#options;
    try {
      const answer = ask.count === 0 ? node.current(ask, patience, confirmed) : node.next(ask, patience, confirmed);
      return answer instanceof Promise ? answer.catch(refusalOf) : answer;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /** What settles while one reply of the store is taken in travels together. */
  #settle(settled: Settled): void {
    if (this.#settled.push(settled) === 1) this.#options.clock.defer(() => this.#flush());
  }

  #flush(): void {
    if (this.#settled.length === 0) return;
    const settled = this.#settled.sort((one, other) => one.op.place - other.op.place);
    this.#settled = [];
    this.#options.flush((draft) => {
      for (const { op, outcome } of settled) write(draft, op.place, outcome, this.#options.node.table?.version);
    });
  }
}

function refusalOf(error: unknown): SeqError {
  if (SeqError.is(error)) return error;
  throw error;
}

function write(draft: ReplyDraft, place: number, outcome: Outcome, version: Parameters<ReplyDraft['failed']>[2]): void {
  if (outcome instanceof SeqError) draft.failed(place, outcome, version);
  else if ('first' in outcome) draft.seq(place, outcome.first, outcome.epoch);
  else if (outcome.exact) draft.seq(place, outcome.seq, outcome.epoch);
  else draft.bound(place, outcome.seq, outcome.epoch);
}
