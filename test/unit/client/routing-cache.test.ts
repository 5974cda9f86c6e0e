import { expect } from 'chai';
import { RoutingCache } from '../../../src/client/routing-cache.js';
import { parseUid } from '../../../src/model/ids.js';
import { diffTables } from '../../../src/model/routing-delta.js';
import { tableOf } from './tables.js';

describe('client/routing-cache', () => {
  it('knows nobody before the first table', () => {
    const cache = new RoutingCache();
    expect(cache.pick(parseUid(5))).to.equal(undefined);
    expect(cache.version).to.deep.equal({ generation: 0, value: 0 });
    expect(cache.addresses()).to.deep.equal([]);
  });

  it('picks the owner of the section in which the uid lies', () => {
    const cache = new RoutingCache();
    cache.absorb(tableOf(1, ['a:1', 'b:1', '']));
    expect(cache.pick(parseUid(99))).to.equal('a:1');
    expect(cache.pick(parseUid(100))).to.equal('b:1');
    expect(cache.pick(parseUid(200))).to.equal(undefined);
    expect(cache.addresses()).to.deep.equal(['a:1', 'b:1']);
  });

  for (const { title, generation, version, isTaken } of [
    { title: 'takes a newer version', generation: 7, version: 6, isTaken: true },
    { title: 'drops the same version', generation: 7, version: 5, isTaken: false },
    { title: 'drops an older version', generation: 7, version: 4, isTaken: false },
    { title: 'takes a small version of a higher generation', generation: 8, version: 1, isTaken: true },
    { title: 'drops a large version of a lower generation', generation: 6, version: 99, isTaken: false },
  ]) {
    it(title, () => {
      const cache = new RoutingCache();
      cache.absorb(tableOf(5, ['old:1']));
      expect(cache.absorb(tableOf(version, ['new:1'], generation))).to.equal(isTaken);
      expect(cache.pick(parseUid(0))).to.equal(isTaken ? 'new:1' : 'old:1');
    });
  }

  it('takes what changed since the table in use, drops what is older, and says when only a whole table helps', () => {
    const [one, two, three] = [tableOf(1, ['a:1', 'b:1']), tableOf(2, ['a:1', 'c:1']), tableOf(3, ['d:1', 'c:1'])];
    const cache = new RoutingCache();
    expect(cache.absorbDelta(diffTables(one, two)!), 'without a table').to.equal('misfit');
    cache.absorb(one);
    expect(cache.absorbDelta(diffTables(two, three)!), 'of a table that it never had').to.equal('misfit');
    expect(cache.absorbDelta(diffTables(one, two)!)).to.equal(true);
    expect([cache.pick(parseUid(0)), cache.pick(parseUid(100)), cache.version.value]).to.deep.equal(['a:1', 'c:1', 2]);
    expect(cache.absorbDelta(diffTables(one, two)!), 'again').to.equal(false);
  });

  it('refuses a uid outside the set with the value and the range', () => {
    const cache = new RoutingCache();
    cache.absorb(tableOf(1, ['a:1']));
    expect(() => cache.pick(parseUid(100)))
      .to.throw(/\[0, 99\], got 100/)
      .with.property('code', 'INVALID_ARGUMENT');
  });

  it('refuses the table of another cluster, told by its geometry', () => {
    const cache = new RoutingCache();
    cache.absorb(tableOf(1, ['a:1']));
    expect(() => cache.absorb(tableOf(2, ['x:1', 'y:1'])))
      .to.throw(/another cluster/)
      .with.property('code', 'PROTOCOL');
    expect(cache.pick(parseUid(0))).to.equal('a:1');
  });
});
