import { majorityOf } from '../raft/quorum.js';
import type { NodeId } from '../raft/types.js';
import type { Checkpoint } from './checkpoints.js';

/** What was heard of each member and kept until this node has come to the same place. */
const HEARD_PER_MEMBER_MAX = 4;

/**
 * agrees: nobody who spoke of the same places has another state. differs: somebody has, and it is not clear who is wrong.
 * alone: a majority of the voters has one state at one place, and this node has another: it is the odd one.
 */
export type Verdict =
  | { readonly type: 'agrees' }
  | { readonly type: 'differs'; readonly from: NodeId; readonly index: number }
  | { readonly type: 'alone'; readonly index: number };

/** Compares the state hashes that members tell with this node's own, place by place (invariant 6). */
export class Divergence {
  readonly #heard = new Map<NodeId, readonly Checkpoint[]>();

  note(from: NodeId, checkpoint: Checkpoint): void {
    const known = (this.#heard.get(from) ?? []).filter(({ index }) => index !== checkpoint.index);
    this.#heard.set(from, [...known, checkpoint].slice(-HEARD_PER_MEMBER_MAX));
  }

  /** `ownHashAt`: undefined where this node has not been, or no longer knows. Forgets who is no voter any more. */
  verdict(voters: readonly NodeId[], ownHashAt: (index: number) => string | undefined): Verdict {
    for (const id of this.#heard.keys()) if (!voters.includes(id)) this.#heard.delete(id);
    const others = new Map<string, number>();
    let differs: Verdict | undefined;
    for (const [from, checkpoints] of this.#heard) {
      for (const { index, stateHash } of checkpoints) {
        const own = ownHashAt(index);
        if (own === undefined || own === stateHash) continue;
        const key = `${index} ${stateHash}`;
        const count = (others.get(key) ?? 0) + 1;
        others.set(key, count);
        if (count >= majorityOf(voters.length)) return { type: 'alone', index };
        differs = { type: 'differs', from, index };
      }
    }
    return differs ?? { type: 'agrees' };
  }
}
