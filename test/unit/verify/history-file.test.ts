import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { parseHistory } from '../../../src/verify/history-file.js';
import { type Operation, operationToLine } from '../../../src/verify/operation.js';
import { advance, current, exact, next, refused, unknown, unknownAdvance } from './histories.js';

const GOOD = operationToLine(next([1, 2], 5n, 3));

describe('parseHistory', () => {
  it('gives back every kind of operation as it was written', () => {
    const operations: Operation[] = [
      next([0, 1], 2n ** 63n - 2n, 2),
      unknown([2, 3], 4),
      refused([4, 4]),
      current([5, 6], 9n),
      exact([7, 8], 0n),
      advance([9, 10], 5n, 7n),
      unknownAdvance([11, 12], 2n ** 63n - 1n),
      { ...next([13, 14], 1n), uid: 2n ** 64n - 1n },
    ];
    expect(parseHistory(operations.map((operation) => `${operationToLine(operation)}\n`).join(''), 'h').operations).to.deep.equal(operations);
  });

  it('takes answers that no service may give: the check is to find them', () => {
    const wrong = next([0, 1], -1n, 3);
    expect(parseHistory(operationToLine(wrong), 'h').operations).to.deep.equal([wrong]);
  });

  it('keeps faults apart', () => {
    const { faults, operations } = parseHistory(`{"fault":"kill a","fromNs":3}\n{"fault":"pause b","fromNs":-3,"toNs":4}\n`, 'h');
    expect([faults, operations]).to.deep.equal([
      [
        { fault: 'kill a', fromNs: 3 },
        { fault: 'pause b', fromNs: -3, toNs: 4 },
      ],
      [],
    ]);
  });

  it('passes over empty lines', () => {
    expect(parseHistory(`\n${GOOD}\r\n\n`, 'h'))
      .to.include({ cutOffLine: undefined })
      .and.to.have.property('operations')
      .with.lengthOf(1);
  });

  it('leaves out a last line that is cut off, and says which', () => {
    for (let length = 1; length < GOOD.length; length += 1) {
      const { operations, cutOffLine } = parseHistory(`${GOOD}\n${GOOD.slice(0, length)}`, 'h');
      expect([operations.length, cutOffLine], GOOD.slice(0, length)).to.deep.equal([1, 2]);
    }
  });

  it('refuses any other line that is no JSON', () => {
    expect(errorOf(`${GOOD}\n{"id":\n${GOOD}`)).to.match(/^run\.jsonl:2: a line is one JSON object, got '\{"id":': /);
  });

  const rows: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
    [{ call: 'take' }, "call must be one of next, current, advance, got 'take'"],
    [{ call: undefined }, 'call must be one of next, current, advance, got undefined'],
    [{ id: -1 }, 'id must be a whole number from 0, got -1'],
    [{ client: 7 }, 'client must be text, got 7'],
    [{ uid: 42 }, 'uid must be text, got 42'],
    [{ uid: '18446744073709551616' }, 'must be in [0, 18446744073709551615]'],
    [{ uid: 'x' }, 'must be a bigint, a safe integer or a decimal string'],
    [{ count: 0 }, 'count must be a whole number from 1, got 0'],
    [{ invokedNs: '1' }, "invokedNs must be a whole number of nanoseconds within 2^53, got '1'"],
    [{ returnedNs: 0.5 }, 'returnedNs must be a whole number of nanoseconds within 2^53, got 0.5'],
    [{ returnedNs: 2 ** 53 }, 'got 9007199254740992'],
    [{ returnedNs: 0 }, 'returnedNs must be at least 1, got 0'],
    [{ outcome: null }, 'outcome must be an object, got null'],
    [{ outcome: { type: 'lost' } }, "outcome.type of next must be numbers, refused or unknown, got 'lost'"],
    [{ outcome: { type: 'value', seq: '1', exact: true } }, "outcome.type of next must be numbers, refused or unknown, got 'value'"],
    [{ outcome: { type: 'numbers', first: 1, last: '1' } }, 'first must be a whole number as text of at most 20 digits, got 1'],
    [{ outcome: { type: 'numbers', first: '1' } }, 'last must be a whole number as text of at most 20 digits, got undefined'],
    [{ outcome: { type: 'unknown' } }, 'error must be text, got undefined'],
    [{ call: 'current', outcome: { type: 'numbers', first: '1', last: '1' } }, 'outcome.type of current must be value, refused or unknown'],
    [{ call: 'current', outcome: { type: 'value', seq: '1' } }, 'exact must be true or false, got undefined'],
    [{ call: 'advance', to: '0', outcome: { type: 'value', seq: '1' } }, 'got 0'],
    [{ call: 'advance', outcome: { type: 'value', seq: '1' } }, 'to must be a whole number as text'],
    [{ fault: 7 }, 'fault must be text, got 7'],
    [{ fault: 'x', fromNs: 5, toNs: 4 }, 'toNs must be at least 5, got 4'],
  ];
  for (const [changes, rule] of rows) {
    it(`refuses ${JSON.stringify(changes)} with file, line, value and rule`, () => {
      const line = JSON.stringify({ ...(JSON.parse(GOOD) as object), ...changes });
      expect(errorOf(`${GOOD}\n${line}\n`))
        .to.match(/^run\.jsonl:2: /)
        .and.to.include(rule);
    });
  }

  it('refuses a line that is JSON and no object', () => {
    expect(errorOf('7')).to.equal('run.jsonl:1: a line must be an object, got 7');
    expect(errorOf('[1]')).to.equal('run.jsonl:1: a line must be an object, got a list');
  });
});

function errorOf(text: string): string {
  try {
    parseHistory(text, 'run.jsonl');
  } catch (error) {
    expect(SeqError.is(error, 'INVALID_ARGUMENT')).to.equal(true);
    return (error as Error).message;
  }
  throw new Error('it was taken');
}
