import { expect } from 'chai';
import type { AppendWork } from '../../../src/raft/core.js';
import type { RaftEvent, StateWrite } from '../../../src/raft/ports.js';
import { Writer } from '../../../src/raft/writer.js';
import { VirtualClock } from '../virtual-clock.js';
import { bytesOf, entriesOf, MemoryStorage, textOf } from './memory-storage.js';
import { membersOf, snapshotAt } from './test-node.js';

const MEMBERS = membersOf({ voters: [1] });

/** A writer, its disk, and what it told. */
class Desk {
  readonly clock = new VirtualClock();
  readonly storage: MemoryStorage;
  readonly written: AppendWork[][] = [];
  readonly events: RaftEvent[] = [];
  readonly errors: unknown[] = [];
  stateWrites: StateWrite[] = [];
  readonly writer: Writer;

  constructor(terms: readonly number[] = [], appliedIndex = 0) {
    this.storage = MemoryStorage.holding({ terms, appliedIndex });
    this.writer = new Writer({
      storage: this.storage,
      machine: { takeWrites: () => this.stateWrites.splice(0), parseSnapshot: (data) => new Map([['all', data]]) },
      clock: this.clock,
      observe: (event) => this.events.push(event),
      appliedIndex,
      onWritten: (works) => this.written.push([...works]),
      onFatal: (error) => this.errors.push(error),
    });
  }

  /** Everything in one go, while the disk is busy with something else. */
  async writeTogether(...works: readonly AppendWork[]): Promise<void> {
    this.storage.hold();
    this.writer.push(work({ mustSync: true }));
    this.writer.kick();
    for (const each of works) this.writer.push(each);
    this.storage.release();
    await this.clock.settle();
  }

  apply(index: number, key: string): void {
    this.stateWrites.push({ key, value: bytesOf(`${index}`) });
    this.writer.applied({ index, confState: MEMBERS });
  }
}

function work(parts: Partial<AppendWork> = {}): AppendWork {
  return { entries: [], hardState: undefined, snapshot: undefined, mustSync: true, replies: [], ack: undefined, ...parts };
}

function appending(terms: readonly number[], firstIndex: number): AppendWork {
  return work({ entries: entriesOf(terms, firstIndex) });
}

function installing(index: number, { commitIndex = index, terms = [] }: { commitIndex?: number; terms?: readonly number[] } = {}): AppendWork {
  const snapshot = snapshotAt({ index, term: 4 }, MEMBERS);
  const hardState = { term: 4, votedFor: undefined, commitIndex };
  return work({ snapshot, hardState, entries: entriesOf(terms, index + 1), ack: { term: 4, last: undefined, snapshot } });
}

function hard(commitIndex: number, mustSync: boolean): AppendWork {
  return work({ hardState: { term: 1, votedFor: 1, commitIndex }, mustSync });
}

