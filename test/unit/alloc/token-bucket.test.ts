import { expect } from 'chai';
import { TokenBucket } from '../../../src/alloc/token-bucket.js';

describe('TokenBucket', () => {
  it('lets a burst go at once, and then only what has grown', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 20 }, 0);
    expect(bucket.waitMs(0)).to.equal(0);
    bucket.take(20);
    expect(bucket.waitMs(0)).to.equal(1);
    expect(bucket.waitMs(100)).to.equal(0);
  });

  it('takes a piece that is larger than what is there whole, and is in debt for as long as that takes to grow', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 20 }, 0);
    bucket.take(50);
    expect(bucket.waitMs(0)).to.equal(3_000);
    expect(bucket.waitMs(1_000)).to.equal(2_000);
    expect(bucket.waitMs(3_001)).to.equal(0);
  });

  it('holds no more after a rest than a burst, however long that was', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 20 }, 0);
    expect(bucket.waitMs(1_000_000)).to.equal(0);
    bucket.take(25);
    expect(bucket.waitMs(1_000_000)).to.equal(500);
  });
});
