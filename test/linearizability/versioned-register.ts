import type { Model } from './model.js';

export type VersionedInput = { readonly type: 'read' } | { readonly type: 'set'; readonly basedOn: number; readonly value: string };

/** `set`: isDone false when the version was another; then nothing changed. */
export type VersionedOutput =
  | { readonly type: 'read'; readonly version: number; readonly value: string }
  | { readonly type: 'set'; readonly isDone: boolean };

/**
 * A value that is set only on top of the version that the caller knows, and is then one version on: the set map of a StoreSvr (SetSets and
 * GetSets), or anything of that kind. Use one for each key. The state is `version value`.
 */
export function versionedRegister(initial: { readonly version: number; readonly value: string }): Model<string, VersionedInput, VersionedOutput> {
  return {
    initial: textOf(initial.version, initial.value),
    isReadOnly: (input, output) => input.type === 'read' || (output.type === 'set' && !output.isDone),
    step(state, input, output) {
      if (input.type === 'read') {
        return output === undefined || (output.type === 'read' && textOf(output.version, output.value) === state) ? state : undefined;
      }
      const isCurrent = Number.parseInt(state, 10) === input.basedOn;
      if (output !== undefined && (output.type !== 'set' || output.isDone !== isCurrent)) return undefined;
      return isCurrent ? textOf(input.basedOn + 1, input.value) : state;
    },
  };
}

function textOf(version: number, value: string): string {
  return `${version} ${value}`;
}
