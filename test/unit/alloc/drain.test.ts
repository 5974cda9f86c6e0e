import { expect } from 'chai';
import { SectionCounters } from '../../../src/alloc/counters.js';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { sealedFrom } from '../../../src/alloc/sealed-counters.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId, Seq, Slot } from '../../../src/model/ids.js';
import { HandoffStage, type TestAlloc } from './handoff-stage.js';

describe('a clean stop', () => {
  let stage: HandoffStage;
  let a: TestAlloc;
  let b: TestAlloc;

  const typesOf = (alloc: TestAlloc): AllocEvent['type'][] => alloc.events.map(({ type }) => type);
  const give = (alloc: TestAlloc, ...sections: number[]) => expect(stage.assign(stage.caller(alloc), ...sections).type).to.equal('decided');
  const plan = (alloc: TestAlloc, ...sections: number[]) => expect(stage.planMove(stage.caller(alloc), ...sections).type).to.equal('decided');
  const takes = (alloc: TestAlloc, section: number, slot: number, count: number): void =>
    void expect(stage.next(alloc, section, { slot, count })).to.be.a('bigint');
  /** Drains, and says when it was done, in ms from now. */
  const drain = (alloc: TestAlloc, withinMs = 20_000): { readonly doneMs: () => number | undefined } => {
    const sinceMs = stage.clock.nowMs();
    let doneMs: number | undefined;
    void alloc.node.drain({ withinMs }).then(() => {
      doneMs = stage.clock.nowMs() - sinceMs;
      alloc.node.stop();
      alloc.isUp = false;
    });
    return { doneMs: () => doneMs };
  };

  beforeEach(async () => {
    stage = new HandoffStage();
    a = await stage.start('a', { file: true });
    b = await stage.start('b', { file: true });
    give(a, 0, 1, 2);
    takes(a, 0, 5, 7);
    takes(a, 1, 5, 9);
  });
  afterEach(() => {
    for (const alloc of stage.allocs.values()) alloc.node.stop();
  });

  describe('while others can take over', () => {
    it('hands everything over in the batches that are planned, serving the rest, and is done when nothing is left', async () => {
      const stop = drain(a);
      await stage.clock.elapse(1000);
      expect([stage.next(a, 0, { slot: 5 }), stage.next(a, 1, { slot: 5 })]).to.deep.equal([8n, 10n]);
      plan(b, 0);
      await stage.clock.elapse(1000);
      expect([stage.next(b, 0, { slot: 5 }), stage.next(a, 1, { slot: 5 }), stage.next(a, 0)]).to.deep.equal([9n, 11n, 'NOT_OWNER']);
      plan(b, 1, 2);
      await stage.clock.elapse(200);
      expect(stage.next(b, 1, { slot: 5 })).to.equal(12n);
      expect(stop.doneMs()).to.be.within(2000, 2200);
      expect(typesOf(b)).to.not.include('handoffFellBack');
      expect(a.file, 'nothing needs a file').to.equal(undefined);
    });

    it('keeps its lease meanwhile', async () => {
      drain(a);
      await stage.clock.elapse(10_000);
      expect(stage.next(a, 0, { slot: 5 })).to.equal(8n);
    });

    it('does not end before the counters were fetched', async () => {
      const stop = drain(a);
      await stage.clock.settle();
      stage.faults.isBrokenAtSeal = true;
      plan(b, 0, 1, 2);
      await stage.clock.elapse(100);
      stage.faults.isDown = true;
      await stage.clock.elapse(400);
      expect([stage.section(0).epoch, stop.doneMs()]).to.deep.equal([2, undefined]);
      Object.assign(stage.faults, { isDown: false, isBrokenAtSeal: false });
      await stage.clock.elapse(400);
      expect(stop.doneMs()).to.be.within(500, 900);
      expect(stage.next(b, 0, { slot: 5 })).to.equal(8n);
    });

    it('seals, saves and releases the rest when time is short', async () => {
      const stop = drain(a, 4000);
      await stage.clock.elapse(1999);
      expect(stage.next(a, 0, { slot: 5 })).to.equal(8n);
      await stage.clock.elapse(1);
      await stage.clock.settle();
      expect(stage.section(0)).to.deep.include({ owner: undefined, epoch: 1, maxSeq: 8n });
      expect(typesOf(a)).to.include('countersSaved');
      give(b, 0);
      await stage.clock.elapse(100);
      expect(stage.next(b, 0, { slot: 5 }), 'still served to whoever gets it now').to.equal(9n);
      await stage.clock.elapse(3000);
      expect(stop.doneMs()).to.equal(4000);
    });

    it('goes on while a poll fails: it was told once', async () => {
      const stop = drain(a);
      await stage.clock.elapse(300);
      stage.failures.set('drain', new SeqError('UNAVAILABLE', 'no leader'));
      await stage.clock.elapse(3000);
      expect([stage.next(a, 0, { slot: 5 }), stop.doneMs()]).to.deep.equal([8n, undefined]);
    });

    it('ends at once when somebody else superseded this run', async () => {
      const stop = drain(a);
      await stage.clock.elapse(300);
      await stage.start('a');
      await stage.clock.elapse(1000);
      expect(stop.doneMs()).to.be.lessThan(1400);
    });
  });

  describe('of everything', () => {
    /** Both stop; nobody takes over. */
    const stopAll = async (): Promise<void> => {
      const [one, other] = [drain(a), drain(b)];
      await stage.clock.elapse(500);
      expect([one.doneMs(), other.doneMs()].every((ms) => ms !== undefined)).to.equal(true);
      expect(stage.state.sections.every(({ owner }) => owner === undefined)).to.equal(true);
    };

    it('saves the counters BEFORE they are released, and a restart jumps nobody', async () => {
      stage.failures.set('release', new SeqError('UNAVAILABLE', 'no leader'));
      drain(a);
      drain(b);
      await stage.clock.elapse(500);
      expect([a.file?.sealed.length, stage.section(0).owner?.allocId]).to.deep.equal([2, 'a']);
      stage.failures.clear();
      await stage.clock.elapse(1000);
      expect(stage.section(0)).to.deep.include({ owner: undefined, epoch: 1, maxSeq: 7n });
      a = await stage.start('a', { file: true });
      give(a, 0, 1, 2);
      await stage.clock.settle();
      expect([stage.current(a, 0, 5), stage.next(a, 1, { slot: 5 }), stage.next(a, 2)]).to.deep.equal([{ seq: 7n, exact: true, epoch: 2 }, 10n, 1n]);
      expect(typesOf(a)).to.include('handoffInstalled');
    });

    it('releases nothing before the counters are on disk, however long that takes', async () => {
      stage.saveMs = 300;
      drain(a);
      drain(b);
      await stage.clock.elapse(450);
      expect([a.file, stage.section(0).owner?.allocId, stage.section(1).owner?.allocId]).to.deep.equal([undefined, 'a', 'a']);
      await stage.clock.elapse(250);
      expect([a.file?.sealed.length, stage.section(0).owner, stage.section(1).owner]).to.deep.equal([2, undefined, undefined]);
    });

    it('is served from the file to whoever gets the sections', async () => {
      await stopAll();
      b = await stage.start('b', { file: true });
      a = await stage.start('a', { file: true });
      give(b, 0, 1, 2);
      await stage.clock.settle();
      expect([stage.next(b, 0, { slot: 5 }), stage.next(b, 1, { slot: 5 })]).to.deep.equal([8n, 10n]);
    });

    it('waits for the former owner, which may be starting, and then installs', async () => {
      await stopAll();
      b = await stage.start('b', { file: true });
      give(b, 0);
      await stage.clock.elapse(500);
      expect(stage.next(b, 0, { slot: 5 })).to.equal('waits');
      a = await stage.start('a', { file: true });
      await stage.clock.elapse(100);
      expect(stage.current(b, 0, 5)).to.deep.equal({ seq: 9n - 1n, exact: true, epoch: 2 });
    });

    it('takes nothing from an old copy of the file: its digest is not that of the table', async () => {
      await stopAll();
      const old = a.file;
      a = await stage.start('a', { file: true });
      b = await stage.start('b', { file: true });
      give(a, 0);
      await stage.clock.settle();
      takes(a, 0, 5, 1);
      await stopAll();
      a.file = old;
      a = await stage.start('a', { file: true });
      give(a, 0);
      await stage.clock.elapse(1100);
      expect(stage.current(a, 0, 6)).to.deep.equal({ seq: 8n, exact: false, epoch: 3 });
      expect(typesOf(a)).to.include('handoffFellBack');
    });

    it('takes nothing from a file whose counters are others, though it is of the very epoch', async () => {
      await stopAll();
      const counters = new SectionCounters({ uidCount: 3000, base: 0n as Seq, maxSeq: 100n as Seq });
      counters.next(5 as Slot, 3);
      a.file = { ...a.file!, sealed: [sealedFrom(0 as SectionId, 1 as Epoch, counters)] };
      a = await stage.start('a', { file: true });
      give(a, 0);
      await stage.clock.elapse(1100);
      expect(stage.current(a, 0, 5)).to.deep.equal({ seq: 7n, exact: false, epoch: 2 });
    });

    it('waits for counters that are still coming in, and saves them', async () => {
      await stopAll();
      b = await stage.start('b', { file: true });
      give(b, 0);
      const stop = drain(b);
      await stage.clock.elapse(300);
      expect(stop.doneMs()).to.equal(undefined);
      a = await stage.start('a', { file: true });
      await stage.clock.elapse(1000);
      expect(stop.doneMs()).to.be.within(300, 1300);
      b = await stage.start('b', { file: true });
      give(b, 0);
      await stage.clock.settle();
      expect(stage.current(b, 0, 5)).to.deep.equal({ seq: 7n, exact: true, epoch: 3 });
    });

    it('refuses a file of another cluster, with an event', async () => {
      await stopAll();
      a.file = { ...a.file!, clusterId: 'd'.repeat(32) };
      a = await stage.start('a', { file: true });
      expect(a.events.flatMap((event) => (event.type === 'countersRefused' ? [event.why] : []))[0]).to.include('dddd');
      give(a, 0);
      await stage.clock.elapse(1100);
      expect(stage.current(a, 0, 5)).to.deep.equal({ seq: 7n, exact: false, epoch: 2 });
    });

    it('without a place for the counters releases without a digest, says so once, and starts without waiting', async () => {
      stage.crash(a);
      a = await stage.start('a');
      give(a, 0, 1, 2);
      takes(a, 0, 5, 7);
      takes(a, 1, 5, 7);
      await stopAll();
      expect(typesOf(a).filter((type) => type === 'countersNotSaved')).to.have.length(1);
      expect(stage.section(0).handoff).to.equal(undefined);
      const { base } = stage.section(0);
      a = await stage.start('a');
      give(a, 0);
      expect(stage.current(a, 0, 5)).to.deep.equal({ seq: base, exact: false, epoch: 3 });
    });

    it('saves what it could not read again when it stops before anybody asked', async () => {
      await stopAll();
      a = await stage.start('a', { file: true });
      b = await stage.start('b', { file: true });
      give(a, 3);
      takes(a, 3, 0, 4);
      await stopAll();
      a = await stage.start('a', { file: true });
      give(a, 0, 3);
      await stage.clock.settle();
      expect([stage.next(a, 0, { slot: 6 }), stage.next(a, 3)]).to.deep.equal([1n, 5n]);
    });

    it('saves what was released to a successor that stops too', async () => {
      const stop = drain(a);
      await stage.clock.settle();
      stage.faults.isDown = true;
      plan(b, 0, 1);
      const other = drain(b);
      await stage.clock.elapse(6000);
      expect([stop.doneMs() !== undefined, other.doneMs() !== undefined]).to.deep.equal([true, true]);
      stage.faults.isDown = false;
      a = await stage.start('a', { file: true });
      give(a, 0);
      await stage.clock.settle();
      expect(stage.next(a, 0, { slot: 5 })).to.equal(8n);
    });

    it('saves what a successor had fetched that stopped before it was given', async () => {
      const stop = drain(a);
      await stage.clock.settle();
      stage.failures.set('release', new SeqError('UNAVAILABLE', 'no leader'));
      plan(b, 0, 1);
      await stage.clock.settle();
      expect(typesOf(a)).to.include('sectionsSealed');
      const other = drain(b);
      await stage.clock.elapse(500);
      expect(other.doneMs()).to.not.equal(undefined);
      stage.failures.clear();
      await stage.clock.elapse(1000);
      expect([stop.doneMs() !== undefined, stage.section(0).owner]).to.deep.equal([true, undefined]);
      a = await stage.start('a', { file: true });
      give(a, 0, 1);
      await stage.clock.settle();
      expect([stage.current(a, 0, 5), stage.next(a, 1, { slot: 5 })]).to.deep.equal([{ seq: 7n, exact: true, epoch: 2 }, 10n]);
    });

    it('removes the file once it is of no more use', async () => {
      await stopAll();
      a = await stage.start('a', { file: true });
      give(a, 0, 1);
      await stage.clock.elapse(900);
      expect(a.file).to.not.equal(undefined);
      await stage.clock.elapse(200);
      expect(a.file).to.equal(undefined);
    });
  });

  it('of the only one releases all the same when the store cannot be told', async () => {
    stage.failures.set('drain', new SeqError('UNAVAILABLE', 'no leader'));
    const stop = drain(a);
    await stage.clock.elapse(100);
    expect(stop.doneMs()).to.equal(0);
    expect(stage.section(0)).to.deep.include({ owner: undefined, maxSeq: 7n });
    expect(typesOf(a)).to.include('drainFailed');
  });
});
