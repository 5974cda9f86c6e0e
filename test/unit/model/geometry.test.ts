import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import {
  checkGeometry,
  contains,
  DEFAULT_GEOMETRY,
  type Geometry,
  isSameGeometry,
  locate,
  SECTIONS_MAX,
  sectionCountOf,
  uidCountOf,
} from '../../../src/model/geometry.js';
import { parseUid, toSectionId, UID_MAX } from '../../../src/model/ids.js';
import { SeededRandom } from '../seeded-random.js';

describe('geometry', () => {
  it("cuts the article's 2^32 users into 42,950 sections of 100,000, the last one shorter", () => {
    checkGeometry(DEFAULT_GEOMETRY);
    expect(sectionCountOf(DEFAULT_GEOMETRY)).to.equal(42_950);
    expect(uidCountOf(DEFAULT_GEOMETRY, toSectionId(0))).to.equal(100_000);
    expect(uidCountOf(DEFAULT_GEOMETRY, toSectionId(42_949))).to.equal(2 ** 32 - 42_949 * 100_000);
  });

  it('puts each uid in exactly one section and slot, and neighbours side by side', () => {
    const geometry = { firstUid: 10n, lastUid: 34n, uidsPerSection: 10 };
    const places = Array.from({ length: 25 }, (_, at) => locate(geometry, parseUid(10 + at)));
    expect(places.map(({ section }) => section)).to.deep.equal([...Array(10).fill(0), ...Array(10).fill(1), ...Array(5).fill(2)]);
    expect(places.map(({ slot }) => slot).slice(8, 12)).to.deep.equal([8, 9, 0, 1]);
    expect(uidCountOf(geometry, toSectionId(2))).to.equal(5);
  });

  it('divides exactly up to the last uid of 64 bits', () => {
    const random = new SeededRandom(3);
    for (let turn = 0; turn < 2_000; turn++) {
      const firstUid = random.pick([0n, 2n ** 63n, UID_MAX - 10n ** 12n]);
      const uidsPerSection = 1 + random.below(10_000_000);
      const offset = random.bits64() % random.pick([10n ** 6n, 2n ** 54n, UID_MAX - firstUid + 1n]);
      const uid = parseUid(firstUid + (offset > UID_MAX - firstUid ? UID_MAX - firstUid : offset));
      const { section, slot } = locate({ firstUid, lastUid: UID_MAX, uidsPerSection }, uid);
      expect(firstUid + BigInt(section) * BigInt(uidsPerSection) + BigInt(slot)).to.equal(uid);
      expect(slot).to.be.within(0, uidsPerSection - 1);
    }
  });

  it('refuses a uid outside the set with the range in the message', () => {
    const geometry = { firstUid: 10n, lastUid: 19n, uidsPerSection: 10 };
    for (const uid of [9n, 20n, UID_MAX]) {
      expect(contains(geometry, parseUid(uid))).to.equal(false);
      expect(() => locate(geometry, parseUid(uid))).to.throw(SeqError, `[10, 19], got ${uid}`);
    }
    expect(contains(geometry, parseUid(10)) && contains(geometry, parseUid(19))).to.equal(true);
  });

  it('refuses numbers that make no sense', () => {
    const good = { firstUid: 0n, lastUid: 999n, uidsPerSection: 10 };
    checkGeometry(good);
    checkGeometry({ firstUid: 7n, lastUid: 7n, uidsPerSection: 1 });
    checkGeometry({ firstUid: 0n, lastUid: BigInt(SECTIONS_MAX) - 1n, uidsPerSection: 1 });
    const rows: readonly [Partial<Geometry>, string][] = [
      [{ firstUid: -1n }, '0 <= firstUid'],
      [{ lastUid: UID_MAX + 1n }, 'lastUid <= 18446744073709551615'],
      [{ firstUid: 1_000n }, 'firstUid <= lastUid'],
      [{ uidsPerSection: 0 }, 'got 0'],
      [{ uidsPerSection: 1.5 }, 'got 1.5'],
      [{ uidsPerSection: 10_000_001 }, 'got 10000001'],
      [{ lastUid: BigInt(SECTIONS_MAX), uidsPerSection: 1 }, `makes ${SECTIONS_MAX + 1}`],
      [{ lastUid: UID_MAX, uidsPerSection: 10_000_000 }, 'at most'],
    ];
    for (const [change, message] of rows) expect(() => checkGeometry({ ...good, ...change }), message).to.throw(SeqError, message);
  });

  it('tells equal from different', () => {
    const one = { firstUid: 0n, lastUid: 9n, uidsPerSection: 5 };
    expect(isSameGeometry(one, { ...one })).to.equal(true);
    for (const change of [{ firstUid: 1n }, { lastUid: 8n }, { uidsPerSection: 4 }]) {
      expect(isSameGeometry(one, { ...one, ...change })).to.equal(false);
    }
  });
});
