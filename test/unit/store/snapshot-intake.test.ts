import { createHash } from 'node:crypto';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { MessageOf } from '../../../src/raft/message.js';
import type { Offer } from '../../../src/rpc/snapshot-codec.js';
import { type Progress, SnapshotIntake } from '../../../src/store/snapshot-intake.js';
import { VirtualClock } from '../virtual-clock.js';
import { bytesOf, snapshotOf } from './peer-stage.js';

const DATA = Buffer.from(bytesOf(1_000));
const offerOf = (change: Partial<Offer> = {}, data: Uint8Array = DATA): Offer => ({
  term: 7,
  at: { index: 90, term: 4 },
  confState: snapshotOf(data).confState,
  totalBytes: data.length,
  sha256: createHash('sha256').update(data).digest(),
  transferId: 'a'.repeat(32),
  ...change,
});

describe('snapshot intake', () => {
  let clock: VirtualClock;
  let received: MessageOf<'snapshot'>[];
  let intake: SnapshotIntake;

  beforeEach(() => {
    clock = new VirtualClock();
    received = [];
    intake = new SnapshotIntake({ nodeId: 2, receive: (message) => received.push(message), bytesMax: 2_500, clock, observe: () => undefined });
  });

  const take = (from: number, at: number, to: number): Progress => intake.take(from, { offsetBytes: BigInt(at), data: DATA.subarray(at, to) });

  it('hands over what is whole, with the term of the newest offer', () => {
    expect(intake.open(1, offerOf())).to.deep.equal({ receivedBytes: 0, isComplete: false });
    expect(take(1, 0, 600)).to.deep.equal({ receivedBytes: 600, isComplete: false });
    expect(intake.open(1, offerOf({ term: 8, transferId: 'b'.repeat(32) }))).to.deep.equal({ receivedBytes: 600, isComplete: false });
    expect(received).to.deep.equal([]);
    expect(take(1, 600, 1_000)).to.deep.equal({ receivedBytes: 1_000, isComplete: true });
    const snapshot = { index: 90, term: 4, confState: snapshotOf(DATA).confState, data: DATA };
    expect(received).to.deep.equal([{ type: 'snapshot', from: 1, to: 2, term: 8, snapshot }]);
    expect(clock.timerCount, 'nothing is left behind').to.equal(0);
  });

  it('hands over a snapshot again when it is sent again, and not when only its answer was lost', () => {
    for (const transferId of ['a', 'a', 'b']) {
      const { receivedBytes } = intake.open(1, offerOf({ transferId: transferId.repeat(32) }));
      if (receivedBytes === 0) take(1, 0, 1_000);
    }
    expect(received.length).to.equal(2);
  });

  const others: readonly (readonly [string, Partial<Offer>])[] = [
    ['of another index', { at: { index: 91, term: 4 } }],
    ['of another term', { at: { index: 90, term: 5 } }],
    ['of another length', { totalBytes: 999 }],
    ['of other bytes', { sha256: Buffer.alloc(32, 1) }],
  ];
  for (const [name, change] of others) {
    it(`begins anew for a snapshot ${name}`, () => {
      intake.open(1, offerOf());
      take(1, 0, 600);
      expect(intake.open(1, offerOf(change)).receivedBytes).to.equal(0);
    });
  }

  it('keeps what comes from two senders apart', () => {
    intake.open(1, offerOf());
    take(1, 0, 600);
    intake.open(3, offerOf());
    take(3, 0, 1_000);
    take(1, 600, 1_000);
    expect(received.map(({ from }) => from)).to.deep.equal([3, 1]);
  });

  it('forgets what has come after a minute without more', () => {
    intake.open(1, offerOf());
    clock.advance(59_999);
    take(1, 0, 600);
    clock.advance(59_999);
    expect(intake.open(1, offerOf()).receivedBytes).to.equal(600);
    clock.advance(60_000);
    refuses(() => take(1, 600, 1_000), 'UNAVAILABLE', 'was forgotten');
    expect(intake.open(1, offerOf()).receivedBytes).to.equal(0);
  });

  it('has room for so many bytes: a later term takes the place of former ones, and nobody else does', () => {
    refuses(() => intake.open(1, offerOf({ totalBytes: 2_501 })), 'RESOURCE_EXHAUSTED', 'at most 2500 are taken');
    intake.open(1, offerOf());
    intake.open(3, offerOf({ term: 8 }));
    refuses(() => intake.open(4, offerOf({ term: 7 })), 'RESOURCE_EXHAUSTED', 'beside 2000 that are coming in');
    intake.open(4, offerOf({ term: 8 }));
    refuses(() => take(1, 0, 600), 'UNAVAILABLE', 'was forgotten');
    take(3, 0, 600);
    take(4, 0, 600);
  });

  it('hands over nothing whose sha256 is another, and forgets it', () => {
    intake.open(1, offerOf({ sha256: Buffer.alloc(32, 1) }));
    refuses(() => take(1, 0, 1_000), 'PROTOCOL', 'does not have the sha256');
    expect(received).to.deep.equal([]);
    refuses(() => take(1, 0, 1_000), 'UNAVAILABLE', 'was forgotten');
  });

  it('leaves no timer behind when it is closed', () => {
    intake.open(1, offerOf());
    intake.open(3, offerOf());
    intake.close();
    expect(clock.timerCount).to.equal(0);
  });
});

function refuses(act: () => unknown, code: SeqError['code'], why: string): void {
  expect(act)
    .to.throw(SeqError, why)
    .that.satisfies((error: SeqError) => error.code === code);
}
