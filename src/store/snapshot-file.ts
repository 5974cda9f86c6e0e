import { createHash, type Hash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { SeqError } from '../base/errors.js';
import { SnapshotDamageError } from './damage.js';
import { syncDirectory } from './identity-file.js';
import { decodeHeader, encodeHeader, type SnapshotHeader } from './snapshot-header.js';
import { SNAPSHOT_BYTES_MAX } from './snapshot-intake.js';
import type { SnapshotTitle } from './snapshot-title.js';

/**
 * A backup of a cluster in one file:
 *
 *   8 B 'SEQSNAP' and a zero | u32 format | u32 bytes of the header | header, JSON | the state, a StateSnapshot
 *   | 32 B SHA-256 of everything above
 *
 * Numbers are big-endian. The beginning, up to the format, and the SHA-256 at the end are the same in every format to come, so that
 * a file of another version is told from a damaged one.
 */
const MAGIC = Buffer.of(0x53, 0x45, 0x51, 0x53, 0x4e, 0x41, 0x50, 0);
export const SNAPSHOT_FORMAT = 1;
const START_BYTES = 16;
const SHA256_BYTES = 32;
/** Far more than a header has. */
const HEADER_BYTES_MAX = 65_536;
const FILE_BYTES_MAX = START_BYTES + HEADER_BYTES_MAX + SNAPSHOT_BYTES_MAX + SHA256_BYTES;

export interface SnapshotFile {
  readonly header: SnapshotHeader;
  readonly data: Uint8Array;
}

/**
 * Throws INVALID_ARGUMENT when there is no such file, it is no snapshot, or one of a format that this program does not read;
 * SnapshotDamageError when a single bit of it is not what was written.
 */
export async function readSnapshotFile(path: string): Promise<SnapshotFile> {
  const bytes = await readWhole(path);
  const damaged = (what: string, cause?: unknown): SnapshotDamageError => new SnapshotDamageError(`snapshot ${path} is damaged: ${what}`, { cause });
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new SeqError('INVALID_ARGUMENT', `${path} is no snapshot of seqsvr`);
  if (bytes.length < START_BYTES + SHA256_BYTES) throw damaged(`only ${bytes.length} bytes are there`);
  const bodyEnd = bytes.length - SHA256_BYTES;
  const sha256 = createHash('sha256').update(bytes.subarray(0, bodyEnd)).digest();
  if (!sha256.equals(bytes.subarray(bodyEnd))) throw damaged('its checksum does not match: it was cut short, or changed');
  // Only now: a checksum that holds says that another version wrote it.
  const format = bytes.readUInt32BE(MAGIC.length);
  if (format !== SNAPSHOT_FORMAT)
    throw new SeqError(
      'INVALID_ARGUMENT',
      `snapshot ${path} has format ${format}, this program reads ${SNAPSHOT_FORMAT}: use the version that wrote it`,
    );
  const dataAt = START_BYTES + bytes.readUInt32BE(MAGIC.length + 4);
  const header = dataAt > bodyEnd ? undefined : decodeHeader(bytes.subarray(START_BYTES, dataAt));
  if (header === undefined) throw damaged('its header cannot be read');
  if (header.dataBytes !== bodyEnd - dataAt) throw damaged(`it holds ${bodyEnd - dataAt} bytes of state, its header says ${header.dataBytes}`);
  return { header, data: bytes.subarray(dataAt, bodyEnd) };
}

/** Writes a snapshot beside its place and puts it there once it is whole and on disk. A file of that name stays until then. */
export class SnapshotWriter {
  readonly #path: string;
  readonly #partialPath: string;
  readonly #file: FileHandle;
  readonly #title: SnapshotTitle;
  readonly #hash = createHash('sha256');
  readonly #dataHash = createHash('sha256');
  #dataBytes = 0;

  private constructor(path: string, parts: { readonly partialPath: string; readonly file: FileHandle; readonly title: SnapshotTitle }) {
    this.#path = path;
    this.#partialPath = parts.partialPath;
    this.#file = parts.file;
    this.#title = parts.title;
  }

  /** Begins over what an earlier try has left. `writtenBy`: the program's version. Whoever made it calls `finish` or `discard`. */
  static async begin(path: string, title: SnapshotTitle, writtenBy: string): Promise<SnapshotWriter> {
    const partialPath = partialOf(path);
    const file = await open(partialPath, 'w');
    const writer = new SnapshotWriter(path, { partialPath, file, title });
    const header = encodeHeader(title, writtenBy);
    const start = Buffer.alloc(START_BYTES);
    MAGIC.copy(start);
    start.writeUInt32BE(SNAPSHOT_FORMAT, MAGIC.length);
    start.writeUInt32BE(header.length, MAGIC.length + 4);
    try {
      await writer.#append(Buffer.concat([start, header]), writer.#hash);
      return writer;
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  /** The next bytes of the state. Throws PROTOCOL when there are more than the title said. */
  async add(chunk: Uint8Array): Promise<void> {
    this.#dataBytes += chunk.length;
    if (this.#dataBytes > this.#title.totalBytes) throw new SeqError('PROTOCOL', `more than the ${this.#title.totalBytes} bytes that were announced`);
    this.#dataHash.update(chunk);
    await this.#append(chunk, this.#hash);
  }

  /** Resolves when it is in its place, for good, with its size. Throws PROTOCOL when it is not what the title said; discards it whenever it throws. */
  async finish(): Promise<number> {
    try {
      if (this.#dataBytes !== this.#title.totalBytes)
        throw new SeqError('PROTOCOL', `only ${this.#dataBytes} of ${this.#title.totalBytes} bytes came`);
      if (!this.#dataHash.digest().equals(this.#title.sha256))
        throw new SeqError('PROTOCOL', 'the state does not have the sha256 it was announced with');
      await this.#file.appendFile(this.#hash.digest());
      // On disk BEFORE it has its name: a name stands for a whole file.
      await this.#file.sync();
      const { size } = await this.#file.stat();
      await this.#file.close();
      await rename(this.#partialPath, this.#path);
      await syncDirectory(dirname(this.#path));
      return size;
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  async discard(): Promise<void> {
    await this.#file.close();
    await rm(this.#partialPath, { force: true });
  }

  async #append(bytes: Uint8Array, hash: Hash): Promise<void> {
    hash.update(bytes);
    await this.#file.appendFile(bytes);
  }
}

/** Where a snapshot is written before it is whole. Two that write to one place at once spoil each other's, and the checksums tell. */
export function partialOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.partial`);
}

async function readWhole(path: string): Promise<Buffer> {
  if (!existsSync(path)) throw new SeqError('INVALID_ARGUMENT', `there is no file ${path}`);
  const about = await stat(path);
  if (!about.isFile()) throw new SeqError('INVALID_ARGUMENT', `${path} is no file`);
  if (about.size > FILE_BYTES_MAX)
    throw new SeqError('INVALID_ARGUMENT', `${path} has ${about.size} bytes, a snapshot has at most ${FILE_BYTES_MAX}`);
  const file = await open(path, 'r');
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}
