import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { CallBudget, isWorthRetrying, type StoreCall } from '../../../src/store/client-budget.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

describe('CallBudget', () => {
  let clock: VirtualClock;
  const budget = (call: StoreCall = { timeoutMs: 10_000 }) =>
    new CallBudget({ what: 'raise', clock, random: new SeededRandom(1), call, attemptTimeoutMs: 250, triesPerRound: 4 });
  const notLeader = new SeqError('NOT_LEADER', 'not me');
  const timeout = new SeqError('TIMEOUT', 'no answer');

  beforeEach(() => {
    clock = new VirtualClock();
  });

  it('gives an attempt 250 ms, or what is left', () => {
    const call = budget({ timeoutMs: 300 });
    expect(call.attemptMs).to.equal(250);
    clock.advance(200);
    expect(call.attemptMs).to.equal(100);
    clock.advance(200);
    expect(call.attemptMs).to.equal(0);
  });

  it('does not start a retry that would be cut short: it could only make the outcome unknown', () => {
    const call = budget({ timeoutMs: 100 });
    clock.advance(81);
    expect(call.attemptMs).to.equal(19);
    call.failed(notLeader);
    expect(call.attemptMs).to.equal(0);
  });

  it('gives a slow leader twice the time after each time-out, up to 2 s', () => {
    const call = budget();
    const given = [0, 1, 2, 3, 4].map(() => {
      const { attemptMs } = call;
      call.failed(timeout);
      return attemptMs;
    });
    expect(given).to.deep.equal([250, 500, 1000, 2000, 2000]);
  });

  it('pauses only between rounds, with jitter, never above 500 ms', () => {
    const call = budget();
    const pauses = Array.from({ length: 40 }, () => {
      call.failed(notLeader);
      return call.pauseMs();
    });
    expect(pauses.filter((pauseMs) => pauseMs > 0)).to.have.length(10);
    expect(Math.max(...pauses)).to.be.within(200, 500);
  });

  it('waits as long as the server asks it to', () => {
    const call = budget();
    call.failed(new SeqError('RESOURCE_EXHAUSTED', 'full', { retryAfterMs: 70 }));
    expect(call.pauseMs()).to.equal(70);
  });

  it('ends with a definite error while no attempt may have been carried out', () => {
    const call = budget();
    call.failed(notLeader);
    expect(call.spent()).to.include({ code: 'UNAVAILABLE', definite: true, attempts: 1 });
  });

  it('never ends with a definite error once an attempt may have arrived, not even when the last one was refused', () => {
    const call = budget();
    call.failed(timeout);
    const refused = new SeqError('NOT_OWNER', 'superseded');
    call.failed(refused);
    expect(call.refusal(refused)).to.include({ code: 'NOT_OWNER', definite: false, attempts: 2 });
    expect(call.spent().definite).to.equal(false);
  });

  it('says TIMEOUT when the last attempt was not answered, and never NOT_LEADER', () => {
    const call = budget();
    call.failed(timeout);
    expect(call.spent()).to.include({ code: 'TIMEOUT' });
    call.failed(notLeader);
    expect(call.spent()).to.include({ code: 'UNAVAILABLE', cause: notLeader });
  });

  it('says ABORTED with the reason when the caller gave up', () => {
    const reason = new Error('enough');
    const call = budget({ timeoutMs: 100, signal: AbortSignal.abort(reason) });
    expect(call.spent()).to.include({ code: 'ABORTED', cause: reason, definite: true });
  });

  it('tells apart what another StoreSvr may answer better', () => {
    expect(isWorthRetrying(notLeader)).to.equal(true);
    expect(isWorthRetrying(new SeqError('CLOSED', 'the server closes', { endpoint: 'a:1' }))).to.equal(true);
    expect(isWorthRetrying(new SeqError('CLOSED', 'our own end'))).to.equal(false);
    expect(isWorthRetrying(new SeqError('NOT_OWNER', 'superseded'))).to.equal(false);
  });
});
