import { expect } from 'chai';
import { SelfFence, type Suspect } from '../../../src/alloc/self-fence.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId } from '../../../src/model/ids.js';
import type { OwnedSection } from '../../../src/store/client.js';
import { VirtualClock } from '../virtual-clock.js';

interface Asked {
  readonly sections: readonly OwnedSection[];
  answer(...owned: readonly boolean[]): void;
  fail(error: SeqError): void;
}

describe('SelfFence', () => {
  let clock: VirtualClock;
  let asked: Asked[];
  let errors: SeqError[];
  let disowned: number[];
  let fence: SelfFence<Suspect>;
  const served = (section: number) => ({ section: section as SectionId, epoch: 3 as Epoch, isOpen: true });

  beforeEach(() => {
    clock = new VirtualClock();
    asked = [];
    errors = [];
    disowned = [];
    fence = new SelfFence({
      clock,
      confirm: (sections) => new Promise((resolve, reject) => asked.push({ sections, answer: (...owned) => resolve(owned), fail: reject })),
      onError: (error) => errors.push(error),
      onDisowned: ({ section }) => disowned.push(section),
    });
  });

  it('asks the store at once, and ends nothing when the section is ours: a lying client takes nothing down', async () => {
    fence.suspect(served(7));
    expect(asked.map(({ sections }) => sections.map(({ section, epoch }) => [section, epoch]))).to.deep.equal([[[7, 3]]]);
    asked[0]!.answer(true);
    await clock.settle();
    expect(disowned).to.deep.equal([]);
  });

  it('ends this incarnation when the store says that the section is not ours', async () => {
    fence.suspect(served(7));
    asked[0]!.answer(false);
    await clock.settle();
    expect(disowned).to.deep.equal([7]);
  });

  it('does nothing when there is no answer, and asks again when it is claimed again', async () => {
    const section = served(7);
    fence.suspect(section);
    asked[0]!.fail(new SeqError('TIMEOUT', 'no answer'));
    await clock.elapse(1_000);
    expect([disowned, errors.length, asked.length]).to.deep.equal([[], 1, 1]);
    fence.suspect(section);
    expect(asked).to.have.length(2);
  });

  it('asks once a second at most, for all sections together, and forgets none', async () => {
    const sections = [served(1), served(2), served(3)];
    for (let tenth = 0; tenth < 50; tenth++) {
      for (const section of sections) fence.suspect(section);
      asked.at(-1)!.answer(true, true, true);
      await clock.elapse(100);
    }
    expect(asked.length).to.be.within(5, 6);
    expect(asked[0]!.sections).to.have.length(1);
    expect(asked[1]!.sections.map(({ section }) => section)).to.have.members([1, 2, 3]);
  });

  it('ends nothing for a section that was sealed or lost while the answer was on its way', async () => {
    const section = served(7);
    fence.suspect(section);
    section.isOpen = false;
    asked[0]!.answer(false);
    await clock.settle();
    expect(disowned).to.deep.equal([]);
  });

  it('asks nothing after stop, and leaves no timer behind', async () => {
    fence.suspect(served(7));
    fence.suspect(served(8));
    fence.stop();
    fence.suspect(served(9));
    asked[0]!.answer(false);
    await clock.elapse(5_000);
    expect([asked.length, clock.timerCount]).to.deep.equal([1, 0]);
    expect(disowned).to.deep.equal([]);
  });
});
