import { expect } from 'chai';
import type { Operation, Outcome } from '../../../src/verify/operation.js';
import { OnlineCheck } from '../../sim/online-check.js';

/** A `next` of uid 1 from `invokedNs` to `returnedNs`. */
function next(outcome: Outcome, [invokedNs, returnedNs]: readonly [number, number], client = 'c1'): Operation {
  return { id: 0, client, call: 'next', uid: 1n, count: 1, invokedNs, returnedNs, outcome };
}

function numbers(first: bigint, last = first): Outcome {
  return { type: 'numbers', first, last };
}

function reportsOf(operations: readonly Operation[], holdsOrder: (operation: Operation) => boolean = () => true): string[] {
  const reports: string[] = [];
  const check = new OnlineCheck({ report: (kind) => reports.push(kind), holdsOrder });
  for (const operation of operations) check.check(operation);
  return reports;
}

describe('the check of answers as they come', () => {
  it('finds nothing in numbers that rise, with gaps, or that overlap in time and come in any order', () => {
    expect(reportsOf([next(numbers(1n), [1, 2]), next(numbers(5n, 9n), [3, 6]), next(numbers(3n), [2, 7])])).to.deep.equal([]);
  });

  it('reports a number that was handed out twice, within a range too, also where no order is promised', () => {
    const twice = [next(numbers(4n, 6n), [1, 4]), next(numbers(6n), [2, 5])];
    expect(reportsOf(twice)).to.deep.equal(['uniqueness']);
    expect(reportsOf(twice, () => false)).to.deep.equal(['uniqueness']);
  });

  it('reports a number that is not above one returned before its call began', () => {
    const late = [next(numbers(9n), [1, 2]), next(numbers(3n), [3, 4])];
    expect(reportsOf(late)).to.deep.equal(['order']);
  });

  it('asks for order only of the calls that it is promised to', () => {
    const late = [next(numbers(9n), [1, 2]), next(numbers(3n), [3, 4], 'c1'), next(numbers(5n), [5, 6], 'c2!')];
    expect(reportsOf(late, ({ client }) => client.endsWith('!'))).to.deep.equal(['order']);
  });

  it('compares with what had returned when the call began, not with what returned since', () => {
    expect(reportsOf([next(numbers(9n), [1, 5]), next(numbers(3n), [4, 6])])).to.deep.equal([]);
  });

  it('takes each uid by itself, and nothing from calls without numbers', () => {
    const other = { ...next(numbers(1n), [3, 4]), uid: 2n };
    expect(reportsOf([next(numbers(9n), [1, 2]), other, next({ type: 'unknown', error: 'TIMEOUT' }, [5, 6])])).to.deep.equal([]);
  });
});
