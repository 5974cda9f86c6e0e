import { crc32 } from 'node:zlib';
import type { Disk, DiskFile } from '../../../src/store/disk.js';
import { Marker } from '../../../src/store/marker.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { noise } from '../mutate.js';
import { mustHold, refusalOf, type Target } from '../target.js';

const SLOT_BYTES = 512;
const CRC_AT = 42;

/** The file as it was found: two slots, of which the newer one that can be believed counts. */
export const marker: Target = {
  name: 'marker',
  about: 'the marker file beside LevelDB, opened at a start (store/marker.ts)',
  shape: { parts: 'one', payload: 'raw', seal },
  generate(random) {
    const file = new MemoryFile(new Uint8Array());
    for (const at of [1, 2]) file.put(slotOf(random, at), (at % 2) * SLOT_BYTES);
    return file.bytes;
  },
  async feed(input) {
    const file = new MemoryFile(input);
    const disk: Pick<Disk, 'openFile'> = { openFile: () => Promise.resolve(file) };
    try {
      const opened = await Marker.open('marker', disk);
      const { mark } = opened;
      if (input.length >= 2 * SLOT_BYTES) {
        // The next write goes over the older slot and is the newer one from then on.
        await opened.write(mark);
        const again = await Marker.open('marker', disk);
        mustHold(JSON.stringify(again.mark) === JSON.stringify(mark), 'a mark that was read is written as it was');
      }
      await opened.close();
      return `ok ${mark.lastHash === undefined ? 'without' : 'with'} a hash`;
    } catch (error) {
      mustHold(file.isClosed, 'a marker that is refused is closed');
      return refusalOf(error, 'DamageError too');
    }
  },
};

class MemoryFile implements DiskFile {
  bytes: Buffer;
  isClosed = false;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes);
  }

  put(bytes: Uint8Array, position: number): void {
    const grown = Buffer.alloc(Math.max(this.bytes.length, position + bytes.length));
    grown.set(this.bytes);
    grown.set(bytes, position);
    this.bytes = grown;
  }

  read(buffer: Buffer, offset: number, length: number, position: number) {
    return Promise.resolve({ bytesRead: this.bytes.copy(buffer, offset, position, position + length) });
  }

  write(buffer: Buffer, offset: number, length: number, position: number) {
    this.put(buffer.subarray(offset, offset + length), position);
    return Promise.resolve({ bytesWritten: length });
  }

  datasync(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

function slotOf(random: SeededRandom, sequence: number): Uint8Array {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeUInt8(1, 0);
  slot.writeUInt8(random.below(2), 1);
  slot.writeUIntBE(sequence, 2, 6);
  for (const at of [8, 14, 20]) slot.writeUIntBE(random.pick([0, 1, 5, 2 ** 32, 2 ** 48 - 1]), at, 6);
  if (slot[1] === 1) slot.set(noise(random, 16), 26);
  return seal(slot);
}

/** The checksum of each slot that is whole. */
function seal(payload: Uint8Array): Uint8Array {
  const bytes = Buffer.from(payload);
  for (let at = 0; at + SLOT_BYTES <= bytes.length; at += SLOT_BYTES) bytes.writeUInt32BE(crc32(bytes.subarray(at, at + CRC_AT)), at + CRC_AT);
  return bytes;
}
