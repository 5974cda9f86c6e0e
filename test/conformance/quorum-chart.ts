import type { Index, NodeId } from '../../src/raft/types.js';

/** One bar a voter, in the order of ids: the longer, the more voters have a smaller index. `?`: it has not spoken. */
export function describeCommitted(voters: readonly NodeId[], said: ReadonlyMap<NodeId, Index>): string {
  if (voters.length === 0) return '<empty majority quorum>';
  const blanks = ' '.repeat(voters.length);
  const rows = [...voters]
    .sort((a, b) => a - b)
    .map((id) => {
      const index = said.get(id) ?? 0;
      const bar = voters.filter((other) => (said.get(other) ?? 0) < index).length;
      const head = said.has(id) ? `${'x'.repeat(bar)}>${' '.repeat(voters.length - bar)}` : `?${blanks}`;
      return `${head} ${formatIndex(index).padStart(5)}    (id=${id.toString(16)})\n`;
    });
  return `${blanks}    idx\n${rows.join('')}`;
}

/** Infinity: what an empty majority commits. */
export function formatIndex(index: Index): string {
  return index === Number.POSITIVE_INFINITY ? '∞' : String(index);
}
