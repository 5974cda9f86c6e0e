import { expect } from 'chai';
import { Emitter } from '../../../src/client/events.js';

describe('client/events', () => {
  it('calls the handlers of a name after the step that emitted, until they are taken off', async () => {
    const emitter = new Emitter<{ one: number; two: string }>();
    const heard: unknown[] = [];
    const stop = emitter.on('one', (event) => heard.push(event));
    emitter.on('two', (event) => heard.push(event));
    emitter.emit('one', 1);
    expect(heard).to.deep.equal([]);
    await Promise.resolve();
    stop();
    emitter.emit('one', 2);
    emitter.emit('two', 'b');
    await Promise.resolve();
    expect(heard).to.deep.equal([1, 'b']);
  });

  it('lets one function listen twice and stop once', async () => {
    const emitter = new Emitter<{ one: number }>();
    let count = 0;
    const handle = (): void => void count++;
    const stop = emitter.on('one', handle);
    emitter.on('one', handle);
    stop();
    emitter.emit('one', 1);
    await Promise.resolve();
    expect(count).to.equal(1);
  });
});
