import { type Operation, operationToLine } from './operation.js';

/**
 * `shape`: an answer that is none, whatever the others are. `uniqueness`: a number was handed out twice; no clock takes part in this.
 * `order`: a number that is not above one returned before. `current`: a value that no moment of the counter explains.
 */
export type ViolationKind = 'shape' | 'uniqueness' | 'order' | 'current';

export interface Violation {
  readonly kind: ViolationKind;
  readonly uid: bigint;
  /** What contradicts `operation`, when one other does. */
  readonly earlier: Operation | undefined;
  readonly operation: Operation;
  readonly why: string;
}

/** For people: a line for each violation, its two operations below it, at most `limit` of them. */
export function showViolations(violations: readonly Violation[], limit = 10): string {
  const shown = violations.slice(0, limit).map(({ kind, uid, earlier, operation, why }) => {
    const lines = [earlier, operation].flatMap((one) => (one === undefined ? [] : [`    ${operationToLine(one)}`]));
    return [`${kind}: uid ${uid}: ${why}`, ...lines].join('\n');
  });
  return [...shown, ...(violations.length > limit ? [`and ${violations.length - limit} more`] : [])].join('\n');
}
