import type { Call, Model, State } from '../../linearizability/model.js';

/** The definition, tried out: every order that real time allows, every choice of the unknown ones. Exponential; for a handful of calls. */
export function isLinearizable<S extends State, Input, Output>(
  model: Model<S, Input, Output>,
  calls: readonly Call<Input, Output>[],
  state: S = model.initial,
): boolean {
  if (calls.every(({ output }) => output === undefined)) return true;
  return calls.some((call) => {
    const isNext = calls.every((other) => other.output === undefined || other.returnedAt >= call.invokedAt);
    const after = isNext ? model.step(state, call.input, call.output) : undefined;
    const left = calls.filter((other) => other !== call);
    return after !== undefined && isLinearizable(model, left, after);
  });
}
