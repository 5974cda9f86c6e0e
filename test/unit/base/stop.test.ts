import { expect } from 'chai';
import { Stopper } from '../../../src/base/stop.js';

describe('base/stop', () => {
  it('calls each handler once, in the order they came, and keeps the first reason', () => {
    const stopper = new Stopper();
    const called: string[] = [];
    stopper.addEventListener('abort', () => called.push('one'));
    stopper.addEventListener('abort', () => called.push('two'));
    stopper.abort('first');
    stopper.abort('second');
    expect(called).to.deep.equal(['one', 'two']);
    expect(stopper).to.include({ aborted: true, reason: 'first', listenerCount: 0 });
  });

  it('does not call a handler that was taken away, by an earlier handler too', () => {
    const stopper = new Stopper();
    const never = (): void => expect.fail('it was taken away');
    stopper.addEventListener('abort', () => stopper.removeEventListener('abort', never));
    stopper.addEventListener('abort', never);
    stopper.abort('over');
  });

  it('is stopped already when its handlers run, and calls nobody who comes after', () => {
    const stopper = new Stopper();
    let seen = false;
    stopper.addEventListener('abort', () => {
      seen = stopper.aborted;
      stopper.addEventListener('abort', () => expect.fail('too late'));
    });
    stopper.abort('over');
    expect(seen).to.equal(true);
  });
});
