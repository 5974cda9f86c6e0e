import { expect } from 'chai';
import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { SeqError } from '../../../src/base/errors.js';
import { CHAIN_START, decodeChunk, encodeChunk } from '../../../src/store/chunk.js';
import { DamageError } from '../../../src/store/damage.js';
import { entriesOf } from '../raft/memory-storage.js';

const entry = fc.record({
  type: fc.constantFrom('normal' as const, 'confChange' as const),
  term: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  data: fc.uint8Array({ maxLength: 60 }),
});

describe('chunk', () => {
  it('brings its entries back as they were, and the hash that the next one names', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 2 ** 48 - 100 }), (parts, firstIndex) => {
        const entries = parts.map(({ term, type, data }, offset) => ({ index: firstIndex + offset, term, type, data }));
        const before = encodeChunk(entriesOf([1]), CHAIN_START).hash;
        const { bytes, hash } = encodeChunk(entries, before);
        const chunk = decodeChunk(bytes, firstIndex);
        expect(chunk.entries).to.deep.equal(entries);
        expect(Buffer.compare(chunk.hash, hash)).to.equal(0);
        expect(Buffer.compare(chunk.previousHash, before)).to.equal(0);
      }),
    );
  });

  it('shows every single flipped bit', () => {
    const { bytes } = encodeChunk(entriesOf([1, 2, 2], 7), CHAIN_START);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeChunk(flipped, 7), `bit ${bit}`).to.throw(DamageError, 'log chunk 7');
    }
  });

  it('shows that it was cut short, at any length, or that something was added', () => {
    const { bytes } = encodeChunk(entriesOf([1, 2, 2], 7), CHAIN_START);
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => decodeChunk(bytes.slice(0, length), 7), `${length} bytes`).to.throw(DamageError);
      expect(() => decodeChunk(bytes.slice(length + 1), 7), `without ${length + 1}`).to.throw(DamageError);
    }
    expect(() => decodeChunk(Buffer.concat([bytes, Buffer.alloc(1)]), 7)).to.throw(DamageError);
  });

  it('shows two flipped bits anywhere, and bytes that changed places', () => {
    const { bytes } = encodeChunk(entriesOf([1, 2], 7), CHAIN_START);
    const place = fc.nat({ max: bytes.length * 8 - 1 });
    fc.assert(
      fc.property(place, place, (one, other) => {
        fc.pre(one !== other);
        const flipped = Uint8Array.from(bytes);
        for (const bit of [one, other]) flipped[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => decodeChunk(flipped, 7)).to.throw(DamageError);
      }),
      { numRuns: 500 },
    );
  });

  it('is not the chunk of another place', () => {
    const { bytes } = encodeChunk(entriesOf([1], 7), CHAIN_START);
    expect(() => decodeChunk(bytes, 8)).to.throw(DamageError, 'says it begins at 7');
  });

  it('of another format is no damage: the version that wrote it can read it', () => {
    const bytes = Buffer.from(encodeChunk(entriesOf([1], 7), CHAIN_START).bytes);
    bytes[0] = 1;
    bytes.writeUInt32BE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
    expect(() => decodeChunk(bytes, 7)).to.throw(SeqError, 'log chunk 7 has format 1, this program reads 2');
  });

  it('is not written with an entry of an unknown type', () => {
    const unknown = { ...entriesOf([1], 7)[0]!, type: 'other' as 'normal' };
    expect(() => encodeChunk([unknown], CHAIN_START)).to.throw();
  });

  it('has another hash after another past: the chain tells old copies apart', () => {
    const one = encodeChunk(entriesOf([1], 7), CHAIN_START).hash;
    const other = encodeChunk(entriesOf([1], 7), one).hash;
    expect(Buffer.compare(one, other)).to.not.equal(0);
  });

  it('has entries, and they are contiguous', () => {
    expect(() => encodeChunk([], CHAIN_START)).to.throw('a chunk has entries');
    expect(() => encodeChunk([...entriesOf([1], 1), ...entriesOf([1], 3)], CHAIN_START)).to.throw('contiguous');
  });
});
