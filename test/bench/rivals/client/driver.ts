/** The client machine's way to one system. */
export interface Driver {
  /** Numbers that one call brings. */
  readonly opsPerCall: number;
  /** One call for uids that `draw` gives. Rejects when any of them got no number: then there is nothing to measure. */
  call(draw: () => number): Promise<unknown>;
  close(): void | Promise<void>;
}
