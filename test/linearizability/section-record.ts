import { unreachable } from '../../src/base/assert.js';
import type { Model } from './model.js';

/** What a StoreSvr keeps of one section. An epoch has one owner, so it stands for owner and incarnation too. `isOwned` false: it was released. */
export interface SectionRecord {
  readonly epoch: number;
  readonly base: bigint;
  readonly maxSeq: bigint;
  readonly isOwned: boolean;
}

export type SectionInput =
  | { readonly type: 'read' }
  | { readonly type: 'raise'; readonly epoch: number; readonly to: bigint }
  | { readonly type: 'release'; readonly epoch: number; readonly trueMax: bigint }
  /** The arbiter's. Nobody who records sees one happen: put it down with an unknown outcome from when it could happen. */
  | { readonly type: 'grant'; readonly epoch: number; readonly raiseBy: bigint };

/** `refused`: by the fence, as the epoch is over. Any other refusal that is definite is no call at all. */
export type SectionOutput =
  | { readonly type: 'record'; readonly record: SectionRecord }
  | { readonly type: 'raised'; readonly maxSeq: bigint }
  | { readonly type: 'done' }
  | { readonly type: 'refused' };

/** The StoreSvr API as one section sees it (DESIGN 3.1: fence, grant, release). Use one for each section. The state is the record as text. */
export function sectionRecord(initial: SectionRecord): Model<string, SectionInput, SectionOutput> {
  return {
    initial: textOf(initial),
    isReadOnly: (input, output) => input.type === 'read' || output.type === 'refused',
    step(state, input, output) {
      const before = recordOf(state);
      if (input.type === 'read') return output === undefined || (output.type === 'record' && textOf(output.record) === state) ? state : undefined;
      const after = applied(before, input);
      if (after === undefined) return output === undefined || output.type === 'refused' ? state : undefined;
      if (output?.type === 'refused' || output?.type === 'record') return undefined;
      if (output?.type === 'raised' && (input.type !== 'raise' || output.maxSeq !== after.maxSeq)) return undefined;
      return textOf(after);
    },
  };
}

/** Undefined: refused. */
function applied(before: SectionRecord, input: Exclude<SectionInput, { readonly type: 'read' }>): SectionRecord | undefined {
  const { epoch, base, maxSeq, isOwned } = before;
  switch (input.type) {
    case 'raise':
      return isOwned && input.epoch === epoch ? { ...before, maxSeq: input.to > maxSeq ? input.to : maxSeq } : undefined;
    case 'release': {
      const isFitting = isOwned && input.epoch === epoch && base <= input.trueMax && input.trueMax <= maxSeq;
      return isFitting ? { ...before, maxSeq: input.trueMax, isOwned: false } : undefined;
    }
    case 'grant':
      return input.epoch === epoch + 1 ? { epoch: input.epoch, base: maxSeq, maxSeq: maxSeq + input.raiseBy, isOwned: true } : undefined;
    default:
      return unreachable(input);
  }
}

function textOf({ epoch, base, maxSeq, isOwned }: SectionRecord): string {
  return `${epoch} ${base} ${maxSeq} ${isOwned ? 'owned' : 'released'}`;
}

function recordOf(state: string): SectionRecord {
  const [epoch = '', base = '', maxSeq = '', owned] = state.split(' ');
  return { epoch: Number(epoch), base: BigInt(base), maxSeq: BigInt(maxSeq), isOwned: owned === 'owned' };
}
