import { bench, group, summary } from 'mitata';
import { SectionAllocator } from '../../../src/alloc/section-allocator.js';
import type { Epoch, SectionId, Seq, Slot } from '../../../src/model/ids.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { VirtualClock } from '../../unit/virtual-clock.js';
import { sink } from './sink.js';

const SECTIONS = 10;
const UIDS_PER_SECTION = 100_000;
const UIDS = SECTIONS * UIDS_PER_SECTION;
/** Numbers taken in one measured call: its time in µs is that of one number in ns. */
const BATCH = 1_000;
const MAX_SEQ = 2n ** 40n;

/** One number for each of BATCH random uids, over 10 sections of the article's size; the baseline is nothing but 8 bytes for each uid and an addition. */
export function counters(): void {
  const order = shuffledUids();
  const allocators = Array.from({ length: SECTIONS }, (_, section) => allocatorOf(section as SectionId));
  const plain = Array.from({ length: SECTIONS }, () => new BigUint64Array(UIDS_PER_SECTION));
  group(`a number each for ${BATCH} of ${UIDS} uids`, () => {
    summary(() => {
      const one = new Walk(order);
      bench('BigUint64Array', () => sink(addToPlain(plain, one.next()))).baseline(true);
      const two = new Walk(order);
      bench('takeAtOnce', () => sink(takeAtOnce(allocators, two.next())));
      const three = new Walk(order);
      bench('currentAtOnce', () => sink(currentAtOnce(allocators, three.next())));
      const four = new Walk(order);
      bench('take, a bigint each', () => sink(take(allocators, four.next())));
    });
  });
  group('a section of untouched uids', () => {
    summary(() => {
      bench('an array of its size', () => sink(new BigUint64Array(UIDS_PER_SECTION))).baseline(true);
      bench('opened', () => sink(open(0 as SectionId)));
    });
  });
}

/** The next BATCH of all uids, and from the first again when they are over. */
class Walk {
  readonly #uids: Uint32Array;
  #from = 0;

  constructor(uids: Uint32Array) {
    this.#uids = uids;
  }

  next(): Uint32Array {
    const from = this.#from;
    this.#from = (from + BATCH) % UIDS;
    return this.#uids.subarray(from, from + BATCH);
  }
}

function addToPlain(plain: readonly BigUint64Array[], uids: Uint32Array): bigint {
  let last = 0n;
  for (const uid of uids) {
    const section = plain[Math.floor(uid / UIDS_PER_SECTION)];
    if (section === undefined) throw new Error('the uid lies within a section');
    const at = uid % UIDS_PER_SECTION;
    last = (section[at] ?? 0n) + 1n;
    section[at] = last;
  }
  return last;
}

function takeAtOnce(allocators: readonly SectionAllocator[], uids: Uint32Array): number {
  let taken = 0;
  for (const uid of uids) {
    const last = allocators[Math.floor(uid / UIDS_PER_SECTION)]?.takeAtOnce((uid % UIDS_PER_SECTION) as Slot, 1, -1) ?? -1;
    if (last < 0) throw new Error('what was warmed is taken at once');
    taken += last;
  }
  return taken;
}

function currentAtOnce(allocators: readonly SectionAllocator[], uids: Uint32Array): number {
  let sum = 0;
  for (const uid of uids) sum += allocators[Math.floor(uid / UIDS_PER_SECTION)]?.currentAtOnce((uid % UIDS_PER_SECTION) as Slot, -1) ?? 0;
  return sum;
}

function take(allocators: readonly SectionAllocator[], uids: Uint32Array): Seq | undefined {
  let last: Seq | undefined;
  for (const uid of uids) last = allocators[Math.floor(uid / UIDS_PER_SECTION)]?.take((uid % UIDS_PER_SECTION) as Slot, 1);
  return last;
}

function open(section: SectionId): SectionAllocator {
  const raiser = { due: () => undefined, active: () => undefined };
  const common = { epoch: 1 as Epoch, uidCount: UIDS_PER_SECTION, base: 0n as Seq, maxSeq: MAX_SEQ as Seq, raiseBy: 10_000n };
  return new SectionAllocator({ ...common, section, clock: new VirtualClock(), raiser });
}

/** Every uid of it was asked for once. */
function allocatorOf(section: SectionId): SectionAllocator {
  const allocator = open(section);
  for (let slot = 0; slot < UIDS_PER_SECTION; slot++) allocator.take(slot as Slot, 1);
  return allocator;
}

function shuffledUids(): Uint32Array {
  const random = new SeededRandom(1);
  const uids = Uint32Array.from({ length: UIDS }, (_, uid) => uid);
  for (let left = UIDS - 1; left > 0; left--) {
    const other = random.below(left + 1);
    [uids[left], uids[other]] = [uids[other] ?? 0, uids[left] ?? 0];
  }
  return uids;
}
