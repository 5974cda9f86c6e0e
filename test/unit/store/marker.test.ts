import { expect } from 'chai';
import { appendFile, open, truncate, writeFile } from 'node:fs/promises';
import { DamageError } from '../../../src/store/damage.js';
import { type Mark, Marker } from '../../../src/store/marker.js';
import { rewrite, TestFolder } from './disk.js';

const HASH = Uint8Array.from({ length: 16 }, (_, at) => at);
const SLOT_BYTES = 512;
/** Bytes of a slot that mean something: up to its crc, included. */
const USED_BYTES = 46;

describe('marker', () => {
  let folder: TestFolder;
  let path: string;

  beforeEach(async () => {
    folder = await TestFolder.make();
    path = folder.in('marker');
  });

  afterEach(() => folder.remove());

  it('says what was written last, with and without a vote and a hash', async () => {
    const marks: readonly Mark[] = [
      { term: 3, votedFor: 2, lastIndex: 10, lastHash: HASH },
      { term: 4, votedFor: undefined, lastIndex: 9, lastHash: undefined },
      { term: 2 ** 47, votedFor: 2 ** 40, lastIndex: 2 ** 47, lastHash: HASH },
    ];
    await (await Marker.create(path)).close();
    expect(await markIn(path)).to.deep.equal({ term: 0, votedFor: undefined, lastIndex: 0, lastHash: undefined });
    for (const mark of marks) {
      await write(path, mark);
      expect(await markIn(path)).to.deep.equal(mark);
    }
  });

  it('keeps the mark before when the newest slot was torn, cut off or flipped', async () => {
    for (let count = 1; count <= 4; count += 1) {
      await fill(path, count);
      const at = (count + 1) % 2 === 0 ? 0 : SLOT_BYTES;
      await rewrite(path, (bytes) => bytes.fill(0, at + 8, at + SLOT_BYTES));
      expect((await markIn(path)).lastIndex, `after ${count} writes`).to.equal(count - 1);
    }
  });

  it('notices every flipped bit of a slot: it never says something that was not written', async () => {
    await fill(path, 3);
    const newest = SLOT_BYTES * ((3 + 1) % 2);
    for (let bit = 0; bit < USED_BYTES * 8; bit += 1) {
      await rewrite(path, (bytes) => flip(bytes, newest * 8 + bit));
      expect((await markIn(path)).lastIndex, `bit ${bit}`).to.equal(2);
      await rewrite(path, (bytes) => flip(bytes, newest * 8 + bit));
    }
  });

  it('is damaged when neither slot can be believed', async () => {
    await fill(path, 3);
    await rewrite(path, (bytes) => flip(flip(bytes, 100), SLOT_BYTES * 8 + 100));
    await expectDamage(path, 'no slot');
  });

  it('is damaged when it is empty, cut into the first slot, of another format, or missing', async () => {
    for (const sizeBytes of [0, 1, SLOT_BYTES - 1]) {
      await fill(path, 1);
      await truncate(path, sizeBytes);
      await expectDamage(path, 'no slot');
    }
    await writeFile(path, Buffer.alloc(2 * SLOT_BYTES));
    await expectDamage(path, 'no slot');
    await expectDamage(folder.in('missing'), 'is gone');
  });

  it('does not mind what stands behind it', async () => {
    await fill(path, 2);
    await appendFile(path, 'more');
    expect((await markIn(path)).lastIndex).to.equal(2);
  });

  it('goes on in the other slot after it was opened again', async () => {
    await fill(path, 2);
    await write(path, { term: 1, votedFor: undefined, lastIndex: 77, lastHash: undefined });
    const newest = SLOT_BYTES * ((3 + 1) % 2);
    await rewrite(path, (bytes) => flip(bytes, newest * 8 + 50));
    expect((await markIn(path)).lastIndex).to.equal(2);
  });

  it('rejects when the disk took only a part of it, and does not say that it was written', async () => {
    const marker = await Marker.create(path);
    const handle = await open(folder.in('spare'), 'w');
    const file = Object.getPrototypeOf(handle) as { write: unknown };
    await handle.close();
    const { write } = file;
    file.write = async () => ({ bytesWritten: SLOT_BYTES - 1 });
    const error = await marker.write({ term: 1, votedFor: undefined, lastIndex: 5, lastHash: undefined }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    file.write = write;
    expect((error as Error | undefined)?.message).to.contain('511 of 512 bytes');
    expect(marker.mark.lastIndex).to.equal(0);
    await marker.close();
  });

  it('can be closed twice', async () => {
    const marker = await Marker.create(path);
    await marker.close();
    await marker.close();
  });
});

async function fill(path: string, count: number): Promise<void> {
  const marker = await Marker.create(path);
  for (let lastIndex = 1; lastIndex <= count; lastIndex += 1) await marker.write({ term: 1, votedFor: 2, lastIndex, lastHash: HASH });
  await marker.close();
}

async function write(path: string, mark: Mark): Promise<void> {
  const marker = await Marker.open(path);
  await marker.write(mark);
  await marker.close();
}

async function markIn(path: string): Promise<Mark> {
  const marker = await Marker.open(path);
  await marker.close();
  return marker.mark;
}

function flip(bytes: Buffer, bit: number): Buffer {
  bytes[bit >> 3]! ^= 1 << (bit & 7);
  return bytes;
}

async function expectDamage(path: string, why: string): Promise<void> {
  const error = await Marker.open(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).to.be.instanceOf(DamageError);
  expect((error as DamageError).message).to.contain(why);
}
