import { expect } from 'chai';
import { WatchKeeper } from '../../../src/alloc/watch-keeper.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Assignment, WatchHandlers } from '../../../src/store/client.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

describe('WatchKeeper', () => {
  let clock: VirtualClock;
  let streams: WatchHandlers[];
  let cancelledCount: number;
  let adopted: Assignment[];
  let adopt: (assignment: Assignment) => void;
  let errors: SeqError[];
  let told: number[];
  let keeper: WatchKeeper;

  beforeEach(() => {
    clock = new VirtualClock();
    streams = [];
    cancelledCount = 0;
    adopted = [];
    errors = [];
    told = [];
    adopt = (assignment) => adopted.push(assignment);
    keeper = new WatchKeeper({
      clock,
      random: new SeededRandom(1),
      observe: (event) => {
        if (event.type === 'watchEnded') told.push(event.leftOutCount);
      },
      open: (handlers) => {
        streams.push(handlers);
        return () => {
          cancelledCount += 1;
        };
      },
      adopt: (assignment) => adopt(assignment),
      onError: (error) => errors.push(error),
    });
    keeper.start();
  });

  it('hands each pushed table on', () => {
    streams[0]!.onAssignment({} as Assignment);
    expect(adopted).to.have.length(1);
  });

  it('opens another stream when one ends, within a second', async () => {
    for (let round = 1; round <= 20; round++) {
      streams.at(-1)!.onEnd(new SeqError('UNAVAILABLE', 'gone'));
      expect(streams).to.have.length(round);
      await clock.elapse(1000);
      expect(streams).to.have.length(round + 1);
    }
    expect(errors).to.have.length(20);
  });

  it('tells one end in five seconds while streams end one after the other, until one brings a table', async () => {
    for (let round = 0; round < 28; round++) {
      streams.at(-1)!.onEnd(new SeqError('UNAVAILABLE', 'gone'));
      await clock.elapse(1000);
    }
    expect(told).to.deep.equal([0, 4, 4, 4, 4, 4]);
    expect(errors).to.have.length(28);
    streams.at(-1)!.onAssignment({} as Assignment);
    streams.at(-1)!.onEnd(new SeqError('UNAVAILABLE', 'gone'));
    expect(told).to.deep.equal([0, 4, 4, 4, 4, 4, 2]);
  });

  it('drops a stream whose table makes no sense', async () => {
    adopt = () => {
      throw new SeqError('PROTOCOL', 'nonsense');
    };
    streams[0]!.onAssignment({} as Assignment);
    expect(cancelledCount).to.equal(1);
    expect(errors.map(({ code }) => code)).to.deep.equal(['PROTOCOL']);
    await clock.elapse(1000);
    expect(streams).to.have.length(2);
  });

  it('does nothing more after stop', async () => {
    streams[0]!.onEnd(new SeqError('UNAVAILABLE', 'gone'));
    keeper.stop();
    streams[0]!.onEnd(new SeqError('UNAVAILABLE', 'gone'));
    streams[0]!.onAssignment({} as Assignment);
    expect([adopted.length, errors.length]).to.deep.equal([0, 1]);
    await clock.elapse(5000);
    expect(streams).to.have.length(1);
    expect(clock.timerCount).to.equal(0);
  });
});
