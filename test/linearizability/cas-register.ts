import type { Model } from './model.js';

export type RegisterInput =
  | { readonly type: 'read' }
  | { readonly type: 'write'; readonly value: number }
  | { readonly type: 'cas'; readonly from: number; readonly to: number };

/** `value` undefined: there is none. `isDone` false: the comparison failed, and nothing changed. */
export type RegisterOutput =
  | { readonly type: 'read'; readonly value: number | undefined }
  | { readonly type: 'written' }
  | { readonly type: 'compared'; readonly isDone: boolean };

/** One register with compare-and-set, as etcd's. The state is its value as text, '' for none. */
export const casRegister: Model<string, RegisterInput, RegisterOutput> = {
  initial: '',
  isReadOnly: (input, output) => input.type === 'read' || (output.type === 'compared' && !output.isDone),
  step(state, input, output) {
    if (input.type === 'write') return textOf(input.value);
    if (input.type === 'read') return output === undefined || (output.type === 'read' && textOf(output.value) === state) ? state : undefined;
    const isEqual = state === textOf(input.from);
    if (output !== undefined && (output.type !== 'compared' || output.isDone !== isEqual)) return undefined;
    return isEqual ? textOf(input.to) : state;
  },
};

function textOf(value: number | undefined): string {
  return value === undefined ? '' : String(value);
}
