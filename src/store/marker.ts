import { crc32 } from 'node:zlib';
import type { Index, NodeId, Term } from '../raft/types.js';
import { DamageError } from './damage.js';
import { type Disk, type DiskFile, realDisk } from './disk.js';

/** What must at least be in the database: written only after the database has it. */
export interface Mark {
  readonly term: Term;
  readonly votedFor: NodeId | undefined;
  /** The log reaches at least this far. */
  readonly lastIndex: Index;
  /** Hash of the chunk that ends there; undefined when none ends there. */
  readonly lastHash: Uint8Array | undefined;
}

const EMPTY: Mark = { term: 0, votedFor: undefined, lastIndex: 0, lastHash: undefined };

/**
 *   u8 format | u8 has hash | u48 sequence | u48 term | u48 votedFor (0 none) | u48 lastIndex | 16 B hash | u32 crc32
 *
 * Two slots are written in turn, so that a torn write leaves the one before.
 */
const FORMAT = 1;
const SLOT_BYTES = 512;
const CRC_AT = 42;
/** No file was ever written so often; one more would not fit. */
const SEQUENCE_MAX = 2 ** 48 - 1;

/**
 * A second, small memory outside the database of how far it was written (DESIGN 3.6): a database that lost its tail,
 * its last vote or all of itself is told by it. It may lag by one write, and never leads.
 */
export class Marker {
  readonly #file: DiskFile;
  #sequence: number;
  #isClosed = false;
  mark: Mark;

  private constructor(file: DiskFile, sequence: number, mark: Mark) {
    this.#file = file;
    this.#sequence = sequence;
    this.mark = mark;
  }

  /** Begins anew: what a start that was cut short left there is gone. */
  static async create(path: string, mark = EMPTY, disk: Pick<Disk, 'openFile'> = realDisk): Promise<Marker> {
    const marker = new Marker(await disk.openFile(path, 'w+'), 0, mark);
    try {
      await marker.write(mark);
      return marker;
    } catch (error) {
      await marker.close();
      throw error;
    }
  }

  /** Throws DamageError when there is none, or neither slot can be believed. */
  static async open(path: string, disk: Pick<Disk, 'openFile'> = realDisk): Promise<Marker> {
    const file = await disk.openFile(path, 'r+').catch((cause: unknown) => {
      // Any other reason says nothing about the data.
      throw isMissing(cause) ? new DamageError(`the marker file ${path} is gone`, { cause }) : cause;
    });
    const buffer = Buffer.alloc(2 * SLOT_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0).catch(async (error: unknown) => {
      await file.close();
      throw error;
    });
    const slots = [0, 1].map((slot) => decode(buffer.subarray(slot * SLOT_BYTES, Math.min((slot + 1) * SLOT_BYTES, bytesRead))));
    const newest = slots.filter((slot) => slot !== undefined).sort((one, other) => other.sequence - one.sequence)[0];
    if (newest === undefined) {
      await file.close();
      throw new DamageError(`the marker file ${path} has no slot that can be read`);
    }
    return new Marker(file, newest.sequence, newest.mark);
  }

  /** Resolves when the mark is on disk. One call at a time, and none after one that rejected. */
  async write(mark: Mark): Promise<void> {
    this.#sequence += 1;
    const { bytesWritten } = await this.#file.write(encode(this.#sequence, mark), 0, SLOT_BYTES, (this.#sequence % 2) * SLOT_BYTES);
    // A disk that is nearly full takes a part and calls it a success.
    if (bytesWritten !== SLOT_BYTES) throw new Error(`the marker must be written whole, the disk took ${bytesWritten} of ${SLOT_BYTES} bytes`);
    await this.#file.datasync();
    this.mark = mark;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function encode(sequence: number, { term, votedFor, lastIndex, lastHash }: Mark): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES);
  slot.writeUInt8(FORMAT, 0);
  slot.writeUInt8(lastHash === undefined ? 0 : 1, 1);
  slot.writeUIntBE(sequence, 2, 6);
  slot.writeUIntBE(term, 8, 6);
  slot.writeUIntBE(votedFor ?? 0, 14, 6);
  slot.writeUIntBE(lastIndex, 20, 6);
  if (lastHash !== undefined) slot.set(lastHash, 26);
  slot.writeUInt32BE(crc32(slot.subarray(0, CRC_AT)), CRC_AT);
  return slot;
}

function decode(slot: Buffer): { readonly sequence: number; readonly mark: Mark } | undefined {
  if (slot.length < SLOT_BYTES || slot.readUInt8(0) !== FORMAT) return undefined;
  if (slot.readUInt32BE(CRC_AT) !== crc32(slot.subarray(0, CRC_AT))) return undefined;
  const [hasHash, sequence, votedFor] = [slot.readUInt8(1), slot.readUIntBE(2, 6), slot.readUIntBE(14, 6)];
  if (hasHash > 1 || sequence >= SEQUENCE_MAX) return undefined;
  return {
    sequence,
    mark: {
      term: slot.readUIntBE(8, 6),
      votedFor: votedFor === 0 ? undefined : votedFor,
      lastIndex: slot.readUIntBE(20, 6),
      lastHash: hasHash === 1 ? Uint8Array.from(slot.subarray(26, CRC_AT)) : undefined,
    },
  };
}
