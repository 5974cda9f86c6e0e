import { readFileSync, writeFileSync } from 'node:fs';
import { messageOf, SeqError } from '../../src/base/errors.js';
import { parseHistory } from '../../src/verify/history-file.js';
import { type Fault, type Operation, type Outcome, operationToLine } from '../../src/verify/operation.js';

/** An operation under way. Exactly one of its methods is to be called, once. */
export interface Pending {
  numbers(first: bigint, last: bigint): void;
  /** Say `exact` only while no call is retried: a number that a lost attempt took is current, and is no operation's answer. */
  value(seq: bigint, exact: boolean): void;
  /** A SeqError says by itself if it is definite; anything else leaves the outcome unknown. */
  failed(error: unknown): void;
}

/** Records what clients do. All of them must live in this process, for two clocks cannot be compared. */
export class History {
  readonly #operations: Operation[] = [];
  readonly #originNs = process.hrtime.bigint();
  #begun = 0;

  begin(call: Pick<Operation, 'client' | 'call' | 'uid' | 'count' | 'to'>): Pending {
    const id = this.#begun++;
    const invokedNs = this.nowNs();
    const end = (outcome: Outcome): void => {
      this.#operations.push({ id, ...call, invokedNs, returnedNs: this.nowNs(), outcome });
    };
    return {
      numbers: (first, last) => end({ type: 'numbers', first, last }),
      value: (seq, exact) => end({ type: 'value', seq, exact }),
      failed: (error) => end(outcomeOfError(error)),
    };
  }

  nowNs(): number {
    return Number(process.hrtime.bigint() - this.#originNs);
  }

  /** In the order in which they ended. */
  get operations(): readonly Operation[] {
    return this.#operations;
  }

  /** Calls that began and have not ended: 0 once every worker is done. */
  get openCount(): number {
    return this.#begun - this.#operations.length;
  }

  /** As docs/history-format.md has it. `faults`: what was done to the cluster meanwhile, on `nowNs`. */
  save(path: string, faults: readonly Fault[] = []): void {
    writeFileSync(path, [...faults, ...this.#operations].map((entry) => `${operationToLine(entry)}\n`).join(''));
  }
}

export function loadHistory(path: string): readonly Operation[] {
  return parseHistory(readFileSync(path, 'utf8'), path).operations;
}

function outcomeOfError(error: unknown): Outcome {
  const text = SeqError.is(error) ? `${error.code}: ${error.message}` : messageOf(error);
  return { type: SeqError.is(error) && error.definite ? 'refused' : 'unknown', error: text };
}