describe('Writer', () => {
  it('has one write under way, and makes one of all that came meanwhile (group commit)', async () => {
    const desk = new Desk();
    desk.storage.hold();
    const works = [appending([1], 1), appending([1], 2), appending([1, 1], 3)];
    for (const each of works) {
      desk.writer.push(each);
      desk.writer.kick();
    }
    await desk.clock.settle();
    expect([desk.storage.begun, desk.written]).to.deep.equal([1, []]);
    desk.storage.release();
    await desk.clock.settle();
    expect(desk.storage.batches.map(({ entries }) => entries.map(({ index }) => index))).to.deep.equal([[1], [2, 3, 4]]);
    expect(desk.written).to.deep.equal([[works[0]], [works[1], works[2]]]);
  });

  it('tells what each write took', async () => {
    const desk = new Desk();
    desk.storage.hold();
    desk.writer.push(appending([1, 1], 1));
    desk.writer.kick();
    await desk.clock.elapse(7);
    desk.storage.release();
    await desk.clock.settle();
    expect(desk.events).to.deep.equal([{ type: 'written', entryCount: 2, tookMs: 7 }]);
  });

  describe('replies that promise nothing new', () => {
    it('go out at once while nothing is under way: what they speak of is on disk', async () => {
      const desk = new Desk([1, 1, 1]);
      const empty = work({ mustSync: false, hardState: { term: 1, votedFor: 1, commitIndex: 2 } });
      const reply = work({
        ...empty,
        replies: [{ type: 'appendReply', from: 1, to: 2, term: 1, index: 3, rejected: false, hintIndex: 0, hintTerm: 0 }],
      });
      desk.writer.push(reply);
      desk.writer.kick();
      expect([desk.storage.begun, desk.written]).to.deep.equal([0, [[reply]]]);
      await desk.writer.stop();
      expect(desk.storage.hardState.commitIndex, 'its commit index rides on the next write').to.equal(2);
    });

    it('wait for what is under way, and no longer', async () => {
      const desk = new Desk();
      const reply = work({ mustSync: false, ack: { term: 1, last: { index: 1, term: 1 }, snapshot: undefined } });
      desk.storage.hold();
      desk.writer.push(appending([1], 1));
      desk.writer.kick();
      desk.writer.push(reply);
      await desk.clock.settle();
      expect(desk.written).to.deep.equal([]);
      desk.storage.release();
      await desk.clock.settle();
      expect([desk.storage.begun, desk.written.at(-1)]).to.deep.equal([1, [reply]]);
    });
  });

  describe('joins appends', () => {
    const rows: readonly { why: string; works: readonly AppendWork[]; log: readonly string[] }[] = [
      { why: 'one after the other', works: [appending([1], 3), appending([1], 4)], log: ['1@1', '2@1', '3@1', '4@1'] },
      { why: 'one replaces the end of another', works: [appending([1, 1, 1], 3), appending([2], 4)], log: ['1@1', '2@1', '3@1', '4@2'] },
      { why: 'one replaces another', works: [appending([1, 1], 3), appending([2, 2], 3)], log: ['1@1', '2@1', '3@2', '4@2'] },
      { why: 'one begins before another', works: [appending([1, 1], 3), appending([2], 2)], log: ['1@1', '2@2'] },
      {
        why: 'again and again',
        works: [appending([1, 1], 3), appending([2], 4), appending([3, 3], 2), appending([4], 3)],
        log: ['1@1', '2@3', '3@4'],
      },
      { why: 'with one that has none in between', works: [appending([1], 3), hard(0, true), appending([1], 4)], log: ['1@1', '2@1', '3@1', '4@1'] },
    ];
    for (const { why, works, log } of rows) {
      it(why, async () => {
        const desk = new Desk([1, 1]);
        await desk.writeTogether(...works);
        expect(desk.storage.log.map(textOf)).to.deep.equal(log);
        expect([desk.storage.batches.length, desk.written.at(-1)]).to.deep.equal([2, works]);
      });
    }

    it('never over a hole', async () => {
      const desk = new Desk();
      await desk.writeTogether(appending([1], 1), appending([1], 3));
      expect(desk.errors.map(String)).to.deep.equal(['InvariantError: appends are contiguous']);
      expect(desk.storage.lastIndex).to.equal(0);
    });
  });

  describe('the hard state', () => {
    it('of the last work counts', async () => {
      const desk = new Desk([1, 1, 1]);
      await desk.writeTogether(hard(1, true), hard(2, true), appending([1], 4));
      expect(desk.storage.hardState.commitIndex).to.equal(2);
    });

    it('with nothing but a commit index waits for the next write', async () => {
      const desk = new Desk([1, 1, 1]);
      desk.writer.push(hard(1, false));
      desk.writer.kick();
      await desk.clock.settle();
      expect(desk.storage.begun).to.equal(0);
      desk.writer.push(appending([1], 4));
      desk.writer.kick();
      await desk.clock.settle();
      expect([desk.storage.begun, desk.storage.hardState.commitIndex]).to.deep.equal([1, 1]);
    });

    it('is the newest, whether it could wait or not', async () => {
      const desk = new Desk([1, 1, 1]);
      await desk.writeTogether(hard(1, false), hard(2, true));
      expect(desk.storage.hardState.commitIndex).to.equal(2);
      await desk.writeTogether(hard(2, true), hard(3, false));
      expect(desk.storage.hardState.commitIndex).to.equal(3);
    });

    it('that waits is saved at the stop', async () => {
      const desk = new Desk([1, 1, 1]);
      desk.writer.push(hard(2, false));
      await desk.writer.stop();
      expect(desk.storage.hardState.commitIndex).to.equal(2);
    });
  });

  describe('what was applied', () => {
    it('rides on the next append, with its index, once', async () => {
      const desk = new Desk([1, 1]);
      desk.apply(1, 'a');
      desk.apply(2, 'b');
      desk.writer.kick();
      await desk.clock.settle();
      expect(desk.storage.begun, 'alone it is not worth a sync').to.equal(0);
      for (const index of [3, 4]) {
        desk.writer.push(appending([1], index));
        desk.writer.kick();
        await desk.clock.settle();
      }
      expect(desk.storage.batches.map(({ applied }) => applied?.index)).to.deep.equal([2, undefined]);
      expect([...desk.storage.state.keys()]).to.deep.equal(['a', 'b']);
    });

    it('is written alone when 1,000 entries have waited', async () => {
      const desk = new Desk(Array<number>(1_000).fill(1));
      desk.apply(999, 'a');
      desk.writer.kick();
      await desk.clock.settle();
      expect(desk.storage.begun).to.equal(0);
      desk.apply(1_000, 'b');
      desk.writer.kick();
      await desk.clock.settle();
      expect([desk.storage.begun, desk.storage.appliedIndex]).to.deep.equal([1, 1_000]);
    });

    it('is saved at the stop, after the write that is under way', async () => {
      const desk = new Desk([1]);
      desk.storage.hold();
      desk.writer.push(appending([1], 2));
      desk.writer.kick();
      desk.apply(1, 'a');
      const stopped = desk.writer.stop();
      await desk.clock.settle();
      expect(desk.storage.begun).to.equal(1);
      desk.storage.release();
      await stopped;
      expect([desk.storage.lastIndex, desk.storage.appliedIndex, desk.storage.begun]).to.deep.equal([2, 1, 2]);
    });
  });

  describe('a snapshot', () => {
    it('goes alone, between the appends before it and those after it', async () => {
      const desk = new Desk([1, 1]);
      const works = [appending([1], 3), installing(11), appending([4], 12)];
      await desk.writeTogether(...works);
      expect(desk.written.slice(1)).to.deep.equal(works.map((each) => [each]));
      expect([desk.storage.firstIndex, desk.storage.lastIndex, desk.storage.termAt(11), desk.storage.termAt(12)]).to.deep.equal([12, 12, 4, 4]);
    });

    it('installs log, members, applied index and hard state at once, with a commit index that it covers', async () => {
      const desk = new Desk([1, 1]);
      await desk.writeTogether(installing(11, { commitIndex: 13 }));
      const { state, ...rest } = desk.storage.installs[0]!;
      expect(rest).to.deep.equal({ index: 11, term: 4, confState: MEMBERS, hardState: { term: 4, votedFor: undefined, commitIndex: 11 } });
      expect([...state.keys()]).to.deep.equal(['all']);
    });

    it('is followed by the entries and the hard state that came with it', async () => {
      const desk = new Desk();
      await desk.writeTogether(installing(11, { commitIndex: 12, terms: [4] }));
      expect([desk.storage.lastIndex, desk.storage.hardState.commitIndex]).to.deep.equal([12, 12]);
    });

    it('takes what was applied before with it: it belongs to a state that is no longer there', async () => {
      const desk = new Desk([1, 1]);
      desk.apply(2, 'old');
      await desk.writeTogether(installing(11));
      expect([desk.storage.appliedIndex, desk.writer.savedAppliedIndex, desk.storage.batches.slice(1)]).to.deep.equal([11, 11, []]);
    });

    it('takes a compaction that waits with it', async () => {
      const desk = new Desk([1, 1, 1], 3);
      desk.storage.hold();
      desk.writer.push(work());
      desk.writer.kick();
      desk.writer.push(installing(11));
      desk.writer.compact(2);
      desk.storage.release();
      await desk.clock.settle();
      expect([desk.storage.batches.map(({ compactTo }) => compactTo), desk.storage.firstIndex, desk.errors]).to.deep.equal([[undefined], 12, []]);
    });

    it('that fails is fatal, and nothing is acknowledged', async () => {
      const desk = new Desk([1]);
      desk.storage.failure = new Error('disk full');
      desk.writer.push(installing(11));
      desk.writer.kick();
      await desk.clock.settle();
      expect([desk.errors.map(String), desk.written, desk.storage.lastIndex]).to.deep.equal([['Error: disk full'], [], 1]);
    });

    it('whose commit index is below it is a bug, and stops the process', async () => {
      const desk = new Desk();
      await desk.writeTogether(installing(11, { commitIndex: 10 }));
      expect(desk.errors.map(String)).to.deep.equal(['InvariantError: what a snapshot holds is committed']);
    });
  });

  describe('a compaction', () => {
    it('is a write of its own when nothing else waits, and goes once', async () => {
      const desk = new Desk([1, 1, 1], 3);
      desk.writer.compact(2);
      desk.writer.kick();
      await desk.clock.settle();
      desk.writer.push(appending([1], 4));
      desk.writer.kick();
      await desk.clock.settle();
      expect(desk.storage.batches.map(({ compactTo }) => compactTo)).to.deep.equal([2, undefined]);
      expect(desk.storage.firstIndex).to.equal(3);
    });

    it('rides on what waits', async () => {
      const desk = new Desk([1, 1, 1], 3);
      desk.writer.push(appending([1], 4));
      desk.writer.compact(2);
      desk.writer.kick();
      await desk.clock.settle();
      expect(desk.storage.batches.map(({ entries, compactTo }) => [entries.length, compactTo])).to.deep.equal([[1, 2]]);
    });
  });

  describe('how long the disk hangs', () => {
    it('is counted from when the write under way began', async () => {
      const desk = new Desk();
      expect(desk.writer.stalledMs).to.equal(0);
      desk.storage.hold();
      desk.writer.push(appending([1], 1));
      desk.writer.kick();
      await desk.clock.elapse(700);
      desk.writer.push(appending([1], 2));
      desk.writer.kick();
      expect(desk.writer.stalledMs).to.equal(700);
      desk.storage.release();
      await desk.clock.settle();
      expect(desk.writer.stalledMs).to.equal(0);
    });
  });

  describe('a disk that fails', () => {
    it('is told of once, and nothing is acknowledged or written after it', async () => {
      const desk = new Desk();
      desk.storage.failure = new Error('no space left');
      await desk.writeTogether(appending([1], 1));
      desk.storage.failure = undefined;
      desk.writer.push(appending([1], 1));
      desk.writer.kick();
      await desk.clock.settle();
      expect(desk.errors.map(String)).to.deep.equal(['Error: no space left']);
      expect([desk.storage.begun, desk.written, desk.storage.batches]).to.deep.equal([1, [], []]);
    });

    it('does not keep stop() waiting, and gets no last write', async () => {
      const desk = new Desk([1]);
      desk.storage.failure = new Error('no space left');
      desk.apply(1, 'a');
      await desk.writeTogether();
      desk.storage.failure = undefined;
      desk.apply(1, 'b');
      await desk.writer.stop();
      expect(desk.storage.begun).to.equal(1);
    });
  });

  it('begins no write after it was halted', async () => {
    const desk = new Desk([1]);
    desk.storage.hold();
    desk.writer.push(appending([1], 2));
    desk.writer.kick();
    desk.writer.push(appending([1], 3));
    desk.apply(1, 'a');
    desk.writer.halt();
    desk.storage.release();
    await desk.clock.settle();
    await desk.writer.stop();
    expect([desk.storage.begun, desk.storage.lastIndex]).to.deep.equal([1, 2]);
  });
});
