/** What became of a call. */
export type Outcome =
  /** `next`: the numbers [first, last]. */
  | { readonly type: 'numbers'; readonly first: bigint; readonly last: bigint }
  /** `current`: the last number handed out, or with `exact: false` an upper bound of it. `advance`: where the counter stands (`exact` says nothing). */
  | { readonly type: 'value'; readonly seq: bigint; readonly exact: boolean }
  /** It certainly did not happen. */
  | { readonly type: 'refused'; readonly error: string }
  /** It may have happened, once; nobody will ever know. (A call that is retried inside may have happened more often: see `value`.) */
  | { readonly type: 'unknown'; readonly error: string };

/** One call as its caller saw it. A range is one operation; each item of a nextMany is one of its own. */
export interface Operation {
  readonly id: number;
  readonly client: string;
  readonly call: 'next' | 'current' | 'advance';
  readonly uid: bigint;
  /** How many numbers were asked for; 0 for `current` and `advance`. */
  readonly count: number;
  /** Where `advance` lifts the counter to; absent for the others. */
  readonly to?: bigint;
  /** Nanoseconds on the one monotonic clock of the recorder: read BEFORE the call, and AFTER it came back. */
  readonly invokedNs: number;
  readonly returnedNs: number;
  readonly outcome: Outcome;
}

/** Something was done to the cluster, on the clock of the operations. For people: no check looks at it. */
export interface Fault {
  readonly fault: string;
  readonly fromNs: number;
  /** Absent: it was a moment. */
  readonly toNs?: number;
}

/** As a line of a history file: one JSON object, numbers of 64 bits as strings. */
export function operationToLine(entry: Operation | Fault): string {
  return JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value));
}
