import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SectionCounters } from '../../../src/alloc/counters.js';
import { CountersFile } from '../../../src/alloc/saved-counters.js';
import { sealedFrom } from '../../../src/alloc/sealed-counters.js';
import type { AllocId, Epoch, SectionId, Seq, Slot } from '../../../src/model/ids.js';

const CLUSTER = 'c'.repeat(32);
const UID_COUNT = 2500;
const WHOSE = { clusterId: CLUSTER, uidCountOf: () => UID_COUNT };

/** What a sealed section with these counters leaves behind. */
function sealed(section: number, taken: readonly (readonly [slot: number, count: number])[]) {
  const counters = new SectionCounters({ uidCount: UID_COUNT, base: 100n as Seq, maxSeq: 10_000n as Seq });
  for (const [slot, count] of taken) counters.next(slot as Slot, count);
  return sealedFrom(section as SectionId, 3 as Epoch, counters);
}

describe('CountersFile', () => {
  let dir: string;
  let folder: string;
  let path: string;
  let file: CountersFile;
  const all = [
    sealed(4, [
      [0, 5],
      [1024, 7],
    ]),
    sealed(9, [[2499, 300]]),
  ];
  const refusal = async (whose = WHOSE): Promise<string> => {
    const found = await file.load(whose);
    return 'refused' in found ? found.refused : expect.fail('it was not refused');
  };
  const load = async () => {
    const found = await file.load(WHOSE);
    return 'refused' in found ? expect.fail(found.refused) : found;
  };

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'seqsvr-counters-'));
    folder = join(dir, 'new', 'folder');
    path = join(folder, 'counters');
    file = new CountersFile(folder, 'a' as AllocId);
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('gives back what was saved, digests included', async () => {
    expect(await load()).to.deep.equal([]);
    expect(await file.save(all, CLUSTER)).to.equal(readFileSync(path).length);
    const found = await load();
    expect(found.map(({ section, epoch, trueMax, defaultSeq, digest }) => [section, epoch, trueMax, defaultSeq, digest])).to.deep.equal(
      all.map(({ section, epoch, trueMax, defaultSeq, digest }) => [section, epoch, trueMax, defaultSeq, digest]),
    );
    for (const installed of found) {
      const counters = new SectionCounters({ uidCount: UID_COUNT, base: installed.trueMax, maxSeq: 10_000n as Seq, installed });
      expect(counters.digest()).to.equal(installed.digest);
    }
  });

  it('is synced before it takes its name, and the folder after that: a power cut leaves the former one or all of this one', async () => {
    await file.save(all, CLUSTER);
    const syncs: (readonly string[])[] = [];
    const restore = await onSync(path, () => syncs.push(readdirSync(folder)));
    await file.save(all.slice(1), CLUSTER).finally(restore);
    expect(syncs).to.deep.equal([['counters', 'counters.new'], ['counters']]);
  });

  it('replaces the former one as a whole, and leaves nothing else behind', async () => {
    await file.save(all, CLUSTER);
    await file.save(all.slice(1), CLUSTER);
    expect(await load()).to.have.length(1);
    expect(readdirSync(folder)).to.deep.equal(['counters']);
    expect([await file.remove(), await file.remove()]).to.deep.equal([undefined, undefined]);
    expect(readdirSync(folder)).to.deep.equal([]);
  });

  it('is not taken away by a removal that began before it', async () => {
    await file.save(all, CLUSTER);
    void file.remove();
    await file.save(all, CLUSTER);
    expect(await load()).to.have.length(2);
  });

  it('is refused when any of its bytes is another one, or missing', async () => {
    await file.save(all, CLUSTER);
    const bytes = readFileSync(path);
    for (let at = 0; at < bytes.length; at += 37) {
      const damaged = Buffer.from(bytes);
      damaged[at]! ^= 1 << (at % 8);
      writeFileSync(path, damaged);
      expect(await refusal(), `byte ${at}`).to.include('damaged');
      writeFileSync(path, bytes.subarray(0, at));
      expect(await refusal(), `cut at ${at}`).to.include('damaged');
    }
    writeFileSync(path, Buffer.concat([bytes, Buffer.from('x')]));
    expect(await refusal()).to.include('damaged');
  });

  it('is refused when it is of another AllocSvr or cluster, or not to be read', async () => {
    await new CountersFile(folder, 'b' as AllocId).save(all, CLUSTER);
    expect(await refusal()).to.include('is not of AllocSvr a');
    await file.save(all, CLUSTER);
    expect(await refusal({ ...WHOSE, clusterId: 'd'.repeat(32) })).to.include('dddd');
    expect(await refusal({ ...WHOSE, uidCountOf: () => 100 }), 'sections of another size').to.include('not one');
    rmSync(path);
    writeFileSync(folder.replace('folder', 'other'), '');
    file = new CountersFile(folder.replace('folder', 'other'), 'a' as AllocId);
    expect(await refusal()).to.include('cannot be read');
  });
});

/** Calls `tell` with every sync of a file or a folder, until what it returns is called. `path`: any file. */
async function onSync(path: string, tell: () => void): Promise<() => void> {
  const handle = await open(path);
  const prototype: { sync: (this: unknown) => Promise<void> } = Object.getPrototypeOf(handle);
  await handle.close();
  const { sync } = prototype;
  prototype.sync = async function (this: unknown) {
    tell();
    await sync.call(this);
  };
  return () => void (prototype.sync = sync);
}
