import { expect } from 'chai';
import { listenForQuit } from '../../../src/cli/quit.js';
import { VirtualClock } from '../virtual-clock.js';

describe('quit', () => {
  /** Raises a signal for the listeners only: SIGINT would reach mocha as well. */
  const raise = (signal: 'SIGHUP' | 'SIGTERM'): void => void process.emit(signal);

  it('settles at the first signal, and cuts at a second one', async () => {
    const clock = new VirtualClock();
    let cuts = 0;
    const quit = listenForQuit({ clock, onSecond: () => (cuts += 1) });
    try {
      raise('SIGHUP');
      expect(await quit.asked).to.equal('SIGHUP');
      clock.advance(501);
      raise('SIGTERM');
      expect(cuts).to.equal(1);
    } finally {
      quit.dispose();
    }
  });

  it('takes a signal that npm passes on for the same key press', () => {
    const clock = new VirtualClock();
    let cuts = 0;
    const quit = listenForQuit({ clock, onSecond: () => (cuts += 1) });
    try {
      raise('SIGHUP');
      clock.advance(500);
      raise('SIGHUP');
      expect(cuts).to.equal(0);
    } finally {
      quit.dispose();
    }
  });

  it('leaves no listener behind', () => {
    const before = process.listenerCount('SIGTERM');
    listenForQuit({ clock: new VirtualClock(), onSecond: () => undefined }).dispose();
    expect(process.listenerCount('SIGTERM')).to.equal(before);
  });
});
