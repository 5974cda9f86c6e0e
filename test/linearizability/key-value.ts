import type { Model } from './model.js';

export interface KeyValueInput {
  readonly type: 'get' | 'put' | 'append';
  readonly key: string;
  /** What to put or append; '' for a get. */
  readonly value: string;
}

/** The value of one key: text, '' at first. A get answers with it; what a put or an append answers says nothing. */
export const keyValue: Model<string, KeyValueInput, string> = {
  initial: '',
  isReadOnly: ({ type }) => type === 'get',
  step(state, { type, value }, output) {
    if (type === 'get') return output === undefined || output === state ? state : undefined;
    return type === 'put' ? value : state + value;
  },
  // What a get returned begins with what is there, or with what a put left there.
  isDeadEnd: (state, { input, output }, before) =>
    input.type === 'get' && !output.startsWith(state) && !before.some(({ type, value }) => type === 'put' && output.startsWith(value)),
};
