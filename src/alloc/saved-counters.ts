import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf } from '../base/errors.js';
import { type AllocId, type SectionId, toSectionId } from '../model/ids.js';
import { digestFromWire, digestToWire, epochFromWire, seqFromWire } from '../rpc/codec.js';
import { PullResponse } from '../rpc/gen/seqsvr/v1/handoff.js';
import type { SavedCounters } from './handover.js';
import type { SealedCounters } from './sealed-counters.js';
import { Stage } from './stage.js';

const FILE = 'counters';
/** First line of the file: what it is, and whose. */
const MAGIC = 'seqsvr counters 1';
/** A file above it is not read, in bytes: it would not be one of ours. */
const FILE_BYTES_MAX = 4 * 2 ** 30;
const SHA_BYTES = 32;

/**
 * Counters in a file, for a clean stop with nobody to take over (DESIGN 3.2): a line that says whose they are, a
 * length-prefixed record for each section, SHA-256 of all that. Whether the counters count is decided by the digest in the
 * Raft log, so an old copy of the file is as good as none.
 */
export class CountersFile implements SavedCounters {
  readonly #folder: string;
  readonly #owner: AllocId;
  #removing: Promise<string | undefined> | undefined;

  constructor(folder: string, owner: AllocId) {
    this.#folder = folder;
    this.#owner = owner;
  }

  async save(sealed: readonly SealedCounters[], clusterId: string): Promise<number> {
    // What is on its way out must not take the new one with it.
    await this.#removing;
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, FILE);
    const hash = createHash('sha256');
    let written = 0;
    const file = await open(`${path}.new`, 'w');
    try {
      const put = async (bytes: Uint8Array): Promise<void> => {
        hash.update(bytes);
        await file.writeFile(bytes);
        written += bytes.length;
      };
      await put(Buffer.from(this.#head(clusterId)));
      for (const each of sealed) {
        const record = recordOf(each);
        const length = Buffer.alloc(4);
        length.writeUInt32LE(record.length);
        await put(length);
        await put(record);
      }
      await file.writeFile(hash.digest());
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.new`, path);
    const folder = await open(this.#folder, 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return written + SHA_BYTES;
  }

  async load({ clusterId, uidCountOf }: Parameters<SavedCounters['load']>[0]): Promise<readonly SealedCounters[] | { readonly refused: string }> {
    const path = join(this.#folder, FILE);
    let bytes: Buffer;
    try {
      bytes = await readFile(path);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      return { refused: `${path} cannot be read: ${messageOf(error)}` };
    }
    if (bytes.length > FILE_BYTES_MAX) return { refused: `${path} is too large: ${bytes.length} bytes` };
    const [content, sha] = [bytes.subarray(0, -SHA_BYTES), bytes.subarray(-SHA_BYTES)];
    if (bytes.length < SHA_BYTES || !createHash('sha256').update(content).digest().equals(sha))
      return { refused: `${path} is damaged, or was not written to its end` };
    const head = Buffer.from(this.#head(clusterId));
    if (!content.subarray(0, head.length).equals(head)) return { refused: `${path} is not of AllocSvr ${this.#owner} in cluster ${clusterId}` };
    return sectionsIn(content.subarray(head.length), uidCountOf);
  }

  remove(): Promise<string | undefined> {
    this.#removing = rm(join(this.#folder, FILE), { force: true }).then(
      () => undefined,
      (error: unknown) => `the counters that are of no more use could not be removed: ${messageOf(error)}`,
    );
    return this.#removing;
  }

  #head(clusterId: string): string {
    return `${MAGIC} ${clusterId} ${this.#owner}\n`;
  }
}

function recordOf(sealed: SealedCounters): Uint8Array {
  const { section, epoch, defaultSeq, trueMax, digest } = sealed;
  const pages = [...sealed.touchedPages()].map((page) => {
    const { bytes } = sealed.copyPage(page);
    return { section, page, counters: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) };
  });
  return PullResponse.encode({
    pages,
    sealed: [{ section, epoch: BigInt(epoch), defaultSeq, trueMax, digest: digestToWire(digest) }],
    refused: [],
  }).finish();
}

/** The hash of the file has been checked; each record is checked as what comes from another AllocSvr is. */
function sectionsIn(content: Buffer, uidCountOf: (section: SectionId) => number): readonly SealedCounters[] | { readonly refused: string } {
  const found: SealedCounters[] = [];
  try {
    for (let at = 0; at < content.length; ) {
      const length = content.readUInt32LE(at);
      const { pages, sealed } = PullResponse.decode(content.subarray(at + 4, at + 4 + length));
      at += 4 + length;
      for (const seal of sealed) {
        const section = toSectionId(seal.section);
        const epoch = epochFromWire(seal.epoch);
        const stage = new Stage({ section, epoch, uidCount: uidCountOf(section) });
        for (const { page, counters } of pages) stage.add({ page, bytes: counters });
        stage.end({ epoch, defaultSeq: seqFromWire(seal.defaultSeq), trueMax: seqFromWire(seal.trueMax), digest: digestFromWire(seal.digest) });
        found.push(stage);
      }
    }
  } catch (error) {
    return { refused: `a record of the file is not one: ${messageOf(error)}` };
  }
  return found;
}
