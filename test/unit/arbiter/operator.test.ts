import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { type Wish, wishToLevel, wishToMove } from '../../../src/arbiter/operator.js';
import { DEFAULT_POLICY } from '../../../src/model/policy.js';
import { afterMoves, candidate, countsAfter, type Given, holdings, situationOf, told } from './fixture.js';

const [A, B, C] = [candidate('a1'), candidate('a2'), candidate('a3')];
const [a, b, c] = [A.incarnation, B.incarnation, C.incarnation];
const run = (firstSection: number, sectionCount: number) => ({ firstSection, sectionCount });
const everybody: Given = { held: holdings([10, a], [10, b], [10, c]), allocs: [A, B, C] };

function said(wish: Wish, given: Given): string {
  const { kind, moves, isPart } = wish.next(situationOf(given));
  return `${kind} ${told(moves)}${isPart ? ' ...' : ''}`;
}

function refusal(wish: Wish, given: Given): string {
  for (const ask of [() => wish.all(situationOf(given)), () => wish.next(situationOf(given))]) {
    try {
      ask();
    } catch (error) {
      if (error instanceof SeqError) return `${error.code}: ${error.message}`;
      throw error;
    }
  }
  return 'granted';
}

describe('operator: sections to one AllocSvr', () => {
  it('moves them, whoever has them, and leaves those that are there', () => {
    expect(said(wishToMove(run(8, 14), B.id, ''), everybody)).to.equal('planMove 8+2 a2 20+2 a2');
  });

  it('takes along what is on its way to somebody else, and calls off what was leaving its target', () => {
    expect(said(wishToMove(run(0, 6), B.id, ''), { ...everybody, held: holdings([2, a, c], [2, a, b], [2, b, c]) })).to.equal(
      'planMove 0+2 a2 4+2 a2',
    );
  });

  it('goes on in parts, as many as may be on their way, until all are there', () => {
    const policy = { ...DEFAULT_POLICY, movesInFlightMax: 4 };
    const wish = wishToMove(run(0, 10), B.id, '');
    expect(said(wish, { ...everybody, policy })).to.equal('planMove 0+4 a2 ...');
    expect(said(wish, { ...everybody, policy, held: holdings([1, b], [3, a, b], [6, a], [10, b]) })).to.equal('planMove  ...');
    expect(said(wish, { ...everybody, policy, held: holdings([4, b], [6, a], [10, b]) })).to.equal('planMove 4+4 a2 ...');
    expect(said(wish, { ...everybody, policy, held: holdings([10, b]) }), 'through').to.equal('planMove ');
    expect(wishToMove(run(0, 10), B.id, '').all(situationOf({ ...everybody, policy })), 'what it comes to').to.have.length(1);
  });

  it('gives away at once what surely nobody serves, and names whom it takes it from', () => {
    const given = { ...everybody, held: holdings([4, a], [4, undefined], [4, c]), expired: [a] };
    const wish = wishToMove(run(0, 12), B.id, '');
    expect(said(wish, given)).to.equal('assign 0+8 a2 ...');
    expect([...wish.next(situationOf(given)).from]).to.deep.equal([a]);
    expect(said(wish, { ...given, held: holdings([8, b], [4, c]) })).to.equal('planMove 8+4 a2');
  });

  for (const [wish, given, answer] of [
    [wishToMove(run(25, 6), B.id, ''), everybody, 'INVALID_ARGUMENT: sections 25..30 are not all of this set, which has 0..29'],
    [wishToMove(run(3, 0), B.id, ''), everybody, 'INVALID_ARGUMENT: sections 3..2 are not all of this set, which has 0..29'],
    [wishToMove(run(-1, 2), B.id, ''), everybody, 'INVALID_ARGUMENT: sections -1..0 are not all of this set, which has 0..29'],
    [wishToMove(run(0, 2), candidate('a9').id, ''), everybody, 'INVALID_ARGUMENT: no AllocSvr a9 may have sections; there are a1, a2, a3'],
    [
      wishToMove(run(0, 2), C.id, ''),
      { ...everybody, allocs: [A, B], draining: [C] },
      'INVALID_ARGUMENT: AllocSvr a3 is draining: it gets no sections',
    ],
    [wishToMove(run(10, 5), B.id, ''), everybody, 'INVALID_ARGUMENT: sections 10..14 are with a2 already'],
    [
      wishToMove(run(0, 5), B.id, ''),
      { ...everybody, living: [a, c] },
      'UNAVAILABLE: AllocSvr a2 was not heard of within its lease: it could not serve them',
    ],
    [
      wishToMove(run(0, 5), B.id, ''),
      { ...everybody, living: [b, c] },
      'UNAVAILABLE: section 0 is with a1, which is silent, and its lease is not surely over; ask again',
    ],
  ] as const) {
    it(`says what is wrong: ${answer}`, () => {
      expect(refusal(wish, given)).to.equal(answer);
    });
  }

  it('says in the history what was wanted, when the operator does not', () => {
    expect(wishToMove(run(8, 14), B.id, '').reason).to.equal('sections 8..21 to a2');
    expect(wishToMove(run(8, 14), B.id, 'too hot').reason).to.equal('too hot');
  });
});

describe('operator: everybody level', () => {
  it('levels however little is out of it, in parts, and comes to an end though loads change', () => {
    const policy = { ...DEFAULT_POLICY, movesInFlightMax: 3 };
    const wish = wishToLevel('');
    let situation = situationOf({ ...everybody, policy, held: holdings([17, a], [13, b], [0, c]) });
    let parts = 0;
    for (let step = wish.next(situation); step.moves.length > 0; step = wish.next(situation)) {
      situation = { ...afterMoves(situation, step.moves), loads: new Map([[situation.view.holdings[0]!.firstSection, 1_000 * parts]]) };
      parts += 1;
    }
    expect([parts, countsAfter(situation.view, [])]).to.deep.equal([4, { a1: 10, a2: 10, a3: 10 }]);
  });

  it('leaves out whom it cannot give to any more', () => {
    const wish = wishToLevel('because');
    const given = { ...everybody, held: holdings([12, a], [0, b], [0, c]), policy: { ...DEFAULT_POLICY, movesInFlightMax: 2 } };
    expect(said(wish, given)).to.equal('planMove 4+2 a2 ...');
    expect(said(wish, { ...given, living: [a, c] })).to.equal('planMove 8+2 a3 ...');
    expect(wish.reason).to.equal('because');
  });
});
