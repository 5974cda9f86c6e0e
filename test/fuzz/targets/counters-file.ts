import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SectionCounters } from '../../../src/alloc/counters.js';
import { CountersFile } from '../../../src/alloc/saved-counters.js';
import { type SealedCounters, sealedFrom } from '../../../src/alloc/sealed-counters.js';
import { parseAllocId, toEpoch, toSectionId } from '../../../src/model/ids.js';
import { digestToWire } from '../../../src/rpc/codec.js';
import { PullResponse } from '../../../src/rpc/gen/seqsvr/v1/handoff.js';
import { mustHold, type Target } from '../target.js';
import { scratch } from '../scratch.js';
import { countersOf } from './handoff.js';

const CLUSTER = 'c'.repeat(32);
const OWNER = parseAllocId('a');
const HEAD = `seqsvr counters 1 ${CLUSTER} ${OWNER}\n`;
const SHA_BYTES = 32;
const UID_COUNT = 2_500;

export const countersFile: Target = {
  name: 'counters-file',
  about: 'the counters that a clean stop of everything saved, read at a start (alloc/saved-counters.ts)',
  shape: { parts: 'one', payload: 'raw', seal },
  generate(random) {
    const records = Array.from({ length: 1 + random.below(3) }, (_, at) =>
      recordOf(sealedFrom(toSectionId(at), toEpoch(1 + at), countersOf(random))),
    );
    return seal(Buffer.concat([Buffer.from(HEAD), ...records, Buffer.alloc(SHA_BYTES)]));
  },
  async feed(input) {
    const folder = scratch();
    writeFileSync(join(folder, 'counters'), input);
    const file = new CountersFile(folder, OWNER);
    const whose = { clusterId: CLUSTER, uidCountOf: () => UID_COUNT };
    const found = await file.load(whose);
    if ('refused' in found) return found.refused;
    for (const sealed of found) checkInstall(sealed);
    await file.save(found, CLUSTER);
    const again = await file.load(whose);
    mustHold(!('refused' in again) && show(again) === show(found), 'counters that were read are saved as they were');
    return `ok ${Math.min(found.length, 3)} sections`;
  },
};

function checkInstall(sealed: SealedCounters): void {
  const { trueMax } = sealed;
  const counters = new SectionCounters({ uidCount: UID_COUNT, base: trueMax, maxSeq: trueMax, installed: sealed });
  mustHold(counters.digest() === sealed.digest, 'counters that are installed have the digest that they were sealed with');
}

function show(found: readonly SealedCounters[]): string {
  return found.map(({ section, epoch, defaultSeq, trueMax, digest }) => [section, epoch, defaultSeq, trueMax, digest].join(' ')).join('\n');
}

function recordOf(sealed: SealedCounters): Buffer {
  const { section, epoch, defaultSeq, trueMax, digest } = sealed;
  const pages = [...sealed.touchedPages()].map((page) => ({ section, page, counters: Buffer.from(sealed.copyPage(page).bytes) }));
  const seals = [{ section, epoch: BigInt(epoch), defaultSeq, trueMax, digest: digestToWire(digest) }];
  const record = PullResponse.encode({ pages, sealed: seals, refused: [] }).finish();
  const length = Buffer.alloc(4);
  length.writeUInt32LE(record.length);
  return Buffer.concat([length, record]);
}

/** The hash of all that is before it. */
function seal(payload: Uint8Array): Uint8Array {
  if (payload.length < SHA_BYTES) return payload;
  const content = payload.subarray(0, -SHA_BYTES);
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}
