/** A state is one primitive value, so that two states are the same exactly when they are ===. Records are written as text. */
export type State = string | number | bigint;

/** A sequential object: what it answers, one call at a time. */
export interface Model<S extends State, Input, Output> {
  readonly initial: S;
  /**
   * The state after the call, or undefined when the object never answers `output` to it in this state. `output` undefined: nobody knows
   * the answer; then it is the state after the call, if the call happens at all. Same arguments, same result.
   */
  step(state: S, input: Input, output: Output | undefined): S | undefined;
  /** Only to be quick: true for a call that, with this answer, changes no state at all. A call that happens to change nothing in one state is none. */
  isReadOnly?(input: Input, output: Output): boolean;
  /**
   * Only to be quick: true when `due`, which is not placed yet, can never be legal again, whatever calls of `before` come first (itself
   * is among them), each of them once or not at all. False when in doubt.
   */
  isDeadEnd?(state: S, due: { readonly input: Input; readonly output: Output }, before: readonly Input[]): boolean;
}

/** One call as its caller saw it. */
export interface Call<Input, Output> {
  readonly input: Input;
  /** Undefined: it may have happened, at any time from its invocation to the end of the world, or not at all. `returnedAt` is not looked at then. */
  readonly output: Output | undefined;
  /** On one clock, in any unit: a time, or the number of a line. Two calls that touch at one instant overlap. */
  readonly invokedAt: number;
  readonly returnedAt: number;
}
