import { expect } from 'chai';
import { checkHistory, showViolations, type Violation } from '../../../src/verify/check-history.js';
import type { Operation } from '../../../src/verify/operation.js';
import { SeededRandom } from '../seeded-random.js';
import { isExplainable } from './exhaustive.js';
import { advance, current, exact, next, playedHistory, randomHistory, refused, unknown, unknownAdvance } from './histories.js';

describe('checkHistory', () => {
  const rows: readonly { name: string; history: readonly Operation[]; wrong: readonly Violation['kind'][] }[] = [
    { name: 'takes an empty history', history: [], wrong: [] },
    { name: 'takes numbers that grow, gaps included', history: [next([0, 1], 1n), next([2, 3], 7n), next([4, 5], 8n)], wrong: [] },
    { name: 'takes overlapping calls in any order', history: [next([0, 9], 2n), next([1, 8], 1n)], wrong: [] },
    { name: 'takes calls that touch in time in any order', history: [next([0, 5], 2n), next([5, 9], 1n)], wrong: [] },
    { name: 'takes ranges side by side', history: [next([0, 1], 1n, 10), next([2, 3], 11n, 5)], wrong: [] },
    { name: 'keeps uids apart', history: [next([0, 1], 5n), { ...next([2, 3], 5n), uid: 2n }], wrong: [] },
    { name: 'finds a number handed out twice, whatever the times', history: [next([0, 9], 5n), next([1, 8], 5n)], wrong: ['uniqueness'] },
    { name: 'finds ranges that overlap', history: [next([0, 9], 1n, 10), next([1, 8], 10n, 5)], wrong: ['uniqueness'] },
    {
      name: 'finds a range within a range',
      history: [next([0, 9], 1n, 10), next([0, 9], 3n), next([0, 9], 7n)],
      wrong: ['uniqueness', 'uniqueness'],
    },
    { name: 'finds a number below one returned before', history: [next([0, 1], 5n), next([2, 3], 4n)], wrong: ['order'] },
    {
      name: 'reports a repeat after a return as both',
      history: [next([0, 1], 5n), next([2, 3], 5n)],
      wrong: ['uniqueness', 'order'],
    },
    { name: 'finds a number not above a current told before', history: [current([0, 1], 5n), next([2, 3], 5n)], wrong: ['order'] },
    { name: 'takes a current that jumps after a takeover', history: [next([0, 1], 5n), current([2, 3], 100n), next([4, 5], 101n)], wrong: [] },
    { name: 'finds a current below a number returned before', history: [next([0, 1], 5n), current([2, 3], 4n)], wrong: ['current'] },
    { name: 'finds a current that went back', history: [current([0, 1], 5n), current([2, 3], 4n)], wrong: ['current'] },
    { name: 'finds a current within a range', history: [next([0, 9], 1n, 10), current([0, 9], 4n)], wrong: ['current'] },
    { name: 'takes a current at the end of a range', history: [next([0, 9], 1n, 10), current([0, 9], 10n)], wrong: [] },
    { name: 'takes exact zero before anything', history: [exact([0, 1], 0n), next([2, 3], 1n)], wrong: [] },
    { name: 'takes an exact current that a next ended at', history: [next([0, 1], 5n), exact([2, 3], 5n)], wrong: [] },
    { name: 'finds an exact current that nobody ended at', history: [next([0, 1], 5n), exact([2, 3], 6n)], wrong: ['current'] },
    { name: 'lets an unknown next explain an exact current', history: [next([0, 1], 5n), unknown([2, 3]), exact([4, 5], 6n)], wrong: [] },
    {
      name: 'does not let an unknown next that began later explain it',
      history: [exact([0, 1], 6n), unknown([2, 3])],
      wrong: ['current'],
    },
    {
      name: 'lets one unknown next explain one value only',
      history: [unknown([0, 1]), exact([2, 3], 6n), exact([4, 5], 8n)],
      wrong: ['current'],
    },
    {
      name: 'lets one unknown next explain the same value twice',
      history: [unknown([0, 1]), exact([2, 3], 6n), exact([4, 5], 6n)],
      wrong: [],
    },
    {
      name: 'does not squeeze an unknown range into too small a gap',
      history: [next([0, 1], 5n), unknown([2, 3], 3), exact([4, 5], 7n)],
      wrong: ['current'],
    },
    { name: 'finds a number not above what advance lifted to', history: [advance([0, 1], 9n, 9n), next([2, 3], 9n)], wrong: ['order'] },
    { name: 'takes an advance of a counter that stood higher', history: [next([0, 1], 9n), advance([2, 3], 5n, 9n), exact([4, 5], 9n)], wrong: [] },
    { name: 'finds an advance that left the counter below its target', history: [advance([0, 1], 9n, 8n)], wrong: ['shape'] },
    { name: 'finds an advance that said less than was handed out before', history: [next([0, 1], 9n), advance([2, 3], 5n, 6n)], wrong: ['current'] },
    { name: 'lets an advance explain an exact current', history: [advance([0, 1], 9n, 9n), exact([2, 3], 9n)], wrong: [] },
    { name: 'lets an unknown advance explain an exact current', history: [unknownAdvance([0, 1], 9n), exact([2, 3], 9n)], wrong: [] },
    {
      name: 'does not let an advance that found the counter there already explain it',
      history: [current([0, 1], 9n), advance([2, 3], 9n, 9n), exact([4, 5], 9n)],
      wrong: ['current'],
    },
    { name: 'does not let an advance that began later explain it', history: [exact([0, 1], 9n), advance([2, 3], 9n, 9n)], wrong: ['current'] },
    { name: 'takes an unknown next that never happened', history: [unknown([0, 1]), next([2, 3], 1n)], wrong: [] },
    { name: 'ignores what was refused', history: [refused([0, 1]), next([2, 3], 1n)], wrong: [] },
    { name: 'finds an answer that is no range of the asked size', history: [{ ...next([0, 1], 5n, 3), count: 4 }], wrong: ['shape'] },
    { name: 'finds number zero', history: [next([0, 1], 0n)], wrong: ['shape'] },
    { name: 'finds a number past 2^63-1', history: [next([0, 1], 2n ** 63n)], wrong: ['shape'] },
  ];
  for (const { name, history, wrong } of rows) {
    it(name, () => {
      const result = checkHistory(history);
      expect(result.violations.map(({ kind }) => kind)).to.deep.equal(wrong);
      expect(result.isValid).to.equal(wrong.length === 0);
    });
  }

  it('names the offending pair', () => {
    const [first, , last] = [next([0, 1], 9n), next([2, 3], 10n), next([4, 5], 4n)];
    const { violations } = checkHistory([first, last]);
    expect(violations[0]).to.include({ kind: 'order', earlier: first, operation: last, why: '4 was handed out after 9 had been returned' });
    expect(showViolations(violations)).to.match(/^order: uid 1: 4 was .*\n.*"first":"9".*\n.*"first":"4"/);
  });

  it('shows a few of many', () => {
    const { violations } = checkHistory(Array.from({ length: 30 }, () => next([0, 9], 1n)));
    expect(showViolations(violations, 3).split('\n').at(-1)).to.equal('and 26 more');
  });

  it('agrees with exhaustive search on 150,000 random histories', function () {
    this.timeout(60_000);
    const random = new SeededRandom(20_260_101);
    const seen = { true: 0, false: 0 };
    for (let turn = 0; turn < 150_000; turn++) {
      const history = turn % 2 === 0 ? randomHistory(random) : playedHistory(random);
      const expected = isExplainable(history);
      const { isValid } = checkHistory(history);
      if (isValid !== expected)
        expect(
          isValid,
          JSON.stringify(history, (_, v) => (typeof v === 'bigint' ? `${v}` : v), 1),
        ).to.equal(expected);
      seen[`${isValid}`]++;
    }
    // Both answers came up often enough to mean something.
    expect(Math.min(seen.true, seen.false)).to.be.above(30_000);
  });

  it('checks 200,000 operations in seconds', function () {
    this.timeout(20_000);
    const history = Array.from({ length: 200_000 }, (_, at) => ({ ...next([at, at + 30], BigInt(at + 1)), uid: BigInt(at % 3) }));
    expect(checkHistory(history).isValid).to.equal(true);
  });
});
