import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { openDataDir } from '../../../src/store/data-dir.js';
import { LevelStorage } from '../../../src/store/level-storage.js';
import { checkMembers } from '../../../src/store/founding.js';
import { Replica } from '../../../src/store/replica.js';
import { type RestoreOptions, restoreStores } from '../../../src/store/restore.js';
import { SeededRandom } from '../seeded-random.js';
import { errorOf, fail, TestFolder } from './disk.js';
import { GENERATION } from './fixture.js';
import { usedCluster } from './snapshot-stage.js';

const CLUSTER = 'd'.repeat(32);
const WALL_MS = (GENERATION + 100) * 1000;

describe('restoreStores', () => {
  let folder: TestFolder;

  beforeEach(async () => {
    folder = await TestFolder.make();
  });

  afterEach(() => folder.remove());

  it('makes a data directory for every founder, all with the same state at the same place of the log', async () => {
    const report = await restoreStores(options());
    expect(report).to.deep.include({ clusterId: CLUSTER, oldGeneration: GENERATION, newGeneration: GENERATION + 100, sectionsLifted: 70 });
    expect(report.dataDirs).to.deep.equal(['n1', 'n2', 'n3'].map((name) => folder.in('new', name)));
    const hashes = new Set<string>();
    for (const [at, path] of report.dataDirs.entries()) {
      const dataDir = await openDataDir(path, { clusterId: CLUSTER, nodeId: at + 1, random: new SeededRandom(9) });
      expect(await dataDir.isNew(), 'nothing is founded over it').to.equal(false);
      const opened = await LevelStorage.open(dataDir, { type: 'joining' }, fail);
      await opened.storage.close();
      const { state, hash } = new Replica(opened.state, () => undefined);
      hashes.add(hash);
      checkMembers(state, opened.confState);
      expect([opened.appliedIndex, opened.hardState]).to.deep.equal([43, { term: 8, votedFor: undefined, commitIndex: 43 }]);
      expect(state.member(at + 1)?.nodeUuid, 'the cluster knows this very directory').to.equal(dataDir.identity.nodeUuid);
      expect(state.sections[1]).to.deep.include({ owner: undefined, epoch: 2, base: 1_005_000n, maxSeq: 1_005_000n });
      expect(state.sections[69]).to.deep.include({ epoch: 1, base: 1_000_000n, maxSeq: 1_000_000n });
      expect(state.audit.at(-1)).to.deep.include({ kind: 'restore', sectionCount: 70 });
    }
    expect(hashes.size).to.equal(1);
  });

  it('is refused under the old cluster id, and where something is', async () => {
    expect(await errorOf(restoreStores(options({ clusterId: 'c'.repeat(32) })))).to.match(/has an id of its own/);
    mkdirSync(folder.in('new'));
    writeFileSync(folder.in('new', 'x'), '');
    expect(await errorOf(restoreStores(options()))).to.match(/is not empty \(it holds x\)/);
  });

  it('leaves nothing behind when it fails', async () => {
    expect(SeqError.is(await errorOf(restoreStores(options({ bump: 2n ** 63n }))), 'OUT_OF_RANGE')).to.equal(true);
    expect(readdirSync(folder.path)).to.deep.equal([]);
  });

  function options(change: Partial<RestoreOptions> = {}): RestoreOptions {
    return {
      replica: usedCluster().replica,
      at: { index: 42, term: 7 },
      clusterId: CLUSTER,
      members: [1, 2, 3].map((id) => ({ id, name: `n${id}`, peerAddress: `p${id}:1`, address: `h${id}:1` })),
      bump: 1_000_000n,
      folder: folder.in('new'),
      wallMs: WALL_MS,
      random: new SeededRandom(3),
      ...change,
    };
  }
});
