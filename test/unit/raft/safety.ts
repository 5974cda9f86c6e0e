import { assert } from '../../../src/base/assert.js';
import type { AppendWork, RaftCore } from '../../../src/raft/core.js';
import { jointIds, jointVoteResult, type JointVoters } from '../../../src/raft/quorum.js';
import type { Entry, Index, NodeId, Term } from '../../../src/raft/types.js';
import { textOf } from './memory-storage.js';
import { type TestNode, textOfConf } from './test-node.js';

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
  /** The logs begin after this index. */
  readonly #start: Index;
  readonly #leaders = new Map<Term, NodeId>();
  /** Every entry that was ever in a log, by place and term: its data and the term before it. */
  readonly #seen = new Map<string, string>();
  readonly #checkedWorks = new WeakSet<AppendWork>();
  readonly #checkedCommit = new Map<NodeId, Index>();
  readonly #checkedApplied = new Map<NodeId, { readonly list: readonly Entry[]; readonly count: number }>();
  readonly #committed: Committed[] = [];
  /** The members that somebody had at this applied index. */
  readonly #members = new Map<Index, string>();
  readonly #readFloors = new Map<number, Index>();
  readsConfirmed = 0;

  constructor(nodes: readonly TestNode[], { start = 0 }: { readonly start?: Index } = {}) {
    this.#nodes = nodes;
    this.#start = start;
  }

  /** The last index that anybody is known to have committed. */
  get committedIndex(): Index {
    return this.#start + this.#committed.length;
  }

  get leaderCount(): number {
    return this.#leaders.size;
  }

  /** How many different memberships were in force. */
  get membershipCount(): number {
    return new Set(this.#members.values()).size;
  }

  /** A read is asked now: whatever is committed by now must be seen by it. */
  readAsked(context: number): void {
    this.#readFloors.set(context, this.committedIndex);
  }

  /** A leader may just have committed something, with the voters that count at this very moment. */
  counted({ id, log, term, voters }: Pick<RaftCore, 'id' | 'log' | 'term' | 'voters'>): void {
    for (let index = this.committedIndex + 1; index <= log.commitIndex; index += 1) {
      const entry = log.entries(index, index, 0)[0];
      assert(entry !== undefined, `node ${id} committed ${index} and does not have it`);
      const isHeld = (voter: NodeId): boolean => this.#nodes.some(({ id: other, disk }) => other === voter && holds(disk, entry));
      assert(
        jointVoteResult(voters, isHeld) === 'won',
        `entry ${index} was committed, but not by a majority of ${textOfVoters(voters)}: on ${jointIds(voters).filter(isHeld).join()}`,
      );
      this.#committed.push({ entry, inTerm: term });
    }
  }

  /** The node lost its memory: what its disk gives back is looked at afresh. */
  restarted({ id }: TestNode): void {
    this.#checkedCommit.delete(id);
    this.#checkedApplied.delete(id);
  }

  check(node: TestNode): void {
    this.#checkLogs(node);
    this.#checkCommitted(node);
    this.#checkApplied(node);
    this.#checkMembers(node);
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
        const value = `${before} ${entry.type} ${textOf(entry)}`;
        assert((this.#seen.get(key) ?? value) === value, `log matching: two different entries ${key}`);
        this.#seen.set(key, value);
        before = entry.term;
      }
    }
  }

  /** State machine safety: what a leader committed is committed for ever, and nobody commits anything else. */
  #checkCommitted({ id, core: { log } }: TestNode): void {
    assert(log.commitIndex <= this.committedIndex, `node ${id} committed ${log.commitIndex}, and no leader did`);
    for (let index = Math.max((this.#checkedCommit.get(id) ?? this.#start) + 1, log.firstIndex); index <= log.commitIndex; index += 1) {
      assert(log.termAt(index) === this.#knownAt(index)?.term, `committed entry ${index} is another one on node ${id}`);
    }
    this.#checkedCommit.set(id, log.commitIndex);
  }

  /** What is applied is what is committed, in order; a snapshot stands for all before it. */
  #checkApplied({ id, applied }: TestNode): void {
    const checked = this.#checkedApplied.get(id);
    for (let position = checked?.list === applied ? checked.count : 0; position < applied.length; position += 1) {
      const index = this.#start + 1 + position;
      const entry = applied[position];
      const known = this.#knownAt(index);
      assert(entry !== undefined && known !== undefined && isSame(entry, known), `node ${id} applied something else in place ${index}`);
    }
    this.#checkedApplied.set(id, { list: applied, count: applied.length });
  }

  /** Who has applied the same has the same members. */
  #checkMembers({ id, core, appliedConf }: TestNode): void {
    const { appliedIndex } = core.log;
    if (appliedIndex < this.#start) return;
    const members = textOfConf(appliedConf);
    const known = this.#members.get(appliedIndex);
    assert(known === undefined || known === members, `node ${id} has the members ${members} at ${appliedIndex}, another one had ${known}`);
    this.#members.set(appliedIndex, members);
  }

  /** Election safety and leader completeness (Raft 5.2, 5.4). */
  #checkLeader({ id, core: { role, term, log } }: TestNode): void {
    if (role !== 'leader') return;
    const known = this.#leaders.get(term);
    assert(known === undefined || known === id, `nodes ${known} and ${id} both lead term ${term}`);
    if (known !== undefined) return;
    this.#leaders.set(term, id);
    for (const { entry, inTerm } of this.#committed) {
      const isThere = entry.index < log.firstIndex || log.termAt(entry.index) === entry.term;
      assert(inTerm >= term || isThere, `the leader of term ${term} lacks committed entry ${entry.index}`);
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

  #knownAt(index: Index): Entry | undefined {
    return this.#committed[index - this.#start - 1]?.entry;
  }
}

/** What a disk has compacted away was committed, so it was this one. */
function holds(disk: TestNode['disk'], { index, term }: Entry): boolean {
  return index < disk.firstIndex || disk.termAt(index) === term;
}

function isSame(one: Entry, other: Entry): boolean {
  return one.index === other.index && one.term === other.term && one.type === other.type && textOf(one) === textOf(other);
}

function textOfVoters([incoming, outgoing]: JointVoters): string {
  return outgoing.length === 0 ? incoming.join(' ') : `${incoming.join(' ')} & ${outgoing.join(' ')}`;
}
