import { expect } from 'chai';
import { NOTICE_EVERY_MS, Notices } from '../../../src/alloc/notices.js';
import { VirtualClock } from '../virtual-clock.js';

describe('Notices', () => {
  let clock: VirtualClock;
  let notices: Notices;
  /** The count of what was left out, for each notice that was told. */
  let told: number[];
  const happen = (times: number): void => {
    for (let time = 0; time < times; time++) notices.tell((leftOutCount) => told.push(leftOutCount));
  };

  beforeEach(() => {
    clock = new VirtualClock();
    notices = new Notices({ clock });
    told = [];
  });

  it('tells the first of a series at once', () => {
    happen(1);
    expect(told).to.deep.equal([0]);
  });

  it('leaves out what follows within five seconds, and counts it', () => {
    happen(1);
    clock.advance(NOTICE_EVERY_MS - 1);
    happen(10);
    expect(told).to.deep.equal([0]);
    clock.advance(1);
    happen(3);
    expect(told).to.deep.equal([0, 10]);
    clock.advance(5_000);
    happen(1);
    expect(told).to.deep.equal([0, 10, 2]);
  });

  it('tells the first of the next series at once, and what the last one left out with it', () => {
    happen(5);
    notices.seriesEnded();
    happen(2);
    expect(told).to.deep.equal([0, 4]);
  });

  it('tells or counts each one: none is lost', () => {
    const random = [1, 7, 2, 30, 4, 1, 1, 9];
    for (const [round, times] of random.entries()) {
      happen(times);
      clock.advance(1_900);
      if (round === 4) notices.seriesEnded();
    }
    clock.advance(5_000);
    happen(1);
    const sum = told.reduce((before, leftOutCount) => before + leftOutCount + 1, 0);
    expect(sum).to.equal(random.reduce((before, times) => before + times, 1));
  });
});
