import { getEventListeners } from 'node:events';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import type { Stopper } from '../../../src/base/stop.js';
import { ATTEMPT_MAX_MS, CallScope } from '../../../src/client/call-scope.js';
import { VirtualClock } from '../virtual-clock.js';

describe('client/call-scope', () => {
  it('stops with TIMEOUT when the budget is over', () => {
    const clock = new VirtualClock();
    const scope = scopeOf(clock);
    clock.advance(99);
    expect(scope.stopError).to.equal(undefined);
    clock.advance(1);
    expect(scope.stopError).to.include({ code: 'TIMEOUT' });
    expect(scope.attempt().signal.aborted).to.equal(true);
  });

  it('goes by the clock when the timer is late', () => {
    const clock = new VirtualClock();
    const scope = scopeOf(clock);
    clock.stall(100);
    expect(scope.stopError).to.include({ code: 'TIMEOUT' });
  });

  it('gives an attempt its cap or what is left', () => {
    const clock = new VirtualClock();
    const scope = scopeOf(clock, 1_500);
    expect(scope.attempt().timeoutMs).to.equal(ATTEMPT_MAX_MS);
    clock.advance(1_100);
    expect(scope.attempt().timeoutMs).to.equal(400);
  });

  it('keeps the first reason it was stopped for', () => {
    const clock = new VirtualClock();
    const scope = scopeOf(clock);
    scope.stop(new SeqError('CLOSED', 'closed'));
    clock.advance(200);
    expect(scope.stopError).to.include({ code: 'CLOSED' });
  });

  it('ends a sleep and a shared wait as soon as it is stopped', async () => {
    const clock = new VirtualClock();
    const scope = scopeOf(clock);
    const both = Promise.all([scope.sleep(90), scope.wait(new Promise<never>(() => undefined))]);
    scope.stop(new SeqError('CLOSED', 'closed'));
    expect(await both).to.deep.equal([undefined, undefined]);
    expect(await scope.wait(new Promise<never>(() => undefined))).to.equal(undefined);
  });

  it('leaves neither a timer nor a listener behind', async () => {
    const clock = new VirtualClock();
    const abort = new AbortController();
    const scope = new CallScope({ clock, timeoutMs: 100, signal: abort.signal });
    for (let count = 0; count < 20; count++) await scope.wait(Promise.resolve(count));
    expect((scope.signal as Stopper).listenerCount).to.equal(1);
    scope.end();
    expect(clock.timerCount).to.equal(0);
    expect(getEventListeners(abort.signal, 'abort')).to.have.length(0);
  });
});

function scopeOf(clock: VirtualClock, timeoutMs = 100): CallScope {
  return new CallScope({ clock, timeoutMs, signal: undefined });
}
