import { expect } from 'chai';
import { AllocServer } from '../../../src/alloc/server.js';
import { systemClock as clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { systemRandom } from '../../../src/base/random.js';
import { GrpcChannel } from '../../../src/rpc/channel.js';
import { OPS_PER_FRAME_MAX } from '../../../src/rpc/limits.js';
import { exchangeMethod, type OpsClientStream, type OpsReply } from '../../../src/rpc/ops-codec.js';
import type { GrpcServer } from '../../../src/rpc/server.js';
import { frameOf, type FrameOptions, type Op, shown } from './exchange-stage.js';
import { FakeStore } from './fake-store.js';
import { serveStore } from './store-over-wire.js';

/** A client's end of a stream, one frame at a time. */
class Caller {
  readonly #channel: GrpcChannel;
  readonly stream: OpsClientStream;
  readonly ended: Promise<SeqError | 'well'>;
  #onReply: (reply: OpsReply) => void = () => undefined;

  constructor(address: string) {
    this.#channel = new GrpcChannel({ address, clock });
    this.stream = this.#channel.duplexStream(exchangeMethod);
    this.ended = new Promise((resolve) => {
      this.stream.on('error', (error: Parameters<GrpcChannel['errorOf']>[0]) => resolve(this.#channel.errorOf(error)));
      this.stream.on('end', () => resolve('well'));
    });
  }

  /** From here on replies are read. */
  read(): this {
    this.stream.on('data', (reply: OpsReply | SeqError) => {
      if (reply instanceof SeqError) throw reply;
      this.#onReply(reply);
    });
    return this;
  }

  /** The whole answer of a frame, from one reply or from several. */
  ask(ops: readonly Op[], options: FrameOptions = {}): Promise<unknown[]> {
    return new Promise((resolve) => {
      const answers: Record<number, bigint | string> = {};
      this.#onReply = (reply) => {
        Object.assign(answers, shown(reply));
        if (Object.keys(answers).length === ops.length) resolve(Object.values(answers));
      };
      this.stream.write(frameOf(ops, options));
    });
  }

  close(): void {
    this.stream.cancel();
    this.#channel.close();
  }
}

describe('Exchange over gRPC', () => {
  let store: FakeStore;
  let storeServer: GrpcServer;
  let alloc: AllocServer;
  const callers: Caller[] = [];

  const open = (): Caller => {
    const caller = new Caller(alloc.address);
    callers.push(caller);
    return caller;
  };
  beforeEach(async () => {
    store = new FakeStore();
    store.assign('a', 0, 1);
    storeServer = await serveStore({ store, clock });
    alloc = await AllocServer.start({
      id: 'a',
      listen: '127.0.0.1:0',
      zone: '',
      stores: [storeServer.address],
      renewEveryMs: 50,
      clock,
      random: systemRandom,
      observe: () => undefined,
      onFatal: (error) => console.error(error),
    });
  });
  afterEach(() => {
    for (const caller of callers.splice(0)) caller.close();
    alloc.cut();
    storeServer.cut();
  });

  it('answers frames, at once and through a raise', async () => {
    const caller = open().read();
    expect(await caller.ask([{ uid: 5n }, { uid: 5n, count: 10 }, { uid: 2_500n }])).to.deep.equal([1n, 2n, 'UNAVAILABLE']);
    expect(await caller.ask([{ uid: 5n, count: 1_000 }, { uid: 5n, count: 0 }, { uid: 6n }])).to.deep.equal([12n, 11n, 1n]);
    expect(await caller.ask([{ uid: 5n }], { strict: true })).to.deep.equal([1_012n]);
    caller.stream.end();
    expect(await caller.ended).to.equal('well');
    expect(alloc.exchangeFigures).to.deep.include({ streamCount: 0, frameCount: 3, opCount: 7, lateOpCount: 1 });
  });

  it('holds for a client who never reads no more than its replies that fit the connection, and others go on', async () => {
    store.raiseBy = 1_000_000_000n;
    const sent = 2_000;
    const abuser = open().read();
    // Only who has begun to read, and stops, holds a connection of grpc-js up.
    await abuser.ask([{ uid: 5n }]);
    abuser.stream.pause();
    const ops = Array.from({ length: OPS_PER_FRAME_MAX }, (_, at): Op => ({ uid: BigInt(at) }));
    for (let id = 0; id < sent; id++) abuser.stream.write(frameOf(ops, { id }));
    const other = open().read();
    let before = -1;
    // Until nothing more of it is read while others are served.
    while (before !== alloc.exchangeFigures.opCount) {
      before = alloc.exchangeFigures.opCount + 500;
      for (let call = 0; call < 500; call++) expect(await other.ask([{ uid: 1_000n }])).to.have.length(1);
    }
    expect(alloc.exchangeFigures.opCount).to.be.below((sent / 10) * OPS_PER_FRAME_MAX);
  });

  for (const [what, bytes, rule] of [
    ['no message at all', Buffer.from('GET / HTTP/1.1\r\n'), 'no message'],
    ['a frame that is cut off', frameOf([{ uid: 5n }]).subarray(0, 5), 'no message'],
    ['a frame without operations', Buffer.of(8, 1), 'got 0'],
    ['more than any frame takes', Buffer.alloc(1024 * 1024), '65536 bytes'],
    ['more than gRPC takes', Buffer.alloc(5 * 1024 * 1024), 'larger than max'],
  ] as const) {
    it(`ends the stream of who sends ${what} with a typed error, and no other`, async () => {
      const [abuser, other] = [open().read(), open().read()];
      expect(await other.ask([{ uid: 5n }])).to.deep.equal([1n]);
      abuser.stream.write(bytes);
      const error = await abuser.ended;
      expect(error).to.be.an.instanceOf(SeqError);
      expect((error as SeqError).code).to.be.oneOf(['INVALID_ARGUMENT', 'PROTOCOL', 'RESOURCE_EXHAUSTED']);
      expect((error as SeqError).message).to.include(rule);
      expect(await other.ask([{ uid: 5n }])).to.deep.equal([2n]);
    });
  }

  it('ends open streams at once on a clean stop', async () => {
    const caller = open().read();
    expect(await caller.ask([{ uid: 5n }])).to.deep.equal([1n]);
    const stopped = alloc.drainAndStop();
    expect(await caller.ended)
      .to.be.an.instanceOf(SeqError)
      .with.property('code', 'UNAVAILABLE');
    const atMs = clock.nowMs();
    await stopped;
    expect(clock.nowMs() - atMs, 'nobody waits for it').to.be.below(1_500);
    expect(store.releases[0]?.[0]?.trueMax).to.equal(1n);
  });
});
