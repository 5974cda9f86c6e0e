let last: unknown;

/** Keeps a result from being optimized away. */
export function sink(value: unknown): void {
  last = value;
}

/** What came last: so that keeping it is not optimized away either. */
export function lastSunk(): unknown {
  return last;
}
