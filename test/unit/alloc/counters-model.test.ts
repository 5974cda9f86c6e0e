import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { ADVANCE_MAX, type CounterPages, SectionCounters, SLOTS_PER_PAGE } from '../../../src/alloc/counters.js';
import { SEQ_MAX, type Seq, type Slot } from '../../../src/model/ids.js';
import { SeededRandom } from '../seeded-random.js';

const seq = (value: bigint): Seq => value as Seq;

/** What SectionCounters must be, said as simply as it can be: a bigint for each uid that was asked for. */
class Model {
  readonly defaultSeq: bigint;
  readonly uidCount: number;
  readonly values = new Map<number, bigint>();
  /** Touched is what was written to, also where it is as before. */
  readonly pages = new Set<number>();
  maxSeq: bigint;
  trueMax: bigint;

  constructor(options: { readonly uidCount: number; readonly defaultSeq: bigint; readonly trueMax: bigint; readonly maxSeq: bigint }) {
    this.uidCount = options.uidCount;
    this.defaultSeq = options.defaultSeq;
    this.trueMax = options.trueMax;
    this.maxSeq = options.maxSeq;
  }

  at(slot: number): bigint {
    return this.values.get(slot) ?? this.defaultSeq;
  }

  write(slot: number, to: bigint): void {
    this.values.set(slot, to);
    this.pages.add(Math.floor(slot / SLOTS_PER_PAGE));
    if (to > this.trueMax) this.trueMax = to;
  }

  next(slot: number, count: number): bigint | string | undefined {
    const last = this.at(slot) + BigInt(count);
    if (last > SEQ_MAX) return 'OUT_OF_RANGE';
    if (last > this.maxSeq) return undefined;
    this.write(slot, last);
    return last - BigInt(count) + 1n;
  }

  advance(slot: number, to: bigint): bigint | string | undefined {
    const current = this.at(slot);
    if (to > SEQ_MAX) return 'OUT_OF_RANGE';
    if (to - current > ADVANCE_MAX) return 'INVALID_ARGUMENT';
    if (to <= current) return current;
    if (to > this.maxSeq) return undefined;
    this.write(slot, to);
    return to;
  }

  /** As DESIGN has it: a varint of 7 bits a byte for each distance, without zeros at the end. */
  bytesOf(page: number): Buffer {
    const bytes: number[] = [];
    let end = 0;
    for (let slot = page * SLOTS_PER_PAGE; slot < Math.min(this.uidCount, (page + 1) * SLOTS_PER_PAGE); slot++) {
      let left = this.at(slot) - this.defaultSeq;
      const isTouched = left > 0n;
      for (; left > 127n; left /= 128n) bytes.push(Number(left % 128n) + 128);
      bytes.push(Number(left));
      if (isTouched) end = bytes.length;
    }
    return Buffer.from(bytes.slice(0, end));
  }

  digest(): string | undefined {
    if (this.pages.size === 0) return undefined;
    const head = Buffer.alloc(12);
    head.writeBigUInt64BE(this.defaultSeq, 0);
    head.writeUInt32BE(this.uidCount, 8);
    const all = createHash('sha256').update('seqsvr counters 1').update(head);
    for (const page of [...this.pages].sort((one, other) => one - other)) {
      const place = Buffer.alloc(4);
      place.writeUInt32BE(page, 0);
      all.update(place).update(sha256(this.bytesOf(page)));
    }
    return all.digest('hex');
  }

