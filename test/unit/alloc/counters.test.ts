import { expect } from 'chai';
import { SectionCounters, SLOTS_PER_PAGE } from '../../../src/alloc/counters.js';
import { SEQ_MAX, type Seq, type Slot } from '../../../src/model/ids.js';
import { SeededRandom } from '../seeded-random.js';

const seq = (value: bigint): Seq => value as Seq;
const slot = (value: number): Slot => value as Slot;
const counters = (base: bigint, maxSeq: bigint, uidCount = 3000) => new SectionCounters({ uidCount, base: seq(base), maxSeq: seq(maxSeq) });

describe('SectionCounters', () => {
  it('starts every untouched uid at base and hands out the numbers above it', () => {
    const section = counters(500n, 600n);
    expect(section.next(slot(0), 1)).to.equal(501n);
    expect(section.next(slot(2999), 1)).to.equal(501n);
    expect(section.next(slot(0), 1)).to.equal(502n);
  });

  it('takes neighbouring numbers for a count above 1', () => {
    const section = counters(0n, 100n);
    expect(section.next(slot(7), 10)).to.equal(1n);
    expect(section.next(slot(7), 1)).to.equal(11n);
  });

  it('hands out maxSeq itself and nothing above it', () => {
    const section = counters(0n, 2n);
    expect(section.next(slot(0), 2)).to.equal(1n);
    expect(section.next(slot(0), 1)).to.equal(undefined);
    expect(section.current(slot(0)).seq).to.equal(2n);
  });

  it('takes nothing of a range that does not fit', () => {
    const section = counters(0n, 10n);
    expect(section.next(slot(0), 11)).to.equal(undefined);
    expect(section.next(slot(0), 1)).to.equal(1n);
  });

  it('goes on where it stood after a raise, and never lowers its ceiling', () => {
    const section = counters(0n, 1n);
    section.next(slot(0), 1);
    section.raiseTo(seq(3n));
    section.raiseTo(seq(2n));
    expect(section.maxSeq).to.equal(3n);
    expect(section.next(slot(0), 1)).to.equal(2n);
    expect(section.next(slot(0), 1)).to.equal(3n);
    expect(section.next(slot(0), 1)).to.equal(undefined);
  });

  it('says exact: false of a uid that was not touched since base, and exact: true once it was', () => {
    const section = counters(500n, 600n);
    expect(section.current(slot(3))).to.deep.equal({ seq: 500n, exact: false });
    section.next(slot(4), 1);
    expect(section.current(slot(3)), 'a neighbour on the same page').to.deep.equal({ seq: 500n, exact: false });
    section.next(slot(3), 1);
    expect(section.current(slot(3))).to.deep.equal({ seq: 501n, exact: true });
  });

  it('knows exactly that nothing was ever handed out when base is 0', () => {
    expect(counters(0n, 10n).current(slot(3))).to.deep.equal({ seq: 0n, exact: true });
  });

  it('gives memory to touched pages only', () => {
    const section = counters(0n, 10n);
    expect(section.residentUidCount).to.equal(0);
    section.current(slot(1));
    expect(section.residentUidCount).to.equal(0);
    section.next(slot(1), 1);
    section.next(slot(2), 1);
    expect(section.residentUidCount).to.equal(SLOTS_PER_PAGE);
    section.next(slot(SLOTS_PER_PAGE), 1);
    expect(section.residentUidCount).to.equal(2 * SLOTS_PER_PAGE);
  });

  it('takes no memory for a number that was not taken', () => {
    const section = counters(0n, 0n);
    section.next(slot(1), 1);
    expect(section.residentUidCount).to.equal(0);
  });

  it('knows the highest number handed out for any uid', () => {
    const section = counters(5n, 100n);
    expect(section.trueMax).to.equal(5n);
    section.next(slot(0), 20);
    section.next(slot(1), 3);
    expect(section.trueMax).to.equal(25n);
  });

  it('hands out 2^63-1 and then says OUT_OF_RANGE, never a wrap', () => {
    const section = counters(SEQ_MAX - 2n, SEQ_MAX);
    expect(() => section.next(slot(0), 3))
      .to.throw()
      .with.property('code', 'OUT_OF_RANGE');
    expect(section.next(slot(0), 2)).to.equal(SEQ_MAX - 1n);
    expect(() => section.next(slot(0), 1))
      .to.throw(/2\^63-1/)
      .with.property('definite', true);
    expect(section.current(slot(0)).seq).to.equal(SEQ_MAX);
  });

  it('refuses a slot outside the section, as a bug', () => {
    expect(() => counters(0n, 10n, 100).next(slot(100), 1)).to.throw('the slot lies within its section');
  });

  it('refuses a base above maxSeq, as a bug', () => {
    expect(() => counters(11n, 10n)).to.throw('base <= maxSeq');
  });

  it('opens a section of 100,000 untouched uids without allocating for them', () => {
    const opened = Array.from({ length: 1000 }, () => counters(7n, 8n, 100_000));
    expect(opened.every((section) => section.residentUidCount === 0)).to.equal(true);
  });

  describe('at once', () => {
    it('takes what next() takes, up to its limit, with the same digest and the same end', () => {
      for (const base of [0n, 7n, 2n ** 32n - 50n, 2n ** 53n - 10n, SEQ_MAX - 400n]) {
        const [fast, slow] = [counters(base, base + 300n), counters(base, base + 300n)];
        const limit = fast.limitUpTo(base + 250n);
        const random = new SeededRandom(1);
        let takenCount = 0;
        for (let call = 0; call < 2_000; call++) {
          const [at, count, floor] = [slot(random.below(4) * 900), 1 + random.below(3), random.below(40) - 30];
          const current = Number(slow.current(at).seq - base);
          const last = fast.takeAtOnce(at, count, floor, limit);
          if (last >= 0) {
            takenCount += 1;
            expect([current >= floor, last]).to.deep.equal([true, current + count]);
            expect(slow.next(at, count)).to.equal(base + BigInt(last - count + 1));
          } else if (current + count <= 200 || current + count > limit) {
            // Untouched, too far, or below its floor: whatever it is, next() says.
            if (current >= floor && current > 0) expect(current + count).to.be.above(limit);
            expect(fast.next(at, count)).to.equal(slow.next(at, count));
          }
          expect([fast.trueMax, fast.digest()]).to.deep.equal([slow.trueMax, slow.digest()]);
          const distance = fast.currentAtOnce(at, 0);
          const { seq: told, exact } = slow.current(at);
          expect(distance >= 0 ? [base + BigInt(distance), true] : [told, exact && told > base]).to.deep.equal([told, distance >= 0]);
        }
        expect(takenCount).to.be.above(100);
      }
    });

    it('takes nothing where nothing is open, below a floor, or above its limit', () => {
      const section = counters(10n, 100n);
      const limit = section.limitUpTo(100n);
      expect([limit, section.limitUpTo(9n)]).to.deep.equal([90, -1]);
      expect(section.takeAtOnce(slot(0), 1, -1, limit), 'untouched').to.be.below(0);
      section.next(slot(0), 5);
      expect(section.takeAtOnce(slot(0), 1, -1, -1), 'closed').to.be.below(0);
      expect(section.takeAtOnce(slot(0), 1, 6, limit), 'a floor above it').to.be.below(0);
      expect(section.takeAtOnce(slot(0), 86, -1, limit), 'past the limit').to.be.below(0);
      expect(section.takeAtOnce(slot(0), 85, 5, limit), 'up to it').to.equal(90);
      expect(section.trueMax).to.equal(100n);
      expect([section.currentAtOnce(slot(0), 90), section.currentAtOnce(slot(0), 91), section.currentAtOnce(slot(1), -1)]).to.deep.equal([
        90, -1, -1,
      ]);
    });

    it('takes nothing of a counter that has outgrown 4 bytes', () => {
      const section = counters(0n, 2n ** 40n);
      expect(section.limitUpTo(2n ** 40n)).to.equal(2 ** 32 - 1);
      section.next(slot(0), 1);
      expect(section.takeAtOnce(slot(0), 2 ** 32 - 2, -1, section.limitUpTo(2n ** 40n))).to.equal(2 ** 32 - 1);
      expect(section.takeAtOnce(slot(0), 1, -1, section.limitUpTo(2n ** 40n))).to.be.below(0);
      expect(section.next(slot(0), 1)).to.equal(2n ** 32n);
      expect(section.takeAtOnce(slot(1), 1, -1, section.limitUpTo(2n ** 40n)), 'its whole page has').to.be.below(0);
      expect(section.current(slot(0)).seq).to.equal(2n ** 32n);
    });
  });

  describe('handed over', () => {
    const installed = (from: SectionCounters): SectionCounters =>
      new SectionCounters({ uidCount: from.uidCount, base: from.trueMax, maxSeq: (from.trueMax + 1000n) as Seq, installed: from });
    /** Counters as a life of their own makes them: small and huge distances, dense and sparse pages. */
    const random = (dice: SeededRandom): SectionCounters => {
      const uidCount = dice.pick([1, 7, 1023, 1024, 1025, 3000]);
      const base = dice.pick([0n, 1n, 500n, 2n ** 40n, 2n ** 62n]);
      const section = counters(base, SEQ_MAX, uidCount);
      for (let step = dice.below(60); step > 0; step--) {
        section.next(slot(dice.below(uidCount)), dice.pick([1, 1, 2, 127, 128, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52]));
      }
      return section;
    };

    const all = (section: SectionCounters): string =>
      Array.from({ length: section.uidCount }, (_, uid) => section.current(slot(uid)))
        .map(({ seq: value, exact }) => `${value} ${exact}`)
        .join();

    it('is the same: every counter, every exact flag, the digest, for any history', () => {
      const dice = new SeededRandom(1);
      for (let round = 0; round < 80; round++) {
        const from = random(dice);
        const to = installed(from);
        expect(all(to)).to.equal(all(from));
        expect(to.digest()).to.equal(from.digest());
        expect(installed(installed(from)).digest(), 'twice over').to.equal(from.digest());
      }
    });

    it('goes on where it stood, and a page that is written to changes the digest and what is copied', () => {
      const from = counters(500n, 900n);
      from.next(slot(7), 20);
      const to = installed(from);
      expect(to.trueMax).to.equal(520n);
      expect(to.next(slot(7), 1)).to.equal(521n);
      expect(to.next(slot(8), 1), 'untouched: from the default of the former epoch, below base').to.equal(501n);
      expect(to.trueMax).to.equal(521n);
      expect(to.digest()).to.not.equal(from.digest());
    });

    it('changes its digest with any single counter, flag, default, page or size', () => {
      const dice = new SeededRandom(2);
      for (let round = 0; round < 150; round++) {
        const from = random(dice);
        const before = from.digest();
        const changed = installed(from);
        changed.next(slot(dice.below(from.uidCount)), 1);
        expect(changed.digest()).to.not.equal(before);
      }
      const digestOf = (base: bigint, uidCount: number, ...slots: number[]): string | undefined => {
        const section = counters(base, base + 100n, uidCount);
        for (const uid of slots) section.next(slot(uid), 1);
        return section.digest();
      };
      const digests = [
        digestOf(5n, 3000, 1),
        digestOf(6n, 3000, 1),
        digestOf(5n, 2999, 1),
        digestOf(5n, 3000, 2),
        digestOf(5n, 3000, 1025),
        digestOf(5n, 3000, 1, 1025),
      ];
      expect(new Set(digests).size).to.equal(digests.length);
    });

    it('has no digest while no page was touched: trueMax says it all', () => {
      expect(counters(5n, 100n).digest()).to.equal(undefined);
    });

    it('knows a page by its hash until it is written to', () => {
      const section = counters(0n, 100n);
      section.next(slot(0), 1);
      section.next(slot(1024), 1);
      const hashes = [0, 1].map((page) => section.copyPage(page).hash);
      section.next(slot(1025), 1);
      expect(section.hashOf(0), 'not computed again').to.equal(hashes[0]);
      expect(section.hashOf(1)).to.not.deep.equal(hashes[1]);
      expect([...section.touchedPages()]).to.deep.equal([0, 1]);
    });

    it('refuses a default above base, as a bug', () => {
      expect(() => new SectionCounters({ uidCount: 1, base: seq(5n), maxSeq: seq(6n), installed: counters(6n, 7n) })).to.throw('at or below base');
    });
  });
});
