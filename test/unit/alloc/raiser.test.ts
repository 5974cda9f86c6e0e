import { expect } from 'chai';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { Raiser } from '../../../src/alloc/raiser.js';
import { SectionAllocator } from '../../../src/alloc/section-allocator.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId, Seq, Slot } from '../../../src/model/ids.js';
import type { RaiseItem, RaiseOutcome } from '../../../src/store/client.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

interface Request {
  readonly raises: readonly RaiseItem[];
  answer(outcomes?: RaiseOutcome[]): void;
  fail(error: SeqError): void;
}

describe('Raiser', () => {
  let clock: VirtualClock;
  let requests: Request[];
  let errors: SeqError[];
  let events: AllocEvent[];
  let notOwnerCount: number;
  let raiser: Raiser;

  const open = (section: number): SectionAllocator => {
    return new SectionAllocator({
      section: section as SectionId,
      epoch: 1 as Epoch,
      uidCount: 10,
      base: 0n as Seq,
      maxSeq: 100n as Seq,
      raiseBy: 100n,
      clock,
      raiser,
    });
  };
  const raised = (raises: readonly RaiseItem[]): RaiseOutcome[] => raises.map(({ to }) => ({ type: 'raised', maxSeq: to }));

  beforeEach(() => {
    clock = new VirtualClock();
    requests = [];
    errors = [];
    events = [];
    notOwnerCount = 0;
    raiser = new Raiser({
      clock,
      random: new SeededRandom(1),
      observe: (event) => events.push(event),
      raise: (raises) =>
        new Promise((resolve, reject) => requests.push({ raises, answer: (outcomes = raised(raises)) => resolve(outcomes), fail: reject })),
      onError: (error) => errors.push(error),
      onNotOwner: () => {
        notOwnerCount += 1;
      },
    });
  });

  it('sends all raises of one turn in one request', async () => {
    for (const section of [4, 5, 6]) open(section).take(0 as Slot, 90);
    expect(requests).to.have.length(0);
    await clock.settle();
    expect(requests).to.have.length(1);
    expect(requests[0]!.raises.map(({ section, epoch, to }) => [section, epoch, to])).to.deep.equal([
      [4, 1, 190n],
      [5, 1, 190n],
      [6, 1, 190n],
    ]);
  });

  it('keeps at most 10,000 raises in a request and sends the rest with the next', async () => {
    for (let section = 0; section < 10_001; section++) open(section).take(0 as Slot, 90);
    await clock.settle();
    expect(requests.map(({ raises }) => raises.length)).to.deep.equal([10_000, 1]);
  });

  it('keeps a bounded number of requests on their way', async () => {
    for (let section = 0; section < 10; section++) {
      open(section).take(0 as Slot, 90);
      await clock.settle();
    }
    expect(requests).to.have.length(4);
    requests[0]!.answer();
    await clock.settle();
    expect(requests).to.have.length(5);
    expect(requests[4]!.raises).to.have.length(6);
  });

  it('applies what was committed, each to its section', async () => {
    const [one, two] = [open(1), open(2)];
    one.take(0 as Slot, 90);
    two.take(0 as Slot, 100);
    await clock.settle();
    requests[0]!.answer();
    await clock.settle();
    expect([one.maxSeq, two.maxSeq]).to.deep.equal([190n, 200n]);
  });

  it('asks the identical raise again after an unknown outcome', async () => {
    const allocator = open(1);
    allocator.take(0 as Slot, 90);
    await clock.settle();
    requests[0]!.fail(new SeqError('TIMEOUT', 'no answer'));
    await clock.settle();
    allocator.take(0 as Slot, 10);
    expect(allocator.maxSeq, 'nothing is assumed').to.equal(100n);
    await clock.elapse(100);
    expect(requests.map(({ raises }) => raises[0]!.to)).to.deep.equal([190n, 190n]);
    expect(events.map(({ type }) => type)).to.deep.equal(['raiseFailed']);
    expect(errors).to.have.length(1);
  });

  it('asks again and again, at a bounded pace', async () => {
    open(1).take(0 as Slot, 90);
    await clock.settle();
    const error = new SeqError('UNAVAILABLE', 'no leader');
    for (let round = 0; round < 600; round++) {
      requests.at(-1)!.fail(error);
      await clock.elapse(100);
    }
    // A minute at one second or less, jittered: neither a storm nor a standstill.
    expect(requests.length).to.be.within(60, 250);
    expect(errors.length).to.be.greaterThan(60);
    expect(events.length, 'told once in five seconds').to.be.within(10, 13);
    await clock.elapse(1000);
    requests.at(-1)!.answer();
    await clock.settle();
    const { length } = events;
    open(2).take(0 as Slot, 90);
    await clock.settle();
    requests.at(-1)!.fail(error);
    await clock.settle();
    expect(events.length, 'a new series').to.equal(length + 1);
  });

  it('does not repeat a raise for an epoch that was sealed or lost meanwhile', async () => {
    const [one, two] = [open(1), open(2)];
    one.take(0 as Slot, 90);
    two.take(0 as Slot, 90);
    await clock.settle();
    requests[0]!.fail(new SeqError('TIMEOUT', 'no answer'));
    await clock.settle();
    one.seal();
    two.lose();
    await clock.elapse(5000);
    expect(requests).to.have.length(1);
  });

  it('asks who we are when the store says that a section is not ours, and asks for the raise again later', async () => {
    open(1).take(0 as Slot, 90);
    await clock.settle();
    requests[0]!.answer([{ type: 'refused', error: new SeqError('NOT_OWNER', 'not yours') }]);
    await clock.elapse(499);
    expect(notOwnerCount).to.equal(1);
    expect(requests).to.have.length(1);
    await clock.elapse(1);
    expect(requests).to.have.length(2);
  });

  it('measures the rate of an allocator each second while it hands out numbers', async () => {
    const allocator = open(1);
    allocator.learnMaxSeq(1_000_000n as Seq);
    for (let second = 0; second < 10; second++) {
      allocator.take(0 as Slot, 1_000);
      await clock.elapse(1000);
    }
    await clock.elapse(10_000);
    allocator.take(0 as Slot, 989_000);
    await clock.settle();
    expect(Number(requests[0]!.raises[0]!.to), 'far more than raiseBy').to.be.greaterThan(1_004_000);
  });

  it('knows the sections that are called, and how often', async () => {
    const [one, two] = [open(1), open(2)];
    one.learnMaxSeq(1_000_000n as Seq);
    two.learnMaxSeq(1_000_000n as Seq);
    for (let second = 0; second < 60; second++) {
      for (let call = 0; call < 50; call++) one.take(0 as Slot, 1);
      two.take(0 as Slot, 50);
      await clock.elapse(1000);
    }
    expect(raiser.loads).to.deep.equal([
      { section: 1, callsPerSecond: 50 },
      { section: 2, callsPerSecond: 1 },
    ]);
    await clock.elapse(1000);
    expect(raiser.loads, 'nobody calls').to.deep.equal([]);
  });

  it('sends nothing after stop, and leaves no timer behind', async () => {
    open(1).take(0 as Slot, 90);
    raiser.stop();
    open(2).take(0 as Slot, 90);
    await clock.elapse(5000);
    expect(requests).to.have.length(0);
    expect(clock.timerCount).to.equal(0);
  });
});
