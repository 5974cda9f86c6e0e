import { expect } from 'chai';
import { SectionCounters, SLOTS_PER_PAGE } from '../../../src/alloc/counters.js';
import { SEQ_MAX, type Seq, type Slot } from '../../../src/model/ids.js';

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
});
