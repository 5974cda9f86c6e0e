import { expect } from 'chai';
import { checkHistory, showViolations } from '../../src/verify/check-history.js';
import { TestCluster } from './cluster.js';
import { History } from './history.js';
import { failedOf, latencyMs, Steady } from './steady.js';
import { pause, until } from './until.js';

const SECTIONS = 6;
const UIDS_PER_SECTION = 100;
const SET_SIZE = SECTIONS * UIDS_PER_SECTION;
const DOWN_MS = 4_000;

/** Two sets of real processes that share nothing, and one client for both, begun at the seeds of one. */
describe('two sets, of which one is lost', function () {
  this.timeout(120_000);
  this.bail(true);
  const history = new History();
  const uidsOf = (set: number): bigint[] => Array.from({ length: SECTIONS }, (_, at) => BigInt(set * SET_SIZE + at * UIDS_PER_SECTION));
  let east: TestCluster;
  let west: TestCluster;
  let steady: Steady;
  let hasFailed = false;

  before(async () => {
    const set = (number: number) => ({
      geometry: { firstUid: number * SET_SIZE, lastUid: (number + 1) * SET_SIZE - 1, uidsPerSection: UIDS_PER_SECTION },
    });
    [east, west] = await Promise.all([
      TestCluster.start({ stores: 1, allocs: 2, storeConfig: set(0) }),
      TestCluster.start({ stores: 1, allocs: 1, storeConfig: set(1) }),
    ]);
    const added = await east.run('set', 'add', 'west', '--home', 'east', '--seeds', west.storeEndpoints, '--yes', '--endpoints', east.storeEndpoints);
    expect(added.code, added.stderr).to.equal(0);
    steady = await Steady.start({ endpoints: east.endpoints, uids: [...uidsOf(0), ...uidsOf(1)], history, clients: 2 });
    await until('every uid of both sets was called', 20_000, () => new Set(steady.samples.map(({ uid }) => uid)).size === 2 * SECTIONS || undefined);
    await pause(2_000);
  });

  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    hasFailed = true;
    console.error(east.lastWords());
    console.error(west.lastWords());
  });

  after(async () => {
    await steady?.stop();
    await east?.dispose({ keep: hasFailed });
    await west?.dispose({ keep: hasFailed });
  });

  it('leaves the other untouched: no call of it fails or takes longer', async () => {
    const ofEast = ({ uid }: { readonly uid: bigint }): boolean => uid < BigInt(SET_SIZE);
    const quiet = steady.samples.filter(ofEast);
    const fromNs = history.nowNs();
    await west.killAll();
    await pause(DOWN_MS);
    const down = steady.within(fromNs, history.nowNs()).filter(ofEast);
    const lost = steady.samples.filter((sample) => !ofEast(sample) && sample.fromNs > fromNs);
    console.log(
      `      a whole set killed: ${down.length} calls on the other, ${failedOf(down).length} failed, p99 ${latencyMs(down, 0.99).toFixed(1)} ms, ` +
        `${latencyMs(quiet, 0.99).toFixed(1)} ms before; ${lost.filter(({ seq }) => seq !== undefined).length} calls on the lost one answered`,
    );
    expect(down.length).to.be.above(100);
    expect(failedOf(down)).to.deep.equal([]);
    expect(lost.filter(({ seq }) => seq !== undefined)).to.deep.equal([]);
  });

  it('finds it again when it is back, and every number was given once and in order', async () => {
    await west.startAll();
    const fromNs = history.nowNs();
    await until('the lost set answers', 60_000, () => {
      const back = steady.samples.filter(({ uid, seq, fromNs: begun }) => uid >= BigInt(SET_SIZE) && seq !== undefined && begun > fromNs);
      return new Set(back.map(({ uid }) => uid)).size === SECTIONS || undefined;
    });
    await steady.stop();
    const { violations, answeredCount } = checkHistory(history.operations);
    console.log(`      ${answeredCount} operations checked`);
    expect(violations.length, showViolations(violations)).to.equal(0);
  });
});
