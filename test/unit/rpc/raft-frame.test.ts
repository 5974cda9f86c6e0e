import { expect } from 'chai';
import type { EntryType } from '../../../src/raft/types.js';
import { deliverRequest, writeSeal } from '../../../src/rpc/peer-frame.js';
import { type FramedMessage, raftToWire } from '../../../src/rpc/raft-codec.js';
import { openDeliver, sealMessages } from '../../../src/rpc/raft-frame.js';
import { SeededRandom } from '../seeded-random.js';
import { plain, readBothWays } from './raft-frame-twin.js';

const FRAMES = 5_000;
/** Around each length that a varint can have. */
const SIZES = [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 2 ** 21, 2 ** 28, 2 ** 32 - 1, 2 ** 32, 2 ** 35, 2 ** 42, 2 ** 47];

describe('raft frame', () => {
  it('writes the bytes that the generated code writes, and reads what was written', () => {
    const random = new SeededRandom(1);
    for (let count = 0; count < FRAMES; count++) {
      const messages = Array.from({ length: 1 + random.below(4) }, () => steadyMessage(random));
      const bytes = sealMessages(messages);
      expect(bytes.toString('hex')).to.equal(generated(messages).toString('hex'));
      const frame = openDeliver(bytes);
      expect(frame?.$case === 'steady' && frame.value.map(plain)).to.deep.equal(messages.map(plain));
    }
  });

  it('writes a frame with any other message, and reads it, the generated way', () => {
    const random = new SeededRandom(2);
    const vote: FramedMessage = { from: 1, to: 2, term: 3, type: 'vote', lastIndex: 1, lastTerm: 2, isTransfer: false };
    const messages = [steadyMessage(random), vote];
    const bytes = sealMessages(messages);
    expect(bytes.toString('hex')).to.equal(generated(messages).toString('hex'));
    expect(openDeliver(bytes)?.$case).to.equal('messages');
  });

  it('takes of changed bytes only what the generated code and the rules take, and the same of it', () => {
    const random = new SeededRandom(3);
    let takenCount = 0;
    for (let count = 0; count < 2 * FRAMES; count++) {
      const bytes = Buffer.from(sealMessages(Array.from({ length: 1 + random.below(3) }, () => steadyMessage(random))));
      for (let left = 1 + random.below(2); left > 0; left--) bytes[random.below(bytes.length)] = random.below(256);
      writeSeal(bytes);
      const both = readBothWays(bytes);
      expect(both.byHand).to.deep.equal(both.generated);
      if (both.isByHand) takenCount += 1;
    }
    expect(takenCount).to.be.above(FRAMES / 10);
  });

  it('copies the data of entries out of the frame', () => {
    const entries = [{ index: 7, term: 4, type: 'normal' as const, data: Buffer.from('seven') }];
    const bytes = sealMessages([{ from: 1, to: 2, term: 9, type: 'append', previousIndex: 6, previousTerm: 4, commitIndex: 3, entries }]);
    const frame = openDeliver(bytes);
    bytes.fill(0);
    expect(frame?.$case === 'steady' && frame.value.map(plain)[0]).to.have.nested.property('entries[0].data', Buffer.from('seven').toString('hex'));
  });
});

function generated(messages: readonly FramedMessage[]): Buffer {
  return deliverRequest.seal({ frame: { $case: 'messages', value: { messages: messages.map(raftToWire) } } });
}

/** One that obeys the rules; numbers of every length. */
function steadyMessage(random: SeededRandom): FramedMessage {
  const size = (): number => random.pick(SIZES);
  const term = 1 + random.pick(SIZES.slice(0, -1));
  const envelope = { from: Math.max(1, random.pick(SIZES.slice(0, 9))), to: 1 + random.below(300), term };
  switch (random.below(4)) {
    case 0:
      return { ...envelope, type: 'heartbeat', commitIndex: size(), readRound: size() };
    case 1:
      return { ...envelope, type: 'heartbeatReply', readRound: random.chance(0.1) ? Number.MAX_SAFE_INTEGER : size() };
    case 2:
      return { ...envelope, type: 'appendReply', index: size(), rejected: random.chance(0.5), hintIndex: size(), hintTerm: size() };
    default: {
      const previousIndex = size();
      const previousTerm = previousIndex === 0 ? 0 : 1 + random.below(Math.min(term, 2 ** 31));
      return {
        ...envelope,
        type: 'append',
        previousIndex,
        previousTerm,
        commitIndex: size(),
        entries: entriesOf(random, { previousIndex, previousTerm, term }),
      };
    }
  }
}

function entriesOf(random: SeededRandom, place: { readonly previousIndex: number; readonly previousTerm: number; readonly term: number }) {
  let { previousTerm: term } = place;
  return Array.from({ length: random.below(6) }, (_, offset) => {
    if (term === 0 || random.chance(0.2)) term = Math.min(place.term, term + 1 + random.below(100));
    const type: EntryType = random.chance(0.2) ? 'confChange' : 'normal';
    return { index: place.previousIndex + 1 + offset, term, type, data: Buffer.alloc(random.pick([0, 1, 20, 127, 128, 300]), random.below(256)) };
  });
}
