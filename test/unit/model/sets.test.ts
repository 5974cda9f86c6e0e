import { expect } from 'chai';
import { parseUid } from '../../../src/model/ids.js';
import { parseSetMap, type SetEntry, type SetMap, setOf } from '../../../src/model/sets.js';

const set = (name: string, firstUid: bigint, lastUid: bigint, more: Partial<SetEntry> = {}): SetEntry => ({
  name,
  firstUid,
  lastUid,
  seeds: ['h:1'],
  clusterId: name.charCodeAt(0).toString(16).padStart(32, '0'),
  ...more,
});
const map = (...sets: SetEntry[]): SetMap => ({ version: 1, home: 'a', sets });

describe('model/sets', () => {
  it('finds the set of a uid, also at both ends, and none between sets', () => {
    const sets = parseSetMap(map(set('b', 200n, 299n), set('a', 0n, 99n), set('c', 300n, 2n ** 64n - 1n)));
    expect(sets.sets.map(({ name }) => name)).to.deep.equal(['a', 'b', 'c']);
    const nameOf = (uid: bigint) => setOf(sets, parseUid(uid))?.name;
    expect([0n, 99n, 100n, 199n, 200n, 299n, 300n, 2n ** 64n - 1n].map(nameOf)).to.deep.equal(['a', 'a', undefined, undefined, 'b', 'b', 'c', 'c']);
  });

  const rows: readonly (readonly [string, SetMap, string])[] = [
    ['ranges that overlap', map(set('a', 0n, 100n), set('b', 100n, 200n)), 'overlap at uid 100'],
    ['a range that ends before it begins', map(set('a', 5n, 4n)), 'firstUid <= lastUid'],
    ['a uid past 2^64-1', map(set('a', 0n, 2n ** 64n)), 'lastUid'],
    ['no set', map(), '1 to'],
    ['the same name twice', map(set('a', 0n, 1n), set('a', 2n, 3n)), 'name'],
    ['one cluster twice', map(set('a', 0n, 1n), set('b', 2n, 3n, { clusterId: set('a', 0n, 1n).clusterId })), 'clusterId'],
    ['a home that is no set', { ...map(set('a', 0n, 1n)), home: 'x' }, "'x'"],
    ['a seed that nobody can dial', map(set('a', 0n, 1n, { seeds: ['h'] })), "'h'"],
    ['a set without seeds', map(set('a', 0n, 1n, { seeds: [] })), 'seeds'],
    ['version 0', { ...map(set('a', 0n, 1n)), version: 0 }, 'got 0'],
  ];
  for (const [what, value, why] of rows) it(`refuses ${what}`, () => expect(() => parseSetMap(value)).to.throw(why));
});
