import type { SeqError } from '../base/errors.js';
import type { Halves } from './halves.js';

/**
 * One or several operations that go to one AllocSvr together, by their index. Each is answered or fails once, in any order; then whoever
 * waits is told. None of these methods throws.
 */
export interface Ops {
  readonly size: number;
  /** The highest number that the caller has seen for the uid, when it says so; of one operation only. */
  readonly floor?: Halves | undefined;
  uidLow(index: number): number;
  uidHigh(index: number): number;
  /** How many neighbouring numbers; 0: the last number handed out. */
  count(index: number): number;
  /** On the clock's monotonic axis: then whoever waits waits no longer. Infinity: somebody else sees to that. */
  readonly deadlineMs: number;
  /** Nobody waits any more: what is not sent yet need not be. */
  readonly isOver: boolean;
  /** Operations from that one on are on their way: from now on nobody knows what became of it until an answer comes. */
  sent(from: number): void;
  /** The first number in halves of 32 bits; for a count of 0 the last one handed out, `isExact` or an upper bound. */
  answered(index: number, low: number, high: number, isExact: boolean): void;
  failed(index: number, error: SeqError): void;
}
