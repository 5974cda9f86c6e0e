import { expect } from 'chai';
import { InvariantError } from '../../../src/base/assert.js';
import { SeqError } from '../../../src/base/errors.js';
import { parseAllocId, parseCount, parseIncarnation, parseUid, SEQ_MAX, toEpoch, toSectionId, toSeq, UID_MAX } from '../../../src/model/ids.js';

describe('ids', () => {
  it('takes a uid as a bigint, a safe integer or a decimal string, up to 2^64-1', () => {
    for (const [value, uid] of [
      [0, 0n],
      [42, 42n],
      [2 ** 53 - 1, 2n ** 53n - 1n],
      [42n, 42n],
      ['42', 42n],
      ['18446744073709551615', UID_MAX],
      [UID_MAX, UID_MAX],
    ] as const) {
      expect(parseUid(value)).to.equal(uid);
    }
  });

  it('refuses every other uid with the value and the rule', () => {
    const rows: readonly (readonly [unknown, string])[] = [
      [-1, 'must be in [0, 18446744073709551615], got -1'],
      [-1n, 'got -1'],
      ['-1', "got '-1'"],
      [2n ** 64n, 'got 18446744073709551616'],
      ['18446744073709551616', 'must be in'],
      [1.5, 'must be a bigint, a safe integer or a decimal string, got 1.5'],
      [2 ** 53, 'safe integer'],
      [NaN, 'got NaN'],
      [Infinity, 'got Infinity'],
      ['', "got ''"],
      ['abc', "got 'abc'"],
      ['0x10', 'decimal'],
      ['1e3', 'decimal'],
      [' 42', 'decimal'],
      ['42\n', 'decimal'],
      ['9'.repeat(100), '...'],
      [undefined, 'got undefined'],
      [null, 'got null'],
      [true, 'got true'],
      [{}, 'got an object'],
      [[42], 'got an object'],
    ];
    for (const [value, message] of rows) expectInvalid(() => parseUid(value), message);
  });

  it('takes a count in [1, limit] and refuses the rest', () => {
    expect(parseCount(1, 10)).to.equal(1);
    expect(parseCount(10, 10)).to.equal(10);
    for (const value of [0, -1, 11, 1.5, NaN, Infinity, '5', 5n, undefined, null]) {
      expectInvalid(() => parseCount(value, 10), 'count must be a whole number in [1, 10]');
    }
  });

  it('takes names that a file, a metric label and a terminal can carry', () => {
    for (const name of ['a', 'alloc-1', 'A.b_c-9', 'x'.repeat(63)]) expect(parseAllocId(name)).to.equal(name);
    for (const name of ['', '-a', '.a', 'a b', 'a/b', 'ä', 'x'.repeat(64), 'a\n']) expectInvalid(() => parseAllocId(name), 'alloc id must be');
  });

  it('takes an incarnation of exactly 32 lower-case hex digits', () => {
    expect(parseIncarnation('0123456789abcdef'.repeat(2))).to.have.length(32);
    for (const text of ['', 'a'.repeat(31), 'a'.repeat(33), 'A'.repeat(32), 'g'.repeat(32)]) expectInvalid(() => parseIncarnation(text), '32 hex');
  });

  it('calls an impossible number of its own making a bug', () => {
    expect(toSeq(SEQ_MAX)).to.equal(2n ** 63n - 1n);
    expect(() => toSeq(SEQ_MAX + 1n)).to.throw(InvariantError);
    expect(() => toSeq(-1n)).to.throw(InvariantError);
    expect(() => toEpoch(1.5)).to.throw(InvariantError);
    expect(() => toSectionId(-1)).to.throw(InvariantError);
  });
});

function expectInvalid(act: () => unknown, message: string): void {
  expect(act)
    .to.throw(SeqError, message)
    .that.satisfies((error: SeqError) => error.code === 'INVALID_ARGUMENT' && error.definite);
}
