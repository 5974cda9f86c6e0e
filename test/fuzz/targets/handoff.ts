import { EventEmitter } from 'node:events';
import { Handover } from '../../../src/alloc/handover.js';
import { pullOver } from '../../../src/alloc/handoff-wire.js';
import { checkPage, slotCountOf } from '../../../src/alloc/counter-page.js';
import { SectionCounters } from '../../../src/alloc/counters.js';
import { OwnedSections } from '../../../src/alloc/owned-sections.js';
import type { SectionAllocator } from '../../../src/alloc/section-allocator.js';
import type { Assignment } from '../../../src/store/client.js';
import { SeqError } from '../../../src/base/errors.js';
import { parseAllocId, type Seq, type Slot, toEpoch, toSectionId } from '../../../src/model/ids.js';
import type { ChannelPool } from '../../../src/rpc/channel-pool.js';
import { PullResponse } from '../../../src/rpc/gen/seqsvr/v1/handoff.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { VirtualClock } from '../../unit/virtual-clock.js';
import { type Frame, packFrames, unpackFrames } from '../frames.js';
import { mustHold, type Outcome, type Target } from '../target.js';

const UID_COUNT = 2_500;
const SECTION = toSectionId(4);
const EPOCH = toEpoch(3);
const NEXT_EPOCH = toEpoch(4);
const RUN = { firstSection: SECTION, sectionCount: 1, epoch: NEXT_EPOCH, leaving: false };
/** Digest and base, as the release entry committed them. */
const COMMITTED_BYTES = 40;

/** First what was committed, then what the owner's stream brings, message by message. */
export const handoff: Target = {
  name: 'handoff',
  about: 'counters that the former owner sends, installed by the successor (alloc/handoff-wire.ts, handoff-intake.ts, stage.ts, counter-page.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate(random) {
    const counters = countersOf(random);
    const committed = Buffer.alloc(COMMITTED_BYTES);
    committed.set(Buffer.from(counters.digest() ?? '', 'hex'));
    committed.writeBigUInt64BE(counters.trueMax, 32);
    const pages = [...counters.touchedPages()].map((page) => ({ section: SECTION, page, counters: Buffer.from(counters.copyPage(page).bytes) }));
    const seal = {
      section: SECTION,
      epoch: BigInt(EPOCH),
      defaultSeq: counters.defaultSeq,
      trueMax: counters.trueMax,
      digest: committed.subarray(0, 32),
    };
    const frames: Frame[] = [{ kind: 0, payload: committed }];
    for (const page of pages) frames.push({ kind: 0, payload: PullResponse.encode({ pages: [page], sealed: [], refused: [] }).finish() });
    frames.push({ kind: 0, payload: PullResponse.encode({ pages: [], sealed: [seal], refused: [] }).finish() });
    return packFrames(frames);
  },
  async feed(input) {
    const [first, ...frames] = unpackFrames(input);
    const committed = Buffer.alloc(COMMITTED_BYTES);
    committed.set(first?.payload.subarray(0, COMMITTED_BYTES) ?? []);
    const base = BigInt.asUintN(63, committed.readBigUInt64BE(32)) as Seq;
    const digest = committed.toString('hex', 0, 32);
    const broken: SeqError[] = [];
    let opened: SectionCounters | undefined;
    const sections = new OwnedSections({
      open: (run, _, installed) => {
        opened = new SectionCounters({ uidCount: UID_COUNT, base: run.base, maxSeq: run.maxSeq, installed });
        return {} as SectionAllocator;
      },
    });
    const clock = new VirtualClock();
    const handover = new Handover({
      id: parseAllocId('b'),
      clock,
      random: new SeededRandom(1),
      observe: (event) => {
        if (event.type === 'handoffBroken') broken.push(event.error);
      },
      sections,
      pull: pullOver(poolOf(frames), { allocId: 'b', incarnation: 'b'.repeat(32) }),
      uidCountOf: () => UID_COUNT,
      seal: () => undefined,
      saved: undefined,
    });
    sections.adopt([{ ...RUN, base, maxSeq: base, handoff: { epoch: EPOCH, digest, from: parseAllocId('a'), fromAddress: 'a:1' } }]);
    handover.adopted({ incoming: [] } as unknown as Assignment, () => NEXT_EPOCH);
    await clock.elapse(2_000);
    await handover.installing(SECTION);
    handover.stop();
    mustHold(opened !== undefined, 'a section opens a while after its owner has released it, with its counters or without');
    return opened.digest() === undefined ? ['ok without', outcomeOfBreak(broken)] : installed(opened, digest);
  },
};

/** What came in is what was committed, and nothing of it lies above the base of the new epoch. */
function installed(counters: SectionCounters, digest: string): Outcome {
  mustHold(counters.digest() === digest, 'counters that are installed have the digest that was committed');
  for (const page of counters.touchedPages()) {
    const most = checkPage(counters.copyPage(page).bytes, slotCountOf({ uidCount: UID_COUNT, page }));
    mustHold(counters.defaultSeq + most <= counters.trueMax, 'what former epochs handed out lies at or below base');
  }
  for (let slot = 0; slot < UID_COUNT; slot += 7) {
    const { seq, exact } = counters.current(slot as Slot);
    mustHold(exact === (seq > counters.defaultSeq || counters.defaultSeq === 0n), 'exact is what lies above the default');
  }
  return `ok ${[...counters.touchedPages()].length} pages`;
}

function outcomeOfBreak([error]: readonly SeqError[]): Outcome {
  return error === undefined ? 'nothing came' : `${error.code} ${error.message}`;
}

/** Every stream of it brings these messages, and ends. */
function poolOf(frames: readonly Frame[]): ChannelPool {
  const channel = {
    serverStream: () => {
      const stream = Object.assign(new EventEmitter(), { cancel: () => undefined });
      queueMicrotask(() => {
        for (const { payload } of frames) {
          const message = decoded(payload);
          // grpc-js ends the stream with an error when a message cannot be decoded.
          if (message === undefined) {
            stream.emit('error', { code: 13, details: 'no message' });
            return;
          }
          stream.emit('data', message);
        }
        stream.emit('end');
      });
      return stream;
    },
    errorOf: ({ details }: { readonly details: string }) => new SeqError('PROTOCOL', details),
  };
  return { to: () => channel } as unknown as ChannelPool;
}

function decoded(payload: Uint8Array): PullResponse | undefined {
  try {
    return PullResponse.decode(payload);
  } catch {
    return undefined;
  }
}

/** Some numbers taken by a few uids. */
export function countersOf(random: SeededRandom): SectionCounters {
  const base = random.pick([0n, 100n, 2n ** 40n, 2n ** 62n]) as Seq;
  const counters = new SectionCounters({ uidCount: UID_COUNT, base, maxSeq: (base + 2n ** 41n) as Seq });
  for (let left = 1 + random.below(6); left > 0; left -= 1) {
    const slot = random.below(UID_COUNT) as Slot;
    if (random.chance(0.2)) counters.advance(slot, base + 2n ** 39n);
    else counters.next(slot, 1 + random.below(1_000));
  }
  return counters;
}
