import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { deliverRequest } from '../../../src/rpc/peer-frame.js';

const frame = { $case: 'checkpoint', value: { appliedIndex: 7n, stateHash: 'ab' } } as const;

describe('peer frame', () => {
  it('brings a frame back as it was', () => {
    expect(deliverRequest.open(deliverRequest.seal({ frame })).frame).to.deep.equal(frame);
  });

  it('refuses every single flipped bit, every cut and every byte more', () => {
    const sealed = deliverRequest.seal({ frame });
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const bytes = Buffer.from(sealed);
      bytes[bit >>> 3] = bytes[bit >>> 3]! ^ (1 << (bit & 7));
      refuses(bytes, /checksum/);
    }
    for (let length = 0; length < sealed.length; length += 1) refuses(sealed.subarray(0, length), /checksum/);
    refuses(Buffer.concat([sealed, Buffer.from([0])]), /checksum/);
    refuses(Buffer.concat([sealed, sealed]), /checksum/);
  });

  it('refuses what is sealed and no message', () => {
    // Field 2, a message of 100 bytes, of which none is there.
    const bytes = deliverRequest.seal({});
    const sealed = resealed(Buffer.concat([Buffer.from([0x12, 100]), bytes]));
    refuses(sealed, /that is no message/);
  });
});

function refuses(bytes: Buffer, why: RegExp): void {
  expect(() => deliverRequest.open(bytes))
    .to.throw(SeqError, why)
    .that.satisfies(({ code }: SeqError) => code === 'PROTOCOL');
}

/** The same bytes under the right checksum: the last frame with a checksum of its own gives it. */
function resealed(bytes: Buffer): Buffer {
  try {
    deliverRequest.open(bytes);
  } catch (error) {
    const right = /it must be (\d+)/.exec(String(error))?.[1];
    const copy = Buffer.from(bytes);
    copy.writeUInt32LE(Number(right), bytes.length - 4);
    return copy;
  }
  return bytes;
}
