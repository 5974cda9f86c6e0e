import { expect } from 'chai';
import { CALLERS_MAX, QUOTA_RETRY_AFTER_MAX_MS, Quotas, quotasOf } from '../../../src/alloc/quotas.js';
import { SeqError } from '../../../src/base/errors.js';

const LIMITS = { operationsPerSecond: 100, numbersPerSecond: 1_000, burstMs: 1_000 };

describe('Quotas', () => {
  it('refuses a caller that has used up its operations, with the time after which it may come again, and nobody else', () => {
    const quotas = new Quotas(LIMITS);
    expect(quotas.of('10.0.0.1', 0).refusal(120, 0)).to.equal(undefined);
    const refusal = quotas.of('10.0.0.1', 0).refusal(1, 0);
    expect(refusal).to.be.instanceOf(SeqError);
    expect(refusal).to.include({ code: 'RESOURCE_EXHAUSTED', definite: true, retryAfterMs: 200 });
    expect(refusal?.message).to.equal('10.0.0.1 may take 100 operations a second, and has taken more');
    expect(quotas.of('10.0.0.2', 0).refusal(1, 0)).to.equal(undefined);
    expect(quotas.of('10.0.0.1', 201).refusal(1, 201)).to.equal(undefined);
  });

  it('counts nothing for what it refuses', () => {
    const quota = new Quotas(LIMITS).of('a', 0);
    quota.refusal(110, 0);
    for (let count = 0; count < 10; count += 1) expect(quota.refusal(100, 0)?.retryAfterMs).to.equal(100);
  });

  it('counts the numbers of a range, whatever it takes in operations', () => {
    const quota = new Quotas(LIMITS).of('a', 0);
    expect(quota.refusal(1, 0)).to.equal(undefined);
    quota.took(3_000);
    expect(quota.refusal(1, 0)).to.include({ retryAfterMs: 2_000, message: 'a may take 1000 numbers a second, and has taken more' });
    quota.took(1_000_000_000);
    expect(quota.refusal(1, 0)?.retryAfterMs).to.equal(QUOTA_RETRY_AFTER_MAX_MS);
  });

  it('limits only what has a limit', () => {
    const quota = new Quotas({ ...LIMITS, operationsPerSecond: 0 }).of('a', 0);
    expect(quota.refusal(1_000_000, 0)).to.equal(undefined);
    expect(quota.refusal(1, 0)).to.equal(undefined);
    expect(quotasOf({ operationsPerSecond: 0, numbersPerSecond: 0, burstMs: 1_000 })).to.equal(undefined);
    expect(quotasOf(LIMITS)).to.be.instanceOf(Quotas);
  });

  it('remembers a bounded number of callers, those that came last', () => {
    const quotas = new Quotas(LIMITS);
    for (const caller of ['first', 'busy']) quotas.of(caller, 0).refusal(1_000, 0);
    for (let count = 0; count < CALLERS_MAX - 1; count += 1) {
      quotas.of(`caller ${count}`, 0);
      quotas.of('busy', 0);
    }
    expect(quotas.of('busy', 0).refusal(1, 0)).to.be.instanceOf(SeqError);
    expect(quotas.of('first', 0).refusal(1, 0)).to.equal(undefined);
  });
});
