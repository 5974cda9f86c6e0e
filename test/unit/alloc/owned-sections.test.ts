import { expect } from 'chai';
import { SectionCounters } from '../../../src/alloc/counters.js';
import { OwnedSections } from '../../../src/alloc/owned-sections.js';
import { SectionAllocator } from '../../../src/alloc/section-allocator.js';
import type { AllocId, Epoch, SectionId, Seq, Slot } from '../../../src/model/ids.js';
import type { WindowRun } from '../../../src/model/window.js';
import { VirtualClock } from '../virtual-clock.js';

function run(
  firstSection: number,
  sectionCount: number,
  epoch: number,
  options: { base?: bigint; maxSeq?: bigint; leaving?: boolean } & Pick<WindowRun, 'next' | 'handoff'> = {},
): WindowRun {
  const { base = 0n, maxSeq = base + 100n, leaving = false, ...more } = options;
  return { firstSection: firstSection as SectionId, sectionCount, epoch: epoch as Epoch, base: base as Seq, maxSeq: maxSeq as Seq, leaving, ...more };
}

describe('OwnedSections', () => {
  let sections: OwnedSections;
  const get = (section: number) => sections.get(section as SectionId);

  beforeEach(() => {
    const clock = new VirtualClock();
    sections = new OwnedSections({
      open: ({ epoch, base, maxSeq }, section, installed) =>
        new SectionAllocator({
          section,
          epoch,
          base,
          maxSeq,
          installed,
          uidCount: 10,
          raiseBy: 100n,
          clock,
          raiser: { due: () => {}, active: () => {} },
        }),
    });
  });

  it('has each section of each run', () => {
    sections.adopt([run(0, 2, 1), run(3, 1, 2), run(5, 1, 4), run(7, 100, 1)]);
    expect(sections.count).to.equal(104);
    expect(get(1)?.epoch).to.equal(1);
    expect(get(5)?.epoch).to.equal(4);
    expect([3, 7, 106].map((section) => get(section)?.section)).to.deep.equal([3, 7, 106]);
    expect([2, 4, 6, 107].map(get)).to.deep.equal([undefined, undefined, undefined, undefined]);
  });

  it('makes an allocator when it is first asked for, by the newest window', () => {
    sections.adopt([run(0, 1_000, 1)]);
    expect([...sections.values()]).to.deep.equal([]);
    sections.adopt([run(0, 1_000, 1, { maxSeq: 900n })]);
    expect(get(5)?.maxSeq).to.equal(900n);
    expect([...sections.values()]).to.have.length(1);
  });

  it('has no page for a section of untouched uids, whatever is done but taking numbers', () => {
    sections.adopt([run(0, 500, 1, { base: 77n })]);
    for (const allocator of sections.openOnes()) {
      expect(allocator.current(3 as Slot)).to.deep.equal({ seq: 77n, exact: false });
      expect([allocator.takeAtOnce(3 as Slot, 1, -1), allocator.currentAtOnce(3 as Slot, -1)]).to.deep.equal([-1, -1]);
      allocator.raised((allocator.maxSeq + 100n) as Seq);
      allocator.sample();
      expect([allocator.seal({ handsOver: true }), allocator.digest, allocator.residentUidCount]).to.deep.equal([77n, undefined, 0]);
    }
  });

  it('finds at once what was asked for before, and nothing else: no section never opened, lost or of somebody else', () => {
    sections.adopt([run(2, 3, 1)]);
    const at = (section: number) => sections.at(section as SectionId);
    expect([0, 2, 3, 4, 5, 1_000_000].map(at)).to.deep.equal(Array.from({ length: 6 }, () => undefined));
    const [third, second] = [get(3), get(2)];
    expect([at(2), at(3), at(4)]).to.deep.equal([second, third, undefined]);
    sections.adopt([run(2, 1, 1), run(3, 1, 2)]);
    expect([at(2), at(3)]).to.deep.equal([second, undefined]);
    expect(get(3)).to.not.equal(third);
    expect(at(3)?.epoch).to.equal(2);
    sections.adopt([]);
    expect([at(2), at(3)]).to.deep.equal([undefined, undefined]);
  });

  it('refuses a table in which an open section goes back to an epoch before, and changes nothing', () => {
    sections.adopt([run(0, 3, 5)]);
    const open = get(1);
    expect(() => sections.check([run(0, 3, 4)])).to.throw('at epoch 4, and it is open at epoch 5');
    expect([get(1), sections.count]).to.deep.equal([open, 3]);
    sections.check([run(0, 3, 6)]);
  });

  it('gives all open sections, asked for or not', () => {
    sections.adopt([run(0, 3, 1)]);
    get(1)!.seal();
    expect(sections.openOnes().map(({ section }) => section)).to.deep.equal([0, 2]);
  });

  it('keeps the same object, with its counters, as long as the epoch is the same', () => {
    sections.adopt([run(0, 1, 1)]);
    const before = get(0)!;
    before.take(0 as Slot, 9);
    sections.adopt([run(0, 2, 1, { maxSeq: 300n })]);
    expect(get(0)).to.equal(before);
    expect(before.maxSeq).to.equal(300n);
    expect(before.trueMax).to.equal(9n);
  });

  it('destroys what the table no longer names', () => {
    sections.adopt([run(0, 2, 1)]);
    const gone = get(1)!;
    expect(sections.adopt([run(0, 1, 1)]).lostCount).to.equal(1);
    expect(get(1)).to.equal(undefined);
    expect(gone.isOpen).to.equal(false);
  });

  it('does not resurrect old memory when a section comes back at a later epoch (A -> B -> A)', () => {
    sections.adopt([run(0, 1, 1)]);
    const old = get(0)!;
    old.take(0 as Slot, 50);
    sections.adopt([run(0, 1, 3, { base: 400n })]);
    const fresh = get(0)!;
    expect(fresh).to.not.equal(old);
    expect(old.isOpen).to.equal(false);
    expect(fresh.take(0 as Slot, 1)).to.equal(401n);
  });

  it('opens an epoch at most once: what was lost is not made again from base', () => {
    sections.adopt([run(0, 1, 2)]);
    get(0);
    sections.adopt([]);
    const { refused } = sections.adopt([run(0, 1, 2)]);
    expect(refused).to.deep.equal({ section: 0, epoch: 2 });
    expect(get(0)).to.equal(undefined);
  });

  it('keeps a sealed section sealed while the table still names it', () => {
    sections.adopt([run(0, 1, 2)]);
    get(0)!.seal();
    sections.adopt([run(0, 1, 2, { maxSeq: 500n })]);
    expect(get(0)!.isOpen).to.equal(false);
    expect(get(0)!.maxSeq).to.equal(100n);
  });

  it('knows where a planned move takes a section', () => {
    sections.adopt([run(0, 2, 1, { leaving: true, next: 'b' as AllocId }), run(2, 1, 1)]);
    const leaving = (section: number, to: string) => sections.isLeavingTo(section as SectionId, to as AllocId);
    expect([leaving(0, 'b'), leaving(1, 'b'), leaving(0, 'c'), leaving(2, 'b'), leaving(9, 'b')]).to.deep.equal([true, true, false, false, false]);
  });

  describe('whose counters are on their way', () => {
    const handoff = { epoch: 1 as Epoch, digest: 'ab'.repeat(32), from: 'b' as AllocId };
    const installed = new SectionCounters({ uidCount: 10, base: 5n as Seq, maxSeq: 5n as Seq });

    it('are opened by nobody until they are installed, and then once', () => {
      sections.adopt([run(0, 1, 2, { base: 50n, handoff })]);
      expect(get(0)).to.equal(undefined);
      expect(sections.awaitedOnes()).to.deep.equal([0]);
      expect(sections.install(0 as SectionId, 2 as Epoch, installed)).to.equal(true);
      expect(get(0)?.current(0 as Slot)).to.deep.equal({ seq: 5n, exact: false });
      expect(sections.install(0 as SectionId, 2 as Epoch, installed), 'once').to.equal(false);
      expect(sections.awaitedOnes()).to.deep.equal([]);
    });

    it('begin at base for good when nothing came', () => {
      sections.adopt([run(0, 1, 2, { base: 50n, handoff })]);
      sections.install(0 as SectionId, 2 as Epoch, undefined);
      expect(get(0)?.take(0 as Slot, 1)).to.equal(51n);
      expect(sections.install(0 as SectionId, 2 as Epoch, installed)).to.equal(false);
      expect(get(0)?.take(0 as Slot, 1)).to.equal(52n);
    });

    it('are not installed into another epoch, whatever the table says: only the opener of the very next may', () => {
      sections.adopt([run(0, 1, 3, { base: 50n, handoff })]);
      expect(sections.awaitedOnes()).to.deep.equal([]);
      expect(sections.install(0 as SectionId, 3 as Epoch, installed)).to.equal(false);
      expect(get(0)?.take(0 as Slot, 1)).to.equal(51n);
    });

    it('come too late for an epoch that is over', () => {
      sections.adopt([run(0, 1, 2, { base: 50n, handoff })]);
      sections.adopt([]);
      expect(sections.install(0 as SectionId, 2 as Epoch, installed)).to.equal(false);
      expect(get(0)).to.equal(undefined);
    });

    it('come too late when a later epoch awaits others', () => {
      sections.adopt([run(0, 1, 2, { base: 50n, handoff })]);
      sections.adopt([run(0, 1, 4, { base: 90n, handoff: { ...handoff, epoch: 3 as Epoch } })]);
      expect(sections.install(0 as SectionId, 2 as Epoch, installed)).to.equal(false);
      expect(sections.awaitedOnes()).to.deep.equal([0]);
    });
  });

  it('treats an epoch that goes back as a broken invariant', () => {
    sections.adopt([run(0, 1, 5)]);
    get(0);
    expect(() => sections.adopt([run(0, 1, 4)])).to.throw('Within a generation, `epoch` and `routingVersion` never go back');
  });
});
