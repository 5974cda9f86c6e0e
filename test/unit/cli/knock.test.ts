import { type AddressInfo, createServer, type Server } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { anyFreePort } from '../../../src/cli/front-door.js';
import { knock, REFUSED_LIMIT_MS } from '../../../src/cli/knock.js';

describe('knock', function () {
  this.timeout(20_000);
  let server: Server | undefined;
  afterEach(() => new Promise<void>((done) => (server === undefined ? done() : server.close(() => done()))));

  async function listen(port = 0): Promise<string> {
    const made = createServer((socket) => socket.destroy());
    server = made;
    await new Promise<void>((resolve) => made.listen(port, '127.0.0.1', resolve));
    return `127.0.0.1:${(made.address() as AddressInfo).port}`;
  }

  it('goes on as soon as one endpoint takes connections, even one that closes them at once', async () => {
    const begunMs = systemClock.nowMs();
    await knock({ endpoints: ['127.0.0.1:1', await listen()], isTimeoutGiven: false }, systemClock);
    expect(systemClock.nowMs() - begunMs).to.be.lessThan(REFUSED_LIMIT_MS);
  });

  it('gives up with UNAVAILABLE once every endpoint has refused for its limit, and not before', async () => {
    const begunMs = systemClock.nowMs();
    const error = await knock({ endpoints: ['127.0.0.1:1', '127.0.0.1:2'], isTimeoutGiven: false }, systemClock).catch((thrown: unknown) => thrown);
    expect(SeqError.is(error, 'UNAVAILABLE') && error.definite && error.message).to.include('127.0.0.1:1, 127.0.0.1:2');
    expect(systemClock.nowMs() - begunMs).to.be.at.least(REFUSED_LIMIT_MS);
  });

  it('hears of a cluster that comes up meanwhile', async () => {
    const port = await anyFreePort();
    const knocking = knock({ endpoints: [`127.0.0.1:${port}`], isTimeoutGiven: false }, systemClock);
    await new Promise<void>((resolve) => systemClock.after(50, resolve));
    await listen(port);
    await knocking;
  });

  it('leaves a wait that the user asked for alone', async () => {
    await knock({ endpoints: ['127.0.0.1:1'], isTimeoutGiven: true }, systemClock);
  });
});
