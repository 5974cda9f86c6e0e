import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { Connection } from '../../../src/rpc/connection.js';

describe('Connection', () => {
  it('is closed after its last call has ended when it was given up, and at once without calls', () => {
    const log: string[] = [];
    const busy = new Connection({ address: '127.0.0.1:1', clock: systemClock });
    for (let count = 0; count < 2; count++) busy.began();
    busy.retire(() => log.push('busy'));
    busy.ended();
    expect(log).to.deep.equal([]);
    busy.ended();
    expect(log).to.deep.equal(['busy']);
    const idle = new Connection({ address: '127.0.0.1:1', clock: systemClock });
    idle.retire(() => log.push('idle'));
    expect(log).to.deep.equal(['busy', 'idle']);
  });

  it('is not stuck before it was asked to connect', () => {
    const connection = new Connection({ address: '127.0.0.1:1', clock: { ...systemClock, nowMs: () => 1_000_000 } });
    expect(connection.isStuck).to.equal(false);
    connection.close();
  });
});
