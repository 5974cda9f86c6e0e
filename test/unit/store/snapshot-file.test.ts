import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { SnapshotDamageError } from '../../../src/store/damage.js';
import { countsOf, stateOf } from '../../../src/store/snapshot-check.js';
import { readSnapshotFile, SnapshotWriter } from '../../../src/store/snapshot-file.js';
import { TestFolder } from './disk.js';
import { dump } from './fixture.js';
import { titleOf, usedCluster, writeSnapshot } from './snapshot-stage.js';

describe('a snapshot file', () => {
  let folder: TestFolder;
  let file: string;

  beforeEach(async () => {
    folder = await TestFolder.make();
    file = folder.in('a.snap');
  });

  afterEach(() => folder.remove());

  it('holds the state it was made from, and says what it is', async () => {
    const store = usedCluster();
    await writeSnapshot(file, store);
    const found = await readSnapshotFile(file);
    const { data, totalBytes, sha256, ...title } = titleOf(store);
    expect(found.header).to.deep.equal({ ...title, dataBytes: totalBytes, dataSha256: sha256.toString('hex'), writtenBy: 'test' });
    expect(Buffer.from(found.data).equals(data)).to.equal(true);
    const { state } = stateOf(found, file);
    expect(dump(state)).to.deep.equal(dump(store.state));
    expect(countsOf(state)).to.deep.include({ sections: 70, sectionsUsed: 3, allocs: 1, maxSeq: 5_000n });
    expect(readdirSync(folder.path), 'nothing is left beside it').to.deep.equal(['a.snap']);
  });

  it('is refused when any one byte of it is another, and when any number of bytes is cut off', async () => {
    await writeSnapshot(file, usedCluster());
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += 1) {
      const spoilt = Buffer.from(whole);
      spoilt[at]! ^= 1 << (at % 8);
      await expectRefusal(spoilt, `byte ${at}`);
    }
    for (const length of [0, 7, 8, 15, 47, 48, whole.length - 33, whole.length - 1])
      await expectRefusal(whole.subarray(0, length), `cut to ${length}`);
  });

  it('of another format is told from a damaged one', async () => {
    await writeSnapshot(file, usedCluster());
    const body = readFileSync(file).subarray(0, -32);
    body.writeUInt32BE(2, 8);
    writeFileSync(file, Buffer.concat([body, createHash('sha256').update(body).digest()]));
    const error = await readSnapshotFile(file).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(SeqError.is(error, 'INVALID_ARGUMENT') && error.message).to.contain('has format 2, this program reads 1');
  });

  it('is not there before it is whole, and not at all when what came is not what was announced', async () => {
    const { data, ...title } = titleOf(usedCluster());
    const short = await SnapshotWriter.begin(file, title, 'test');
    await short.add(data.subarray(0, 10));
    expect(readdirSync(folder.path)).to.deep.equal(['.a.snap.partial']);
    expect(await failureOf(short.finish())).to.contain('only 10 of');
    const other = await SnapshotWriter.begin(file, title, 'test');
    await other.add(Buffer.from(data).fill(1, 3, 4));
    expect(await failureOf(other.finish())).to.contain('sha256');
    const long = await SnapshotWriter.begin(file, title, 'test');
    await long.add(data);
    expect(await failureOf(long.add(Buffer.alloc(1)))).to.contain('more than the');
    await long.discard();
    expect(readdirSync(folder.path)).to.deep.equal([]);
  });

  it('is not to be used when its header speaks of another state', async () => {
    const store = usedCluster();
    const rows = [{ clusterId: 'd'.repeat(32) }, { stateHash: 'ab' }, { version: { generation: 1, value: 1 } }];
    for (const change of rows) {
      await writeSnapshot(file, store, change);
      const found = await readSnapshotFile(file);
      expect(() => stateOf(found, file), JSON.stringify(change)).to.throw(SnapshotDamageError, 'its header says');
    }
  });

  async function expectRefusal(bytes: Uint8Array, what: string): Promise<void> {
    writeFileSync(file, bytes);
    const error = await readSnapshotFile(file).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    // A beginning that is not ours makes it another file.
    expect(error instanceof SnapshotDamageError || SeqError.is(error, 'INVALID_ARGUMENT'), what).to.equal(true);
  }
});

function failureOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'nothing',
    (error: unknown) => String(error),
  );
}
