import { expect } from 'chai';
import type { Shape } from '../../src/cli/json-shapes.js';
import { mismatches } from './shape.js';

describe('a shape of JSON', () => {
  const rows: readonly [string, unknown, Shape, string[]][] = [
    ['takes what it says', { a: '1', b: [{ c: 2 }] }, { a: 'uint64', b: [{ c: 'number' }], d: 'text?' }, []],
    ['lets an object be absent when its key says so', { b: { c: 'x' } }, { 'a?': { c: 'text' }, 'b?': { c: 'text' } }, []],
    ['misses what is not there', {}, { a: 'text' }, ['$.a is missing']],
    ['finds a field too many', { a: 1 }, {}, ['$.a is not in the shape']],
    ['finds a 64-bit value that is a number', { a: 1 }, { a: 'uint64' }, ['$.a is 1, not uint64']],
    ['finds a 64-bit value that is too large', '18446744073709551616', 'uint64', ['$ is "18446744073709551616", not uint64']],
    ['finds a number that lost digits', { a: 2 ** 53 }, { a: 'number' }, ['$.a is 9007199254740992, not number']],
    ['looks at each item', ['a', 1], ['text'], ['$[1] is 1, not text']],
    ['looks at each value under any key', { x: 'a' }, { '*': 'number' }, ['$.x is "a", not number']],
    [
      'takes no list for an object, and no object for a list',
      { a: [], b: {} },
      { a: { x: 'text' }, b: ['text'] },
      ['$.a is no object', '$.b is no list'],
    ],
  ];
  for (const [what, value, shape, wrong] of rows) it(what, () => expect(mismatches(value, shape)).to.deep.equal(wrong));
});
