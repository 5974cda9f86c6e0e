import { expect } from 'chai';
import { checkHistory } from '../../../src/verify/check-history.js';
import type { Fault, Operation } from '../../../src/verify/operation.js';
import { timelineHtml } from '../../../src/verify/timeline-html.js';
import { OPERATIONS_MAX, windowOf } from '../../../src/verify/timeline-window.js';
import { next, refused, unknown } from './histories.js';

/** A number comes twice: the pair is the first and the last; between them others, far more than are drawn. */
function longHistory(between: number): Operation[] {
  const others = Array.from({ length: between }, (_, at) => next([10 + at * 2, 11 + at * 2], BigInt(at + 10)));
  return [next([0, 1], 9n), ...others, next([10 + between * 2, 11 + between * 2], 9n)].map((operation, id) => ({
    ...operation,
    id,
    client: `w${id % 3}`,
  }));
}

function windowFor(operations: readonly Operation[], faults: readonly Fault[] = []) {
  const [violation] = checkHistory(operations).violations;
  return windowOf(violation!, operations, faults);
}

describe('windowOf', () => {
  it('draws each operation from the column of its invocation to that of its return', () => {
    const { bars, columns } = windowFor([next([0, 30], 5n), { ...next([10, 20], 5n), client: 'd' }]);
    expect(columns).to.deep.equal([0, 10, 20, 30]);
    expect(bars.map(({ from, to, role }) => [from, to, role])).to.deep.equal([
      [0, 3, 'earlier'],
      [1, 2, 'operation'],
    ]);
  });

  it('keeps the pair, and what is nearest to it, when there is more than a page holds', () => {
    const operations = longHistory(2_000);
    const { bars, leftOutCount } = windowFor(operations);
    expect(bars).to.have.lengthOf(OPERATIONS_MAX);
    expect(leftOutCount).to.equal(operations.length - OPERATIONS_MAX);
    expect(bars.filter(({ role }) => role !== undefined).map(({ operation }) => operation.id)).to.deep.equal([0, 2_001]);
    expect(bars.map(({ operation }) => operation.id)).to.include.members([1, 2, 2_000]);
  });

  it('leaves other uids out', () => {
    const other = { ...next([0, 9], 5n), uid: 2n };
    expect(windowFor([next([0, 1], 5n), other, next([2, 3], 5n)]).bars).to.have.lengthOf(2);
  });

  it('gives a client a lane more for each call that overlaps', () => {
    const operations = [next([0, 10], 1n), next([1, 9], 1n), next([12, 13], 3n)];
    const { bars, lanes } = windowFor(operations);
    expect(lanes).to.deep.equal(['c', 'c']);
    expect(bars.map(({ lane }) => lane)).to.deep.equal([0, 1, 0]);
  });

  it('shades the faults of that time, and no others', () => {
    const faults = [
      { fault: 'before', fromNs: -9, toNs: -5 },
      { fault: 'into', fromNs: -5, toNs: 12 },
      { fault: 'moment', fromNs: 25 },
      { fault: 'after', fromNs: 99, toNs: 120 },
    ];
    const { bands } = windowFor([next([0, 10], 5n), next([20, 30], 5n)], faults);
    expect(bands.map(({ fault, from, to }) => [fault.fault, from, to])).to.deep.equal([
      ['into', 0, 2],
      ['moment', 2, 3],
    ]);
  });
});

describe('timelineHtml', () => {
  const page = (operations: readonly Operation[], faults: readonly Fault[] = []) =>
    timelineHtml({ title: 'T', violations: checkHistory(operations).violations, operations, faults });

  it('loads nothing, and lets nothing be loaded', () => {
    const html = page(longHistory(5), [{ fault: 'kill', fromNs: 0, toNs: 4 }]);
    expect(html).to.include(`content="default-src 'none'`);
    expect(html).not.to.match(/https?:|src=|@import|url\(/);
  });

  it('marks the pair, links to it and jumps to it', () => {
    const html = page([next([0, 1], 5n), next([2, 3], 5n)]);
    expect(html.match(/id="v1-operation"/g)).to.have.lengthOf(1);
    expect(html.match(/id="v1-earlier"/g)).to.have.lengthOf(1);
    expect(html).to.include('href="#v1-operation"').and.to.include('scrollIntoView');
  });

  it('says of each bar what was called, what came of it and when', () => {
    const html = page([next([0, 1_000_000], 5n, 3), unknown([0, 2], 4), refused([1, 2]), next([2_000_000, 3_500_000], 5n)]);
    expect(html).to.include('#0 c: next(1, 3)\nnumbers 5..7\n0.000 ms to 1.000 ms');
    expect(html).to.include('next(1, 4)\nunknown: TIMEOUT').and.to.include('refused: NOT_OWNER');
  });

  it('takes no markup from a history', () => {
    const hostile = { ...next([2, 3], 5n), client: '<script>alert(1)</script>"&' };
    const html = page([next([0, 1], 5n), hostile], [{ fault: '<img onerror=x>', fromNs: 1 }]);
    expect(html).not.to.match(/<script>alert|<img/);
    expect(html).to.include('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&amp;').and.to.include('&lt;img onerror=x&gt;');
  });

  it('has a bounded size, however much is violated', () => {
    const operations = Array.from({ length: 20_000 }, (_, at) => next([at * 2, at * 2 + 1], 1n));
    const html = page(operations);
    expect(html.length).to.be.below(2 ** 20 * 3);
    expect(html.match(/<section/g)).to.have.lengthOf(5);
    expect(html).to.match(/and \d+ more/);
  });
});
