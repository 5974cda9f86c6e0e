import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { Many } from '../../../src/client/many.js';
import { parseUid, type Seq } from '../../../src/model/ids.js';
import { UIDS_PER_REQUEST_MAX } from '../../../src/rpc/limits.js';

const byParity = (uid: bigint): string => (uid % 2n === 0n ? 'even:1' : 'odd:1');

describe('client/many', () => {
  it('groups the uids by owner, repeated ones included, and answers in the order asked', () => {
    const many = manyOf([4, 1, 2, 1]);
    const chunks = many.plan(byParity);
    expect(chunks.map(({ address, places }) => ({ address, places }))).to.deep.equal([
      { address: 'even:1', places: [0, 2] },
      { address: 'odd:1', places: [1, 3] },
    ]);
    many.take(chunks[1]!, seqs(20, 21), false);
    many.take(chunks[0]!, seqs(10, 11), false);
    expect(many.leftover()).to.equal(undefined);
    expect(many.results()).to.deep.equal([10n, 20n, 11n, 21n]);
  });

  it('cuts what one owner gets into requests of at most 10,000 uids', () => {
    const many = manyOf(Array.from({ length: UIDS_PER_REQUEST_MAX * 2 + 1 }, (_, index) => index));
    const sizes = many.plan(() => 'one:1').map(({ places }) => places.length);
    expect(sizes).to.deep.equal([10_000, 10_000, 1]);
  });

  it('asks again only for what failed and may succeed later', () => {
    const many = manyOf([1, 2, 3]);
    const [chunk] = many.plan(() => 'a:1');
    many.take(chunk!, [5n as Seq, new SeqError('OUT_OF_RANGE', 'at its end'), new SeqError('UNAVAILABLE', 'later')], false);
    expect(many.leftover()).to.include({ code: 'UNAVAILABLE' });
    const again = many.plan(() => 'a:1');
    expect(again.map(({ places }) => places)).to.deep.equal([[2]]);
    many.take(again[0]!, seqs(7), false);
    expect(many.leftover()).to.equal(undefined);
    expect(many.results().map((item) => (item instanceof SeqError ? item.code : item))).to.deep.equal([5n, 'OUT_OF_RANGE', 7n]);
  });

  it('sends an item where its refusal pointed', () => {
    const many = manyOf([1, 2]);
    const [chunk] = many.plan(() => 'a:1');
    const moved = new SeqError('NOT_OWNER', 'moved', { endpoint: 'a:1', redirect: { id: 'b', address: 'b:1' } });
    many.take(chunk!, [5n as Seq, moved], false);
    expect(many.leftover()).to.equal(moved);
    expect(many.plan(() => 'a:1')).to.deep.equal([{ address: 'b:1', places: [1] }]);
  });

  it('lets the item that asks for the longest wait decide, over one that only needs a redirect', () => {
    const many = manyOf([1, 2, 3]);
    const [chunk] = many.plan(() => 'a:1');
    const moved = new SeqError('NOT_OWNER', 'moved', { endpoint: 'a:1', redirect: { id: 'b', address: 'b:1' } });
    const busy = new SeqError('RESOURCE_EXHAUSTED', 'busy', { retryAfterMs: 40 });
    many.take(chunk!, [moved, busy, new SeqError('UNAVAILABLE', 'later')], false);
    expect(many.leftover()).to.equal(busy);
  });

  it('fails an item that nobody owns for this round only', () => {
    const many = manyOf([1]);
    expect(many.plan(() => undefined)).to.deep.equal([]);
    expect(many.leftover()).to.include({ code: 'UNAVAILABLE', definite: true });
    expect(many.plan(() => 'a:1')).to.have.length(1);
  });

  it('fails an item that has no place in the set for good, and sends the others', () => {
    const many = manyOf([1, 2, 3]);
    const outside = new SeqError('INVALID_ARGUMENT', 'outside');
    const chunks = many.plan((uid) => {
      if (uid === 2n) throw outside;
      return 'a:1';
    });
    expect(chunks).to.deep.equal([{ address: 'a:1', places: [0, 2] }]);
    many.take(chunks[0]!, seqs(8, 9), false);
    expect(many.leftover()).to.equal(undefined);
    expect(many.results().map((item) => (item instanceof SeqError ? item.code : item))).to.deep.equal([8n, 'INVALID_ARGUMENT', 9n]);
  });

  it('gives each unsettled item an error of its own when the call is stopped', () => {
    const many = manyOf([1, 2, 3]);
    const chunks = many.plan((uid) => (uid === 2n ? 'b:1' : 'a:1'));
    many.take(chunks[0]!, [9n as Seq, new SeqError('UNAVAILABLE', 'no lease', { definite: true, attempts: 1 })], false);
    many.take(chunks[1]!, new SeqError('ABORTED', 'cut', { definite: false, attempts: 1 }), true);
    const stop = new SeqError('TIMEOUT', 'over');
    expect(many.leftover()).to.not.equal(undefined);
    many.giveUp({ stop, error: stop });
    const [one, two, three] = many.results();
    expect(one).to.equal(9n);
    expect(two).to.include({ code: 'TIMEOUT', definite: false, attempts: 1 });
    expect(three).to.include({ code: 'TIMEOUT', definite: true, attempts: 1 });
    expect((three as SeqError).cause).to.include({ code: 'UNAVAILABLE' });
  });
});

function manyOf(uids: readonly number[]): Many {
  return new Many(uids.map(parseUid));
}

function seqs(...values: number[]): Seq[] {
  return values.map((value) => BigInt(value) as Seq);
}