  /** What a successor is handed. */
  pagesToInstall(): CounterPages {
    return {
      defaultSeq: seq(this.defaultSeq),
      touchedPages: () => [...this.pages].sort((one, other) => one - other),
      copyPage: (page) => ({ bytes: this.bytesOf(page), hash: sha256(this.bytesOf(page)) }),
    };
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function outcomeOf<Value>(call: () => Value): Value | string {
  try {
    return call();
  } catch (error) {
    return (error as { readonly code: string }).code;
  }
}

/** One life of a section, over several owners; returns how often each kind of step had each kind of outcome. */
function live(dice: SeededRandom, outcomes: Map<string, number>): void {
  const uidCount = dice.pick([1, 100, 1024, 1025, 2600]);
  const base = dice.pick([0n, 1n, 4_000_000_000n, 2n ** 53n - 1n, 2n ** 62n, SEQ_MAX - 1_000n]);
  let model = new Model({ uidCount, defaultSeq: base, trueMax: base, maxSeq: base + 1_000n });
  let section = new SectionCounters({ uidCount, base: seq(base), maxSeq: seq(model.maxSeq) });
  let limit = -1;
  const slots = Array.from({ length: 6 }, () => dice.below(uidCount));
  const note = (step: string, outcome: string | bigint | undefined): void => {
    const key = `${step} ${typeof outcome === 'bigint' ? 'done' : String(outcome)}`;
    outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
  };
  const count = (): number => dice.pick([1, 1, 2, 900, 2 ** 31, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 52]);

  const steps = {
    next: (slot: number): void => {
      const many = count();
      const expected = model.next(slot, many);
      expect(outcomeOf(() => section.next(slot as Slot, many))).to.equal(expected);
      note('next', expected);
    },
    takeAtOnce: (slot: number): void => {
      const many = dice.pick([1, 2, 50, 2 ** 31]);
      const current = Number(model.at(slot) - model.defaultSeq);
      const floor = dice.pick([-1, 0, current - 1, current, current + 1, 2 ** 53]);
      const last = section.takeAtOnce(slot as Slot, many, floor, limit);
      note('takeAtOnce', last < 0 ? 'left' : 'done');
      if (last < 0) return;
      // Where it answers it says what next() would.
      expect(current).to.be.at.least(floor);
      expect(model.next(slot, many)).to.equal(model.defaultSeq + BigInt(last - many + 1));
    },
    currentAtOnce: (slot: number): void => {
      const current = model.at(slot) - model.defaultSeq;
      const told = section.currentAtOnce(slot as Slot, -1);
      if (told >= 0) expect(BigInt(told)).to.equal(current);
      note('currentAtOnce', told < 0 ? 'left' : 'done');
    },
    current: (slot: number): void => {
      const value = model.at(slot);
      expect(section.current(slot as Slot)).to.deep.equal({ seq: value, exact: value > model.defaultSeq || model.defaultSeq === 0n });
    },
    advance: (slot: number): void => {
      const to = model.at(slot) + dice.pick([-5n, 0n, 1n, 2n ** 31n, 2n ** 32n, ADVANCE_MAX, ADVANCE_MAX + 1n]);
      const expected = model.advance(slot, to);
      expect(outcomeOf(() => section.advance(slot as Slot, to))).to.equal(expected);
      note('advance', expected);
    },
    raise: (): void => {
      const to = dice.pick([model.maxSeq - 1n, model.maxSeq + 10_000n, model.trueMax + 2n ** 33n, model.trueMax + 2n ** 54n, SEQ_MAX]);
      const bounded = to > SEQ_MAX ? SEQ_MAX : to;
      section.raiseTo(seq(bounded));
      if (bounded > model.maxSeq) model.maxSeq = bounded;
      limit = section.limitUpTo(model.maxSeq);
    },
    copy: (): void => {
      for (const page of section.touchedPages()) {
        const { bytes, hash } = section.copyPage(page);
        expect(Buffer.compare(bytes, model.bytesOf(page))).to.equal(0);
        expect(Buffer.compare(hash, sha256(bytes))).to.equal(0);
      }
    },
    digest: (): void => {
      expect(section.digest()).to.equal(model.digest());
    },
    handOff: (): void => {
      const { defaultSeq, trueMax } = model;
      const former = model;
      const installed = dice.chance(0.5) ? section : former.pagesToInstall();
      model = new Model({ uidCount, defaultSeq, trueMax, maxSeq: trueMax + (SEQ_MAX - trueMax > 5_000n ? 5_000n : SEQ_MAX - trueMax) });
      for (const [slot, value] of former.values) model.values.set(slot, value);
      for (const page of former.pages) model.pages.add(page);
      section = new SectionCounters({ uidCount, base: seq(trueMax), maxSeq: seq(model.maxSeq), installed });
      limit = section.limitUpTo(model.maxSeq);
    },
  } satisfies Record<string, (slot: number) => void>;
  const names = Object.keys(steps) as (keyof typeof steps)[];
  const likely = ['next', 'takeAtOnce', 'takeAtOnce', 'advance', 'current'] as const;

  for (let step = 0; step < 120; step++) {
    const slot = dice.pick(slots);
    steps[dice.chance(0.6) ? dice.pick(likely) : dice.pick(names)](slot);
    expect([section.trueMax, section.maxSeq, section.residentUidCount]).to.deep.equal([
      model.trueMax,
      model.maxSeq,
      model.pages.size * SLOTS_PER_PAGE,
    ]);
  }
  for (const slot of slots) steps.current(slot);
  steps.copy();
  steps.digest();
}

describe('SectionCounters beside a model of bigints', () => {
  it('are the same whatever is done: numbers, limits, pages, hashes and digests, over several owners', () => {
    const outcomes = new Map<string, number>();
    for (let seed = 1; seed <= 150; seed++) live(new SeededRandom(seed), outcomes);
    const seen = ['next done', 'next undefined', 'next OUT_OF_RANGE', 'takeAtOnce done', 'takeAtOnce left', 'currentAtOnce done'];
    const kinds = [...seen, 'currentAtOnce left', 'advance done', 'advance undefined', 'advance INVALID_ARGUMENT'];
    for (const kind of kinds) expect(outcomes.get(kind) ?? 0, kind).to.be.above(20);
  });

  const edges: readonly (readonly [string, bigint])[] = [
    ['2^32-1, where 4 bytes end', 2n ** 32n - 1n],
    ['2^53, where numbers are no longer exact', 2n ** 53n],
    ['2^63-1, where counters end', SEQ_MAX],
  ];
  for (const [name, edge] of edges) {
    it(`count on one by one past a distance of ${name}, and leave the rest of the page as it was`, () => {
      const model = new Model({ uidCount: 2000, defaultSeq: 0n, trueMax: edge - 2n, maxSeq: SEQ_MAX });
      for (const [slot, value] of [
        [3, edge - 2n],
        [4, 7n],
        [1023, 2n ** 32n - 1n],
        [1024, 9n],
      ] as const) {
        if (value <= edge - 2n) model.write(slot, value);
      }
      const section = new SectionCounters({ uidCount: 2000, base: seq(edge - 2n), maxSeq: SEQ_MAX, installed: model.pagesToInstall() });
      for (let times = 0; times < 4; times++) {
        const expected = model.next(3, 1);
        expect(outcomeOf(() => section.next(3 as Slot, 1))).to.equal(expected);
        expect(section.next(4 as Slot, 1)).to.equal(model.next(4, 1));
        for (const slot of [2, 3, 4, 1023, 1024]) expect(section.current(slot as Slot).seq).to.equal(model.at(slot));
        expect([section.digest(), section.trueMax]).to.deep.equal([model.digest(), model.trueMax]);
      }
      expect(section.current(3 as Slot).seq).to.equal(edge === SEQ_MAX ? SEQ_MAX : edge + 2n);
      const limit = section.limitUpTo(SEQ_MAX);
      expect(section.takeAtOnce(3 as Slot, 1, -1, limit), 'its page is no longer one of 4 bytes').to.be.below(0);
      expect(section.takeAtOnce(4 as Slot, 1, -1, limit), 'nor are its neighbours').to.be.below(0);
      section.next(1024 as Slot, 1);
      expect(section.takeAtOnce(1024 as Slot, 1, -1, limit), 'the next page is').to.equal(11);
    });
  }

  it('refuse a slot outside the section at once as well, though its page is touched', () => {
    const section = new SectionCounters({ uidCount: 100, base: seq(0n), maxSeq: seq(1_000n) });
    section.next(99 as Slot, 1);
    const limit = section.limitUpTo(1_000n);
    expect([99, 100, 1023, 1024, -1].map((slot) => section.takeAtOnce(slot as Slot, 1, -1, limit))).to.deep.equal([2, -1, -1, -1, -1]);
    expect(section.trueMax).to.equal(2n);
  });
});
