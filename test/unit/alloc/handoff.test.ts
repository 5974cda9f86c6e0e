import { expect } from 'chai';
import { digestOf, hashPage } from '../../../src/alloc/counter-digest.js';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { INSTALL_LIMIT_MS } from '../../../src/alloc/handoff-intake.js';
import type { Chunk } from '../../../src/alloc/handoff-source.js';
import { SeqError } from '../../../src/base/errors.js';
import type { Epoch, SectionId, Seq } from '../../../src/model/ids.js';
import { NO_SETS } from '../../../src/model/sets.js';
import { HandoffStage, type TestAlloc } from './handoff-stage.js';

const UNKNOWN = new SeqError('TIMEOUT', 'no answer');

describe('the hand-off', () => {
  let stage: HandoffStage;
  let a: TestAlloc;
  let b: TestAlloc;

  const typesOf = (alloc: TestAlloc): AllocEvent['type'][] => alloc.events.map(({ type }) => type);
  const give = (alloc: TestAlloc, ...sections: number[]) => expect(stage.assign(stage.caller(alloc), ...sections).type).to.equal('decided');
  const plan = (alloc: TestAlloc, ...sections: number[]) => expect(stage.planMove(stage.caller(alloc), ...sections).type).to.equal('decided');
  const takes = (section: number, slot: number, count: number, alloc = a): void =>
    void expect(stage.next(alloc, section, { slot, count }), `section ${section}, slot ${slot}`).to.be.a('bigint');
  const readsOf = (alloc: TestAlloc, section: number, ...slots: number[]) => slots.map((slot) => stage.current(alloc, section, slot));
  const settle = () => stage.clock.settle();

  beforeEach(async () => {
    stage = new HandoffStage();
    a = await stage.start('a');
    b = await stage.start('b');
    give(a, 0, 1);
  });
  afterEach(() => {
    for (const alloc of stage.allocs.values()) alloc.node.stop();
  });

  describe('of a planned move', () => {
    it('moves every counter with its exact flag, jumps nobody, and takes one commit', async () => {
      takes(0, 5, 7);
      takes(0, 2999, 42);
      const before = stage.clock.nowMs();
      plan(b, 0);
      await settle();
      expect(stage.clock.nowMs(), 'no time passed').to.equal(before);
      expect(stage.section(0)).to.deep.include({ epoch: 2, base: 42n, maxSeq: 142n });
      expect(stage.section(0).owner?.allocId).to.equal('b');
      expect(readsOf(b, 0, 5, 2999, 17)).to.deep.equal([
        { seq: 7n, exact: true, epoch: 2 },
        { seq: 42n, exact: true, epoch: 2 },
        { seq: 0n, exact: true, epoch: 2 },
      ]);
      expect([stage.next(b, 0, { slot: 5 }), stage.next(b, 0, { slot: 17 })]).to.deep.equal([8n, 1n]);
      expect([stage.next(a, 0), stage.next(a, 1)]).to.deep.equal(['NOT_OWNER', 1n]);
      expect(stage.releases).to.have.length(1);
      expect(typesOf(b)).to.include('handoffInstalled').and.not.include('handoffFellBack');
    });

    it('moves what was handed over before once more, with the default of the first owner', async () => {
      const c = await stage.start('c');
      stage.crash(a);
      give(b, 0);
      takes(0, 5, 7, b);
      const { base } = stage.section(0);
      expect(readsOf(b, 0, 6)).to.deep.equal([{ seq: base, exact: false, epoch: 2 }]);
      // A successor that hears of the plan before the owner asks again a little later.
      plan(c, 0);
      await stage.clock.elapse(300);
      takes(0, 8, 3, c);
      plan(b, 0);
      await stage.clock.elapse(300);
      expect(stage.section(0).epoch).to.equal(4);
      expect(readsOf(b, 0, 5, 6, 8)).to.deep.equal([
        { seq: base + 7n, exact: true, epoch: 4 },
        { seq: base, exact: false, epoch: 4 },
        { seq: base + 3n, exact: true, epoch: 4 },
      ]);
    });

    it('hands over in one release what it copied in one stream, untouched sections without a digest', async () => {
      give(a, 2);
      takes(0, 0, 1);
      takes(1, 0, 2);
      plan(b, 0, 1, 2);
      await settle();
      expect(stage.releases.map((runs) => runs.map(({ firstSection, digest }) => [firstSection, digest === undefined]))).to.deep.equal([
        [
          [0, false],
          [1, false],
          [2, true],
        ],
      ]);
      expect([0, 1, 2].map((section) => stage.next(b, section))).to.deep.equal([2n, 3n, 1n]);
    });

    it('serves while it copies, and what is handed out meanwhile arrives too', async () => {
      for (let slot = 0; slot < 3000; slot += 500) takes(0, slot, 1);
      stage.faults.delayMs = 20;
      plan(b, 0);
      for (let step = 0; step < 3; step++) {
        await stage.clock.elapse(5);
        takes(0, 500, 1);
      }
      await stage.clock.elapse(500);
      expect(readsOf(b, 0, 500, 1000)).to.deep.equal([
        { seq: 4n, exact: true, epoch: 2 },
        { seq: 1n, exact: true, epoch: 2 },
      ]);
      expect(stage.pulls, 'in one stream').to.have.length(1);
    });

    it('lets the successor fetch afterwards what a broken stream did not bring', async () => {
      takes(0, 0, 9);
      stage.faults.isBrokenAtSeal = true;
      plan(b, 0);
      await settle();
      expect(stage.section(0).epoch).to.equal(2);
      const waiting = [stage.later(b, 0), Promise.resolve(stage.current(b, 0))];
      stage.faults.isBrokenAtSeal = false;
      await stage.clock.elapse(300);
      expect(await Promise.all(waiting)).to.deep.equal([10n, { seq: 10n, exact: true, epoch: 2 }]);
    });

    it('asks a stream that broke off for the rest only', async () => {
      takes(0, 0, 5);
      takes(0, 1024, 5);
      stage.faults.isBrokenAtSeal = true;
      plan(b, 0);
      await settle();
      stage.faults.isBrokenAtSeal = false;
      await stage.clock.elapse(300);
      expect(stage.pulls.map(({ wanted }) => wanted.map(({ has }) => has.size))).to.deep.equal([[0], [2]]);
      expect(readsOf(b, 0, 0, 1024)).to.deep.equal([
        { seq: 5n, exact: true, epoch: 2 },
        { seq: 5n, exact: true, epoch: 2 },
      ]);
    });

    it('lets calls wait at the owner while its release is on the way, and sends them to the new one then', async () => {
      takes(0, 0, 9);
      stage.failures.set('release', UNKNOWN);
      plan(b, 0);
      await settle();
      const waiting = [stage.later(a, 0), Promise.resolve(stage.current(a, 0))];
      await stage.clock.elapse(100);
      expect(stage.next(a, 1), 'others are served').to.equal(1n);
      stage.failures.clear();
      await stage.clock.elapse(500);
      expect(await Promise.all(waiting)).to.deep.equal(['NOT_OWNER', 'NOT_OWNER']);
      expect(stage.next(b, 0)).to.equal(10n);
    });

    it('waits for a table that the owner has not seen yet', async () => {
      takes(0, 0, 9);
      stage.isPushing = false;
      plan(b, 0);
      b.node.adopt(stage.assignmentOf(b));
      await stage.clock.elapse(50);
      expect([stage.pulls.length > 0, stage.next(a, 0)]).to.deep.equal([true, 10n]);
      stage.isPushing = true;
      stage.push();
      await stage.clock.elapse(300);
      expect(stage.next(b, 0)).to.equal(11n);
    });

    it('is not done for whoever is not the successor', async () => {
      takes(0, 0, 9);
      plan(b, 0);
      stage.faults.isDown = true;
      const seen: Chunk[] = [];
      await a.node.source.pull(
        { allocId: 'x' as never, sections: [0, 1].map((section) => ({ section: section as SectionId, epoch: 1 as Epoch, has: new Map() })) },
        { write: async (chunk) => void seen.push(chunk), isCancelled: () => false },
      );
      expect(seen).to.deep.equal([{ pages: [], sealed: [], refused: [0, 1] }]);
    });
  });

  describe('sealing', () => {
    it('never lets a sealed epoch serve or raise again, whatever becomes of the release', async () => {
      takes(0, 0, 42);
      stage.failures.set('release', UNKNOWN);
      plan(b, 0);
      await settle();
      expect(stage.next(a, 0)).to.equal('waits');
      const { maxSeq } = stage.section(0);
      for (let ms = 0; ms < 20_000; ms += 500) {
        await stage.clock.elapse(500);
        expect(stage.next(a, 0)).to.equal('waits');
      }
      expect(stage.section(0), 'no raise').to.deep.include({ epoch: 1, maxSeq });
      expect(await stage.later(a, 1)).to.equal(1n);
    });

    it('repeats identical values in every retry', async () => {
      takes(0, 0, 42);
      stage.failures.set('release', UNKNOWN);
      plan(b, 0);
      await stage.clock.elapse(3000);
      expect(stage.asked.length).to.be.greaterThan(3);
      expect(new Set(stage.asked.map((runs) => runs.map(({ trueMax, digest }) => `${trueMax} ${digest}`).join())).size).to.equal(1);
    });

    it('ends the process when the release is refused and the table still names this owner', async () => {
      takes(0, 0, 42);
      stage.isPushing = false;
      // Behind its back: a true maximum above max_seq is impossible.
      stage.state.setSection(0, { ...stage.section(0), maxSeq: 10n as never });
      plan(b, 0);
      stage.push();
      await settle();
      expect(a.fatal.map(({ message }) => message)).to.deep.equal(['the release of section 0 at epoch 1 was refused, yet it is ours']);
      expect(await stage.later(a, 1)).to.equal('UNAVAILABLE');
    });

    it('does not end it when a repeat is refused because the first one got through', async () => {
      takes(0, 0, 42);
      stage.isPushing = false;
      stage.lost.add('release');
      plan(b, 0);
      stage.push();
      await stage.clock.elapse(40);
      expect(stage.section(0).epoch).to.equal(2);
      stage.lost.clear();
      await stage.clock.elapse(1000);
      expect(a.fatal).to.deep.equal([]);
      expect(stage.next(b, 0)).to.equal(43n);
    });

    it('keeps the counters for a second after the successor was named, and no longer', async () => {
      const sealedAfter = async (section: number, waitMs: number): Promise<number> => {
        takes(section, 0, 42);
        plan(b, section);
        await stage.clock.elapse(waitMs);
        let count = 0;
        await a.node.source.pull(
          { allocId: b.id, sections: [{ section: section as SectionId, epoch: 1 as Epoch, has: new Map() }] },
          { write: async ({ sealed }) => void (count += sealed.length), isCancelled: () => false },
        );
        return count;
      };
      expect(await sealedAfter(0, 900)).to.equal(1);
      expect(await sealedAfter(1, 1100)).to.equal(0);
    });
  });

  describe('installing', () => {
    /** Section 0 is sealed and b's, and b cannot get at the counters. */
    const arrived = async (): Promise<void> => {
      takes(0, 0, 42);
      takes(0, 1, 7);
      stage.faults.isBrokenAtSeal = true;
      plan(b, 0);
      await settle();
      stage.faults.isDown = true;
      expect(stage.section(0)).to.deep.include({ epoch: 2, base: 42n });
    };
    const free = (): void => {
      Object.assign(stage.faults, { isDown: false, isBrokenAtSeal: false });
    };
    const openedAtBase = async (): Promise<void> => {
      expect(stage.current(b, 0, 1)).to.deep.equal({ seq: 42n, exact: false, epoch: 2 });
      expect(stage.next(b, 0, { slot: 1 })).to.equal(43n);
      expect(typesOf(b)).to.include('handoffFellBack').and.not.include('handoffInstalled');
    };

    it('comes before the first answer, of current too', async () => {
      await arrived();
      const reading = stage.current(b, 0, 1);
      expect(reading).to.be.instanceOf(Promise);
      free();
      await stage.clock.elapse(400);
      expect(await reading).to.deep.equal({ seq: 7n, exact: true, epoch: 2 });
    });

    it('gives up after its limit, for good: whatever comes later changes nothing', async () => {
      await arrived();
      await stage.clock.elapse(INSTALL_LIMIT_MS - 10);
      expect(stage.next(b, 0)).to.equal('waits');
      await stage.clock.elapse(20);
      expect(stage.current(b, 0, 1)).to.deep.equal({ seq: 42n, exact: false, epoch: 2 });
      free();
      stage.apply({ type: 'register', ...stage.caller(a), address: 'a:2', zone: '' });
      await stage.clock.elapse(5000);
      await openedAtBase();
    });

    it('gives up when who should have the counters has not', async () => {
      await arrived();
      stage.crash(a);
      free();
      a = await stage.start('a');
      await stage.clock.elapse(INSTALL_LIMIT_MS);
      await openedAtBase();
    });

    /** What a liar sends: slot 1 of section 0 at 14, with a digest that goes with it. */
    const lie = (chunk: Chunk): Chunk => {
      const bytes = Buffer.from([42, 14]);
      const digest = digestOf({ defaultSeq: 0n as Seq, uidCount: 3000, hashes: [[0, hashPage(bytes)]] });
      return { ...chunk, pages: chunk.pages.map((page) => ({ ...page, bytes })), sealed: chunk.sealed.map((seal) => ({ ...seal, digest })) };
    };
    const lies: Record<string, (chunk: Chunk) => Chunk> = {
      'counters that have another digest than the table': lie,
      'a page outside the section': (chunk) => ({ ...chunk, pages: chunk.pages.map((page) => ({ ...page, page: 3 })) }),
      'a page that is none': (chunk) => ({ ...chunk, pages: chunk.pages.map((page) => ({ ...page, bytes: Buffer.alloc(100) })) }),
      'a counter above the true maximum': (chunk) => ({ ...chunk, sealed: chunk.sealed.map((seal) => ({ ...seal, trueMax: 41n as Seq })) }),
      'a true maximum above the one that was committed': (chunk) => ({
        ...chunk,
        sealed: chunk.sealed.map((seal) => ({ ...seal, trueMax: 43n as Seq })),
      }),
      'another default': (chunk) => ({ ...chunk, sealed: chunk.sealed.map((seal) => ({ ...seal, defaultSeq: 1n as Seq })) }),
      'the end of another epoch': (chunk) => ({ ...chunk, sealed: chunk.sealed.map((seal) => ({ ...seal, epoch: 2 as Epoch })) }),
      'a page too few': (chunk) => ({ ...chunk, pages: [] }),
      'a section that nobody asked for': (chunk) => ({
        ...chunk,
        pages: chunk.pages.map((page) => ({ ...page, section: 1 as SectionId })),
        sealed: chunk.sealed.map((seal) => ({ ...seal, section: 1 as SectionId })),
      }),
    };
    for (const [what, tamper] of Object.entries(lies)) {
      it(`takes nothing from whoever sends ${what}`, async () => {
        takes(0, 0, 42);
        takes(0, 1, 7);
        stage.faults.tamper = tamper;
        plan(b, 0);
        for (let ms = 0; ms < 2 * INSTALL_LIMIT_MS; ms += 50) {
          await stage.clock.elapse(50);
          const found = stage.current(b, 0, 1);
          if (typeof found === 'object' && 'exact' in found) expect(found).to.deep.equal({ seq: 42n, exact: false, epoch: 2 });
        }
        expect(typesOf(b)).to.not.include('handoffInstalled');
      });
    }

    it('installs what comes after a lie, within its limit', async () => {
      await arrived();
      free();
      const page = { section: 0 as SectionId, page: 0, bytes: Buffer.from([1]) };
      stage.faults.tamper = (chunk) => ({ ...chunk, pages: [page] });
      await stage.clock.elapse(300);
      expect(stage.next(b, 0)).to.equal('waits');
      stage.faults.tamper = undefined;
      await stage.clock.elapse(600);
      expect(stage.current(b, 0, 1)).to.deep.include({ seq: 7n, exact: true });
    });

    it('is for the opener of the very next epoch: after another owner it begins at base', async () => {
      await arrived();
      stage.crash(b);
      const c = await stage.start('c');
      free();
      give(c, 0);
      await stage.clock.elapse(50);
      expect(stage.section(0)).to.deep.include({ epoch: 3, base: 142n });
      expect(stage.current(c, 0, 1)).to.deep.equal({ seq: 142n, exact: false, epoch: 3 });
    });

    it('ignores a hand-off of an epoch that is not the one before, whatever the table says', async () => {
      await arrived();
      const old = stage.assignmentOf(b).windows[0]!.handoff!;
      const c = await stage.start('c');
      free();
      stage.isPushing = false;
      give(c, 0);
      const { table, windows } = stage.assignmentOf(c);
      c.node.adopt({
        table: { ...table, version: { ...table.version, value: 999 } },
        windows: windows.map((run) => ({ ...run, handoff: old })),
        incoming: [],
        sets: NO_SETS,
      });
      expect(stage.current(c, 0, 1)).to.deep.equal({ seq: 142n, exact: false, epoch: 3 });
    });

    it('never happens to what was opened in that epoch already', async () => {
      await arrived();
      await stage.clock.elapse(INSTALL_LIMIT_MS + 10);
      expect(stage.next(b, 0, { slot: 1 })).to.equal(43n);
      free();
      for (let version = 50; version < 55; version++) {
        const { table, windows } = stage.assignmentOf(b);
        b.node.adopt({ table: { ...table, version: { ...table.version, value: version } }, windows, incoming: [], sets: NO_SETS });
        await stage.clock.elapse(100);
      }
      expect(stage.next(b, 0, { slot: 1 })).to.equal(44n);
    });

    it('is called off when the section is lost meanwhile', async () => {
      await arrived();
      const waiting = stage.later(b, 0);
      give(a, 0);
      free();
      await stage.clock.elapse(400);
      expect(await waiting).to.equal('NOT_OWNER');
      expect(stage.next(a, 0, { slot: 1 }), 'A -> B -> A: from base, never from old memory').to.equal(143n);
    });
  });

  it('suspends with a lapsed lease and resumes the same counters, those that were handed over too', async () => {
    takes(0, 0, 9);
    plan(b, 0);
    await settle();
    expect(stage.next(b, 0)).to.equal(10n);
    stage.failures.set('renew', UNKNOWN);
    await stage.clock.elapse(3100);
    expect(stage.next(b, 0)).to.equal('UNAVAILABLE');
    stage.failures.clear();
    await stage.clock.elapse(500);
    expect(stage.next(b, 0)).to.equal(11n);
  });
});
