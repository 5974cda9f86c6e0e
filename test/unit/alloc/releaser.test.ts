import { expect } from 'chai';
import { Releaser, toRuns } from '../../../src/alloc/releaser.js';
import { SectionAllocator } from '../../../src/alloc/section-allocator.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId, Seq, Slot } from '../../../src/model/ids.js';
import type { Assignment, ReleasedRun, ReleaseOutcome } from '../../../src/store/client.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

describe('Releaser', () => {
  let clock: VirtualClock;
  let asked: (readonly ReleasedRun[])[];
  let answers: (ReleaseOutcome | SeqError)[];
  let log: string[];
  let releaser: Releaser;

  const sealed = (section: number, handedOut = 0, epoch = 1): SectionAllocator => {
    const allocator = new SectionAllocator({
      section: section as SectionId,
      epoch: epoch as Epoch,
      uidCount: 10,
      base: 40n as Seq,
      maxSeq: 100n as Seq,
      raiseBy: 100n,
      clock,
      raiser: { due: () => {}, active: () => {} },
    });
    if (handedOut > 0) allocator.take(0 as Slot, handedOut);
    allocator.seal();
    return allocator;
  };

  beforeEach(() => {
    clock = new VirtualClock();
    asked = [];
    answers = [];
    log = [];
    releaser = new Releaser({
      clock,
      random: new SeededRandom(1),
      observe: ({ type }) => log.push(type),
      release: (releases) => {
        asked.push(releases);
        const answer = answers.shift() ?? { releasedCount: releases.length, refusedCount: 0 };
        return answer instanceof SeqError ? Promise.reject(answer) : Promise.resolve(answer);
      },
      load: () => Promise.resolve({} as Assignment),
      onReleased: () => log.push('released'),
      onRefused: (_assignment, allocators) => log.push(`refused ${allocators.map(({ section }) => section).join()}`),
      onError: () => log.push('error'),
    });
  });

  it('joins neighbouring sections of one epoch and one true maximum', () => {
    const runs = toRuns([sealed(9), sealed(3), sealed(4), sealed(5, 7), sealed(6, 7), sealed(7, 7, 2)]);
    expect(runs.map(({ firstSection, sectionCount, epoch, trueMax }) => [firstSection, sectionCount, epoch, trueMax])).to.deep.equal([
      [3, 2, 1, 40n],
      [5, 2, 1, 47n],
      [7, 1, 2, 47n],
      [9, 1, 1, 40n],
    ]);
  });

  it('releases the true maximum', async () => {
    releaser.release([sealed(1, 5)]);
    await releaser.idle();
    expect(asked[0]![0]!.trueMax).to.equal(45n);
    expect(log).to.deep.equal(['sectionsReleased', 'released']);
  });

  it('repeats identical values until it is answered', async () => {
    answers = [new SeqError('TIMEOUT', 'no answer'), new SeqError('UNAVAILABLE', 'no leader')];
    releaser.release([sealed(1, 5), sealed(2)]);
    await clock.elapse(2000);
    await releaser.idle();
    expect(asked).to.have.length(3);
    expect(asked[1]).to.deep.equal(asked[0]);
    expect(asked[2]).to.deep.equal(asked[0]);
  });

  it('tells one failure in five seconds until a release is answered', async () => {
    answers = Array.from({ length: 100 }, () => new SeqError('UNAVAILABLE', 'no leader'));
    const failures = (): string[] => log.filter((line) => line === 'releaseFailed');
    releaser.release([sealed(1)]);
    await clock.elapse(4900);
    expect(100 - answers.length, 'asked').to.be.greaterThan(10);
    expect(failures()).to.have.length(1);
    await clock.elapse(700);
    expect(failures()).to.have.length(2);
    answers = [];
    await clock.elapse(600);
    await releaser.idle();
    answers = [new SeqError('UNAVAILABLE', 'no leader')];
    releaser.release([sealed(2)]);
    await clock.elapse(600);
    await releaser.idle();
    expect(failures()).to.have.length(3);
  });

  it('asks no more once the table has taken the sections from us', async () => {
    answers = Array.from({ length: 100 }, () => new SeqError('TIMEOUT', 'no answer'));
    const taken = sealed(1);
    releaser.release([taken]);
    await clock.elapse(300);
    const before = asked.length;
    taken.lose();
    await clock.elapse(2000);
    await releaser.idle();
    expect(before).to.be.greaterThan(0);
    expect(asked.length).to.equal(before);
    answers = [];
    releaser.release([sealed(2)]);
    await releaser.idle();
    expect(asked.at(-1)?.[0]?.firstSection).to.equal(2);
  });

  it('reads the table when some were refused: a repeat of a release that got through looks the same', async () => {
    answers = [{ releasedCount: 0, refusedCount: 2 }];
    releaser.release([sealed(1), sealed(2)]);
    await releaser.idle();
    expect(log).to.deep.equal(['sectionsReleased', 'refused 1,2']);
  });

  it('releases what comes in meanwhile after what it is at', async () => {
    releaser.release([sealed(1)]);
    releaser.release([sealed(2)]);
    await releaser.idle();
    releaser.release([]);
    releaser.release([sealed(3)]);
    await releaser.idle();
    expect(asked.map((runs) => runs.map(({ firstSection }) => firstSection))).to.deep.equal([[1], [2], [3]]);
  });

  it('stops when told to', async () => {
    answers = Array.from({ length: 100 }, () => new SeqError('UNAVAILABLE', 'no leader'));
    releaser.release([sealed(1)]);
    await clock.elapse(100);
    releaser.stop();
    const { length } = asked;
    await releaser.idle();
    await clock.elapse(5000);
    expect(asked).to.have.length(length);
    expect(clock.timerCount).to.equal(0);
  });
});
