import { expect } from 'chai';
import { planSetAdd, refuseForeign } from '../../../src/cli/set-plan.js';
import { NO_SETS, type SetEntry, type SetMap } from '../../../src/model/sets.js';

const HOME: SetEntry = { name: 'main', firstUid: 0n, lastUid: 99n, seeds: ['m1:1'], clusterId: 'a'.repeat(32) };
const WEST: SetEntry = { name: 'west', firstUid: 100n, lastUid: 199n, seeds: ['w1:1', 'w2:1'], clusterId: 'b'.repeat(32) };
const EAST: SetEntry = { name: 'east', firstUid: 200n, lastUid: 299n, seeds: ['e1:1'], clusterId: 'c'.repeat(32) };
const MAP: SetMap = { version: 4, home: 'main', sets: [HOME, WEST] };

describe('set add', () => {
  it('makes the map with the home set in it on first use', () => {
    expect(planSetAdd(NO_SETS, { added: WEST, home: HOME })).to.deep.equal({ type: 'commit', map: { version: 1, home: 'main', sets: [HOME, WEST] } });
  });

  it('adds to the map there is; the name that --home would give counts no more', () => {
    const change = planSetAdd(MAP, { added: EAST, home: { ...HOME, name: 'other' } });
    expect(change).to.deep.equal({ type: 'commit', map: { version: 5, home: 'main', sets: [HOME, WEST, EAST] } });
  });

  it('repeated, only copies', () => {
    const again = { ...WEST, seeds: ['w2:1', 'w1:1'] };
    expect(planSetAdd(MAP, { added: again, home: HOME })).to.deep.equal({ type: 'copyOnly', map: MAP });
  });

  it('changes the seeds of a set that is there', () => {
    const change = planSetAdd(MAP, { added: { ...WEST, seeds: ['w9:1'] }, home: HOME });
    expect([change.type, change.map.version, change.map.sets[1]?.seeds]).to.deep.equal(['commit', 5, ['w9:1']]);
  });

  const wrong: readonly [string, SetMap, SetEntry, string][] = [
    ['a set whose uids overlap', MAP, { ...EAST, firstUid: 199n }, 'overlap at uid 199'],
    ['another cluster under a name that is taken', MAP, { ...EAST, name: 'west' }, 'set west is 100..199'],
    ['a cluster that is there under another name', MAP, { ...EAST, clusterId: WEST.clusterId }, 'every clusterId must be there once'],
    ['the home set itself', NO_SETS, { ...HOME, name: 'west' }, '--endpoints names the home set, --seeds another one'],
  ];
  for (const [what, before, added, words] of wrong) {
    it(`refuses ${what}`, () => {
      expect(() => planSetAdd(before, { added, home: HOME })).to.throw(words);
    });
  }

  it('refuses a set that takes its word from another home set already', () => {
    const own: SetMap = { version: 2, home: 'east', sets: [EAST, WEST] };
    expect(() => refuseForeign(own, { added: WEST, homeId: HOME.clusterId })).to.throw('its home set is east');
    refuseForeign(own, { added: WEST, homeId: EAST.clusterId });
    refuseForeign(NO_SETS, { added: WEST, homeId: HOME.clusterId });
  });
});
