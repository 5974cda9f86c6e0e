import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { backupName, backupsIn, judge, newestGood, prune } from '../../../src/store/backup-folder.js';
import { TestFolder } from './disk.js';
import { TAKEN_AT_MS, usedCluster, writeSnapshot } from './snapshot-stage.js';

const HOUR_MS = 3_600_000;

describe('a folder of backups', () => {
  let folder: TestFolder;

  beforeEach(async () => {
    folder = await TestFolder.make();
  });

  afterEach(() => folder.remove());

  it('has names that sort as time went', () => {
    const names = [0, 1, 999, 1_000, 10 * HOUR_MS, 400 * 24 * HOUR_MS].map((laterMs) => backupName(TAKEN_AT_MS + laterMs));
    expect([...names].sort()).to.deep.equal(names);
    expect(names[0]).to.equal('20251009T085320000Z.snap');
  });

  it('lists the backups, newest first, and nothing else that lies there', async () => {
    const paths = await backupsAt(0, 2, 1);
    for (const name of ['notes.txt', '.20251009T085320000Z.snap.partial', 'mine.snap']) writeFileSync(folder.in(name), '');
    expect(await backupsIn(folder.path)).to.deep.equal([paths[1], paths[2], paths[0]]);
  });

  it('keeps the newest good ones, and removes what is older than all of them', async () => {
    const paths = await backupsAt(0, 1, 2, 3);
    spoil(paths[2]!);
    expect(await prune(folder.path, 2)).to.deep.equal([paths[0]]);
    expect(readdirSync(folder.path).length, 'the bad one between stays').to.equal(3);
  });

  it('never removes the last good one, however many bad ones are newer', async () => {
    const paths = await backupsAt(0, 1, 2, 3);
    for (const path of paths.slice(1)) spoil(path);
    expect(await prune(folder.path, 1)).to.deep.equal([]);
    expect((await newestGood(folder.path))?.path).to.equal(paths[0]);
    spoil(paths[0]!);
    expect(await prune(folder.path, 1)).to.deep.equal([]);
    expect(await newestGood(folder.path)).to.equal(undefined);
    expect(await judge(paths[0]!)).to.deep.include({ state: 'bad' });
  });

  async function backupsAt(...hours: readonly number[]): Promise<string[]> {
    const paths: string[] = [];
    for (const hour of hours) {
      const path = folder.in(backupName(TAKEN_AT_MS + hour * HOUR_MS));
      await writeSnapshot(path, usedCluster());
      paths.push(path);
    }
    return paths;
  }
});

function spoil(path: string): void {
  writeFileSync(path, readFileSync(path).subarray(0, -1));
}
