import { expect } from 'chai';
import { type AllocatorOptions, SectionAllocator, WAITERS_PER_SECTION_MAX } from '../../../src/alloc/section-allocator.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId, Seq, Slot } from '../../../src/model/ids.js';
import { VirtualClock } from '../virtual-clock.js';

const slot = (value: number): Slot => value as Slot;

describe('SectionAllocator', () => {
  let clock: VirtualClock;
  let dueCount: number;
  let activeCount: number;
  let woken: string[];

  const open = (options: Partial<AllocatorOptions> = {}) =>
    new SectionAllocator({
      section: 3 as SectionId,
      epoch: 7 as Epoch,
      uidCount: 1000,
      base: 0n as Seq,
      maxSeq: 100n as Seq,
      raiseBy: 100n,
      clock,
      raiser: {
        due: () => {
          dueCount += 1;
        },
        active: () => {
          activeCount += 1;
        },
      },
      ...options,
    });
  const wait = (allocator: SectionAllocator, name: string, count: number, waitMs = 1000) =>
    void allocator.waitForWindow({ slot: slot(0), count, deadlineMs: clock.nowMs() + waitMs }).then(
      () => woken.push(name),
      (error: SeqError) => woken.push(`${name}: ${error.code}`),
    );

  beforeEach(() => {
    clock = new VirtualClock();
    dueCount = 0;
    activeCount = 0;
    woken = [];
  });

  it('asks for a raise at the low-water mark, before the window is empty', () => {
    const allocator = open();
    allocator.take(slot(0), 74);
    expect(dueCount).to.equal(0);
    allocator.take(slot(0), 1);
    expect(dueCount).to.equal(1);
    expect(allocator.takeRaise()).to.equal(175n);
  });

  it('sends the number that makes a raise due the way that asks for it, and hands the others out at once', () => {
    const allocator = open();
    expect(allocator.takeAtOnce(slot(0), 1, -1), 'a quiet section wakes first').to.be.below(0);
    allocator.take(slot(0), 1);
    expect(allocator.takeAtOnce(slot(0), 73, -1)).to.equal(74);
    expect(allocator.takeAtOnce(slot(0), 1, -1)).to.be.below(0);
    expect(allocator.take(slot(0), 1)).to.equal(75n);
    expect(dueCount).to.equal(1);
    expect(allocator.takeAtOnce(slot(1), 1, -1), 'another uid is far from it').to.equal(1);
    allocator.takeRaise();
    allocator.raised(200n as Seq);
    expect(allocator.takeAtOnce(slot(0), 1, -1)).to.equal(76);
    allocator.seal();
    expect(allocator.takeAtOnce(slot(0), 1, -1)).to.be.below(0);
  });

  it('has one raise in flight', () => {
    const allocator = open();
    allocator.take(slot(0), 80);
    expect(allocator.takeRaise()).to.equal(180n);
    expect(allocator.takeRaise()).to.equal(undefined);
    const before = dueCount;
    allocator.take(slot(0), 20);
    wait(allocator, 'w', 1);
    expect(dueCount).to.equal(before);
  });

  it('lets a number above the old ceiling leave only after the raise', async () => {
    const allocator = open();
    allocator.take(slot(0), 100);
    allocator.takeRaise();
    expect(allocator.take(slot(0), 1)).to.equal(undefined);
    allocator.raised(200n as Seq);
    expect(allocator.take(slot(0), 1)).to.equal(101n);
  });

  it('wakes who waits in order, and only those whose numbers fit', async () => {
    const allocator = open();
    allocator.take(slot(0), 100);
    wait(allocator, 'first', 1);
    wait(allocator, 'large', 500);
    wait(allocator, 'third', 2);
    allocator.raised(200n as Seq);
    await clock.settle();
    expect(woken).to.deep.equal(['first', 'third']);
    allocator.raised(600n as Seq);
    await clock.settle();
    expect(woken).to.deep.equal(['first', 'third', 'large']);
  });

  it('raises far enough for a range that is larger than any window', async () => {
    const allocator = open();
    allocator.take(slot(0), 10);
    wait(allocator, 'range', 1_000_000);
    const to = allocator.takeRaise();
    expect(to).to.equal(1_000_110n);
    allocator.raised(to!);
    expect(allocator.take(slot(0), 1_000_000)).to.equal(11n);
  });

  it('gives up at the deadline of the call, definitely', async () => {
    const allocator = open();
    allocator.take(slot(0), 100);
    const error = allocator.waitForWindow({ slot: slot(0), count: 1, deadlineMs: clock.nowMs() + 50 }).catch((caught: unknown) => caught);
    await clock.elapse(50);
    expect(await error).to.include({ code: 'TIMEOUT', definite: true });
    expect(clock.timerCount).to.equal(0);
  });

  it('turns callers away with advice when the queue is full', async () => {
    const allocator = open();
    allocator.take(slot(0), 100);
    for (let index = 0; index < WAITERS_PER_SECTION_MAX; index++) wait(allocator, 'w', 1);
    const error = await allocator.waitForWindow({ slot: slot(0), count: 1, deadlineMs: clock.nowMs() + 50 }).catch((caught: unknown) => caught);
    expect(error).to.include({ code: 'RESOURCE_EXHAUSTED', definite: true, retryAfterMs: 50 });
    allocator.raised(1000n as Seq);
    await clock.settle();
    expect(woken).to.have.length(WAITERS_PER_SECTION_MAX);
  });

  it('repeats the identical raise after an unknown outcome, and not before it is told to', () => {
    const allocator = open();
    allocator.take(slot(0), 80);
    expect(allocator.takeRaise()).to.equal(180n);
    allocator.raiseFailed();
    allocator.take(slot(0), 15);
    expect(allocator.takeRaise(), 'held').to.equal(undefined);
    allocator.resumeRaising();
    expect(allocator.takeRaise(), 'the same, though more is gone by now').to.equal(180n);
  });

  it('assumes nothing of a raise whose outcome is unknown: no number above the old ceiling leaves', () => {
    const allocator = open();
    allocator.take(slot(0), 80);
    allocator.takeRaise();
    allocator.raiseFailed();
    expect([allocator.take(slot(0), 21), allocator.maxSeq]).to.deep.equal([undefined, 100n]);
    expect(allocator.take(slot(0), 20)).to.equal(81n);
  });

  it('tells who waits when the store refuses for good', async () => {
    const allocator = open();
    allocator.take(slot(0), 100);
    wait(allocator, 'w', 1);
    allocator.takeRaise();
    allocator.raiseRefused(new SeqError('OUT_OF_RANGE', 'no more'));
    await clock.settle();
    expect(woken).to.deep.equal(['w: OUT_OF_RANGE']);
  });

  it('takes the committed ceiling from a table of the same epoch', () => {
    const allocator = open();
    allocator.learnMaxSeq(150n as Seq);
    expect(allocator.take(slot(0), 150)).to.equal(1n);
  });

  for (const end of ['seal', 'lose'] as const) {
    it(`never serves or raises again after ${end}, and wakes who waits to be told`, async () => {
      const allocator = open();
      allocator.take(slot(0), 100);
      wait(allocator, 'w', 1);
      expect(allocator.takeRaise()).to.equal(201n);
      allocator[end]();
      await clock.settle();
      expect(woken).to.deep.equal(['w']);
      expect(() => allocator.take(slot(0), 1)).to.throw('never serves again');
      expect(allocator.takeRaise()).to.equal(undefined);
      dueCount = 0;
      allocator.resumeRaising();
      expect(dueCount).to.equal(0);
    });

    it(`raises nothing that was due before ${end}`, () => {
      const allocator = open();
      allocator.take(slot(0), 80);
      expect(dueCount).to.equal(1);
      allocator[end]();
      expect(allocator.takeRaise()).to.equal(undefined);
    });

    it(`drops a raise that is answered after ${end}`, () => {
      const allocator = open();
      allocator.take(slot(0), 100);
      allocator.takeRaise();
      allocator[end]();
      allocator.raised(200n as Seq);
      expect(allocator.maxSeq).to.equal(100n);
    });
  }

  it('states the same true maximum each time it is sealed', () => {
    const allocator = open({ base: 40n as Seq });
    allocator.take(slot(0), 7);
    expect(allocator.seal()).to.equal(47n);
    expect(allocator.seal()).to.equal(47n);
  });

  it('is sampled while its counters move, and not when they rest', () => {
    const allocator = open();
    expect(activeCount).to.equal(0);
    allocator.take(slot(0), 1);
    allocator.take(slot(0), 1);
    expect(activeCount).to.equal(1);
    expect([allocator.sample(), allocator.sample()]).to.deep.equal([true, false]);
    allocator.take(slot(0), 1);
    expect(activeCount).to.equal(2);
  });

  it('is sampled as long as it is called, also by uids that are far from the hottest', () => {
    const allocator = open({ maxSeq: 1_000_000n as Seq });
    allocator.take(slot(0), 1_000);
    allocator.sample();
    allocator.take(slot(1), 1);
    expect(allocator.sample()).to.equal(true);
    expect(allocator.sample()).to.equal(false);
  });

  it('measures calls a second, however many numbers each takes', () => {
    const allocator = open({ maxSeq: 1_000_000n as Seq });
    for (let second = 0; second < 60; second++) {
      for (let call = 0; call < 20; call++) allocator.take(slot(0), 100);
      clock.advance(1000);
      allocator.sample();
    }
    expect(allocator.callsPerSecond).to.be.closeTo(20, 0.2);
    expect(allocator.callCount).to.equal(1_200);
  });

  it('does not take an advance for a rate: the raises after it are no larger', () => {
    const allocator = open();
    const to = 2n ** 39n;
    void allocator.waitForAdvance({ slot: slot(0), to, deadlineMs: clock.nowMs() + 1000 });
    allocator.raised(allocator.takeRaise()!);
    clock.advance(1000);
    expect(allocator.advance(slot(0), to)).to.equal(to);
    clock.advance(1000);
    allocator.sample();
    allocator.take(slot(0), 80);
    expect(allocator.takeRaise()).to.equal(to + 180n);
  });

  it('tells how much of the window is left, in units of what is left when a raise is due', () => {
    const allocator = open();
    expect(allocator.headroomRatio).to.equal(4);
    allocator.take(slot(0), 75);
    expect(allocator.headroomRatio).to.equal(1);
    allocator.take(slot(0), 25);
    expect(allocator.headroomRatio).to.equal(0);
  });

  it('does not take a burst after a long rest for a trickle', () => {
    const allocator = open({ maxSeq: 1_000_000n as Seq });
    clock.advance(3_600_000);
    allocator.take(slot(0), 10_000);
    clock.advance(1000);
    allocator.sample();
    allocator.take(slot(0), 965_000);
    expect(dueCount, 'within 2.5 s of the burst from the end').to.equal(1);
  });

  it('raises ahead by the rate that it measured', () => {
    const allocator = open({ maxSeq: 1_000_000n as Seq });
    for (let second = 0; second < 60; second++) {
      allocator.take(slot(0), 1_000);
      clock.advance(1000);
      allocator.sample();
    }
    allocator.take(slot(0), 938_000);
    clock.advance(1000);
    expect(dueCount).to.be.greaterThan(0);
    expect(Number(allocator.takeRaise())).to.be.greaterThan(1_050_000);
  });
});
