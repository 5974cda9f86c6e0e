import { assert } from '../../../src/base/assert.js';
import type { AppendWork } from '../../../src/raft/core.js';
import { majorityOf } from '../../../src/raft/quorum.js';
import type { Entry, Index, NodeId, Term } from '../../../src/raft/types.js';
import { textOf } from './memory-storage.js';
import type { TestNode } from './test-node.js';

/** A committed entry, and the lowest term in which somebody was seen to know that it is. */
interface Committed {
  readonly entry: Entry;
  readonly inTerm: Term;
}

/**
 * What Raft promises (Raft figure 3), checked from outside after every step on all that a cluster has ever shown. It
 * remembers everything, so that what one node has forgotten in a crash still counts.
 */
export class SafetyChecker {
  readonly #nodes: readonly TestNode[];
  readonly #leaders = new Map<Term, NodeId>();
  /** Every entry that was ever in a log, by place and term: its data and the term before it. */
  readonly #seen = new Map<string, string>();
  readonly #checkedWorks = new WeakSet<AppendWork>();
  readonly #checkedCommit = new Map<NodeId, Index>();
  readonly #checkedApplied = new Map<NodeId, number>();
  readonly #committed: Committed[] = [];
  readonly #readFloors = new Map<number, Index>();
  readsConfirmed = 0;

  constructor(nodes: readonly TestNode[]) {
    this.#nodes = nodes;
  }

  /** The last index that anybody is known to have committed. */
  get committedIndex(): Index {
    return this.#committed.length;
  }

  get leaderCount(): number {
    return this.#leaders.size;
  }

  /** A read is asked now: whatever is committed by now must be seen by it. */
  readAsked(context: number): void {
    this.#readFloors.set(context, this.committedIndex);
  }

  /** The node lost its memory: what its disk gives back is looked at afresh. */
  restarted({ id, applied }: TestNode): void {
    this.#checkedCommit.set(id, 0);
    this.#checkedApplied.set(id, applied.length);
  }

  check(node: TestNode): void {
    this.#checkLogs(node);
    this.#checkCommitted(node);
    this.#checkApplied(node);
    this.#checkLeader(node);
    this.#checkReads(node);
  }

  /** Log matching: two entries of one place and term hold the same, and follow the same (Raft 5.3). */
  #checkLogs({ core, works }: TestNode): void {
    for (const work of works) {
      if (this.#checkedWorks.has(work)) continue;
      this.#checkedWorks.add(work);
      let before = work.entries[0] === undefined ? undefined : core.log.termAt(work.entries[0].index - 1);
      for (const entry of work.entries) {
        const key = `${entry.index}@${entry.term}`;
        const value = `${before} ${textOf(entry)}`;
        assert((this.#seen.get(key) ?? value) === value, `log matching: two different entries ${key}`);
        this.#seen.set(key, value);
        before = entry.term;
      }
    }
  }

  /** State machine safety: what is committed once is committed for ever, and lies on a majority of disks. */
  #checkCommitted({ id, core: { log, term } }: TestNode): void {
    for (let index = (this.#checkedCommit.get(id) ?? 0) + 1; index <= log.commitIndex; index += 1) {
      const known = this.#committed[index - 1];
      if (known !== undefined) {
        assert(log.termAt(index) === known.entry.term, `committed entry ${index} is another one on node ${id}`);
        continue;
      }
      const entry = log.entries(index, index, 0)[0];
      assert(entry !== undefined, `node ${id} committed ${index} and does not have it`);
      const holders = this.#nodes.filter(({ disk }) => disk.termAt(index) === entry.term).length;
      assert(holders >= majorityOf(this.#nodes.length), `entry ${index} was committed on ${holders} disks`);
      this.#committed.push({ entry, inTerm: term });
    }
    this.#checkedCommit.set(id, log.commitIndex);
  }

  #checkApplied({ id, applied }: TestNode): void {
    for (let position = this.#checkedApplied.get(id) ?? 0; position < applied.length; position += 1) {
      const entry = applied[position];
      const known = this.#committed[position]?.entry;
      assert(
        entry !== undefined && known?.index === entry.index && known.term === entry.term,
        `node ${id} applied something else in place ${position + 1}`,
      );
    }
    this.#checkedApplied.set(id, applied.length);
  }

  /** Election safety and leader completeness (Raft 5.2, 5.4). */
  #checkLeader({ id, core: { role, term, log } }: TestNode): void {
    if (role !== 'leader') return;
    const known = this.#leaders.get(term);
    assert(known === undefined || known === id, `nodes ${known} and ${id} both lead term ${term}`);
    if (known !== undefined) return;
    this.#leaders.set(term, id);
    for (const { entry, inTerm } of this.#committed) {
      assert(inTerm >= term || log.termAt(entry.index) === entry.term, `the leader of term ${term} lacks committed entry ${entry.index}`);
    }
  }

  #checkReads(node: TestNode): void {
    for (const { context, index } of node.reads) {
      const floor = this.#readFloors.get(context);
      assert(floor !== undefined && index >= floor, `a read asked when ${floor} was committed was confirmed at ${index}`);
      this.readsConfirmed += 1;
    }
    node.reads = [];
  }
}
