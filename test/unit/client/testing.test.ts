import { expect } from 'chai';
import { SeqClient, type SeqError } from '../../../src/client/client.js';
import { MemorySeqServer, type MemorySeqServerOptions } from '../../../src/client/testing.js';

describe('client/testing', () => {
  it('serves on a free port of loopback and counts the calls', async () => {
    await using server = await MemorySeqServer.start();
    await using client = await SeqClient.connect({ endpoints: [server.address] });
    expect(server.address).to.match(/^127\.0\.0\.1:\d+$/);
    await client.next(1);
    expect(server.callCounts).to.deep.equal({ next: 1, nextMany: 0, current: 0, advance: 0, getRoute: 1 });
  });

  it('refuses as told, as often as told', async () => {
    await using server = await MemorySeqServer.start({
      faults: [{ method: 'current', fault: { type: 'error', code: 'PERMISSION_DENIED' }, times: 2 }],
    });
    await using client = await SeqClient.connect({ endpoints: [server.address] });
    expect(await codeOf(client.current(1))).to.equal('PERMISSION_DENIED');
    expect(await codeOf(client.current(1))).to.equal('PERMISSION_DENIED');
    expect(await codeOf(client.current(1))).to.equal(undefined);
  });

  it('takes the number and loses the reply', async () => {
    await using server = await MemorySeqServer.start();
    await using client = await SeqClient.connect({ endpoints: [server.address], retry: { maxAttempts: 1 } });
    server.inject({ method: 'next', fault: { type: 'dropReply' } });
    const error = await client.next(1).catch((thrown: SeqError) => thrown);
    expect(error).to.include({ code: 'UNAVAILABLE', maybeAllocated: true });
    expect(server.lastSeqOf(1)).to.equal(1n);
  });

  it('serves late as told, and forgets its faults when healed', async () => {
    await using server = await MemorySeqServer.start();
    await using client = await SeqClient.connect({ endpoints: [server.address] });
    server.inject({ method: 'next', fault: { type: 'delay', delayMs: 20 } });
    expect(await client.next(1)).to.equal(1n);
    server.inject({ method: 'next', fault: { type: 'error', code: 'PERMISSION_DENIED' }, times: Infinity });
    server.heal();
    expect(await client.next(1)).to.equal(2n);
  });

  it('serves the uid range it was given and refuses the rest', async () => {
    await using server = await MemorySeqServer.start({ firstUid: 1_000n, lastUid: 2n ** 40n });
    await using client = await SeqClient.connect({ endpoints: [server.address] });
    expect(await client.next(2n ** 40n)).to.equal(1n);
    expect(await codeOf(client.next(999))).to.equal('INVALID_ARGUMENT');
  });

  for (const options of [{ firstUid: 5n, lastUid: 4n }, { firstUid: -1n }, { lastUid: 2n ** 64n - 1n }] satisfies MemorySeqServerOptions[]) {
    it(`refuses a uid range that a set cannot have: ${Object.values(options).join('..')}`, async () => {
      expect(await codeOf(MemorySeqServer.start(options))).to.equal('INVALID_ARGUMENT');
    });
  }

  it('closes twice, and with a delayed call open, without waiting for it', async () => {
    const server = await MemorySeqServer.start();
    await using client = await SeqClient.connect({ endpoints: [server.address], retry: { maxAttempts: 1 } });
    server.inject({ method: 'next', fault: { type: 'delay', delayMs: 60_000 } });
    const call = codeOf(client.next(1));
    while (server.callCounts.next === 0) await new Promise((resolve) => setImmediate(resolve));
    await server.close();
    await server.close();
    expect(await call).to.equal('UNAVAILABLE');
  });
});

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  return promise.then(
    () => undefined,
    (error: SeqError) => error.code,
  );
}
