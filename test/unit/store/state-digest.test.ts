import { expect } from 'chai';
import fc from 'fast-check';
import { EMPTY_DIGEST, StateDigest } from '../../../src/store/state-digest.js';

const writes = fc.array(fc.record({ key: fc.string({ maxLength: 3 }), value: fc.option(fc.uint8Array({ maxLength: 3 }), { nil: undefined }) }), {
  maxLength: 30,
});

describe('state digest', () => {
  it('depends on the records alone, and not on the way to them', () => {
    fc.assert(
      fc.property(writes, (history) => {
        const digest = new StateDigest();
        const records = new Map<string, Uint8Array>();
        for (const { key, value } of history) {
          digest.set(key, value);
          if (value === undefined) records.delete(key);
          else records.set(key, value);
        }
        expect(digest.value).to.deep.equal(digestOf([...records].reverse()));
      }),
    );
  });

  it('of nothing is all zeroes, also after the last record went', () => {
    const digest = digestOf([['a', Uint8Array.of(1)]], 'a');
    expect(digest).to.deep.equal(EMPTY_DIGEST);
  });

  it('tells a changed, a lost, a new, a renamed and an exchanged record', () => {
    const [one, two] = [Uint8Array.of(1), Uint8Array.of(2)];
    const digests = [
      [
        ['a', one],
        ['b', two],
      ],
      [
        ['a', one],
        ['b', one],
      ],
      [['a', one]],
      [
        ['a', one],
        ['b', two],
        ['c', new Uint8Array()],
      ],
      [
        ['a', one],
        ['c', two],
      ],
      [
        ['a', two],
        ['b', one],
      ],
      [['ab', one]],
      [['a', Uint8Array.of(98, 1)]],
    ].map((records) => Buffer.from(digestOf(records as [string, Uint8Array][])).toString('hex'));
    expect(new Set(digests).size).to.equal(digests.length);
  });
});

function digestOf(records: readonly (readonly [string, Uint8Array])[], ...deleted: readonly string[]): Uint8Array {
  const digest = new StateDigest();
  for (const [key, value] of records) digest.set(key, value);
  for (const key of deleted) digest.set(key, undefined);
  return digest.value;
}
