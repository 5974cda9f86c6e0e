import { expect } from 'chai';
import { collectRuns } from '../../../src/model/window.js';
import { SEQ_MAX, toEpoch, toSeq } from '../../../src/model/ids.js';
import { SectionBlock } from '../../../src/rpc/gen/seqsvr/v1/log.js';
import { encodeBlock } from '../../../src/store/section-block.js';
import type { Section } from '../../../src/store/state.js';
import { SeededRandom } from '../seeded-random.js';
import { run } from './fixture.js';

/** Few different values, so that neighbours are often alike without being the same object. */
function randomSection(random: SeededRandom): Section {
  const owner = random.pick([undefined, run('a1'), run('another-alloc'), run('a1', 2)]);
  const base = toSeq(random.pick([0n, 1n, 128n, SEQ_MAX - 1n]));
  const maxSeq = toSeq(base + random.pick([0n, 1n]));
  const handoff = random.pick([undefined, undefined, { epoch: toEpoch(299), digest: 'ab'.repeat(32), from: run('a2').allocId }]);
  return { owner, epoch: toEpoch(random.pick([0, 1, 300])), base, maxSeq, next: random.pick([undefined, undefined, run('a2')]), handoff };
}

function plain(sections: readonly Section[]): Uint8Array {
  const same = (one: number, other: number): boolean => show(sections[one]!) === show(sections[other]!);
  const runs = collectRuns({
    count: sections.length,
    isAlike: same,
    make: (first, sectionCount) => {
      const { owner, epoch, base, maxSeq, next, handoff } = sections[first]!;
      return {
        sectionCount,
        allocId: owner?.allocId ?? '',
        incarnation: owner?.incarnation ?? '',
        epoch: BigInt(epoch),
        base,
        maxSeq,
        nextAllocId: next?.allocId ?? '',
        nextIncarnation: next?.incarnation ?? '',
        handoffEpoch: BigInt(handoff?.epoch ?? 0),
        handoffDigest: Buffer.from(handoff?.digest ?? '', 'hex'),
        handoffAllocId: handoff?.from ?? '',
      };
    },
  });
  return SectionBlock.encode({ runs }).finish();
}

function show(section: Section): string {
  return JSON.stringify(section, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

describe('section block', () => {
  it('is byte for byte what protobuf makes of it, runs of equal neighbours joined by value', () => {
    const random = new SeededRandom(11);
    for (let round = 0; round < 500; round += 1) {
      const shared = Array.from({ length: 3 }, () => randomSection(random));
      const length = random.below(65);
      const sections = Array.from({ length }, () => (random.chance(0.6) ? random.pick(shared) : randomSection(random)));
      expect(Buffer.compare(encodeBlock(sections), plain(sections)), `round ${round}`).to.equal(0);
      // Once more, now from what is known.
      expect(Buffer.compare(encodeBlock(sections), plain(sections)), `round ${round} again`).to.equal(0);
    }
  });
});
