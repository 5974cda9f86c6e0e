import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { Attempts, type Channels } from '../../../src/client/attempt.js';
import { ATTEMPT_MAX_MS, CallScope } from '../../../src/client/call-scope.js';
import { RoutingCache } from '../../../src/client/routing-cache.js';
import { CALLS_ON_WIRE_MAX } from '../../../src/client/wire-limit.js';
import { parseUid } from '../../../src/model/ids.js';
import { tableToWire } from '../../../src/rpc/codec.js';
import { VirtualClock } from '../virtual-clock.js';
import { tableOf } from './tables.js';

const UID = parseUid(5);

describe('client/wire-limit', () => {
  it('never has more than its limit on the wire to one address, and sends the others in the order they came', async () => {
    const world = new World();
    const calls = world.start(CALLS_ON_WIRE_MAX * 3 + 1);
    await world.clock.settle();
    for (let done = 0; world.wire.length > 0; done++) {
      expect(world.wire).to.have.length(Math.min(CALLS_ON_WIRE_MAX, calls.length - done));
      world.wire[0]!.answer();
      await world.clock.settle();
    }
    const numbers = (await Promise.all(calls)).map((range) => ('first' in range ? range.first : range));
    expect(numbers).to.deep.equal(calls.map((_, index) => BigInt(index + 1)));
  });

  it('counts each address by itself', async () => {
    const world = new World();
    void world.start(CALLS_ON_WIRE_MAX, 'a:1');
    void world.start(1, 'b:1');
    await world.clock.settle();
    expect(world.wire.at(-1)).to.include({ address: 'b:1' });
  });

  it('gives an attempt its time when it is sent, not when it gets in line', async () => {
    const world = new World();
    void world.start(CALLS_ON_WIRE_MAX + 1, 'a:1', 2_500);
    await world.clock.elapse(700);
    world.wire[0]!.answer();
    await world.clock.settle();
    expect(world.wire.at(-1)?.timeoutMs).to.equal(ATTEMPT_MAX_MS);
    await world.clock.elapse(1_000);
    void world.start(1, 'a:1', 900);
    world.wire[0]!.answer();
    await world.clock.settle();
    expect(world.wire.at(-1)?.timeoutMs).to.equal(900);
  });

  it('frees the place after every outcome', async () => {
    const world = new World();
    for (const end of ['answer', 'nonsense', 'refuse', 'abort'] as const) {
      const calls = world.start(CALLS_ON_WIRE_MAX);
      await world.clock.settle();
      expect(world.wire).to.have.length(CALLS_ON_WIRE_MAX);
      while (world.wire.length > 0) world.wire[0]![end]();
      await Promise.all(calls);
    }
    world.isThrowing = true;
    await Promise.all(world.start(CALLS_ON_WIRE_MAX));
    world.isThrowing = false;
    void world.start(1);
    expect(world.wire).to.have.length(1);
  });

  for (const { title, code, stop } of [
    { title: 'its budget is over', code: 'TIMEOUT', stop: (world: World) => world.clock.advance(100) },
    { title: 'its signal is aborted', code: 'ABORTED', stop: (world: World) => world.abort.abort() },
    { title: 'its client is closed', code: 'CLOSED', stop: (world: World) => world.scopes.at(-1)?.stop(new SeqError('CLOSED', 'closed')) },
  ] as const) {
    it(`ends a wait when ${title}: nothing was sent, for certain`, async () => {
      const world = new World();
      void world.start(CALLS_ON_WIRE_MAX, 'a:1', 60_000);
      const [waiting] = world.start(1, 'a:1', 100, world.abort.signal);
      await world.clock.settle();
      stop(world);
      expect(await waiting).to.include({ code, definite: true, attempts: 0, endpoint: undefined });
      expect(world.outcomes).to.deep.equal([]);
      // The place that comes free goes to the next one who still waits.
      void world.start(1, 'a:1', 60_000);
      world.wire[0]!.answer();
      await world.clock.settle();
      expect(world.wire).to.have.length(CALLS_ON_WIRE_MAX);
      expect(world.sentCount).to.equal(CALLS_ON_WIRE_MAX + 1);
    });
  }

  it('sends nothing for a call whose budget ended in line while the timer is late, and passes its place on', async () => {
    const world = new World();
    void world.start(CALLS_ON_WIRE_MAX, 'a:1', 60_000);
    const [late] = world.start(1, 'a:1', 100);
    void world.start(1, 'a:1', 60_000);
    world.clock.stall(100);
    world.wire[0]!.answer();
    expect(await late).to.include({ code: 'TIMEOUT', definite: true, attempts: 0 });
    await world.clock.settle();
    expect(world.sentCount).to.equal(CALLS_ON_WIRE_MAX + 1);
  });

  it('sends a waiting call to the new owner when a newer table names one, and keeps those that stay in line', async () => {
    const world = new World();
    world.cache.absorb(tableOf(1, ['a:1', 'a:1']));
    const busy = world.start(CALLS_ON_WIRE_MAX, 'a:1', 60_000);
    const [moved] = world.start(1);
    const stays = world.attempts.next('a:1', { uid: parseUid(150), count: 1 }, world.scope());
    const many = world.attempts.nextMany('a:1', [UID, parseUid(150)], world.scope());
    const both = Promise.all([stays, many.catch(() => 'it was told to go')]);
    world.reply = { routing: tableToWire(tableOf(2, ['b:1', 'a:1'])) };
    world.wire[0]!.answer();
    const error = await moved;
    expect(error).to.include({ code: 'NOT_OWNER', definite: true, attempts: 0 });
    expect((error as SeqError).redirect).to.include({ address: 'b:1' });
    await world.clock.settle();
    world.reply = {
      items: [
        { seq: 1000n, epoch: 1n },
        { seq: 1001n, epoch: 1n },
      ],
    };
    while (world.wire.length > 0) {
      world.wire[0]!.answer();
      await world.clock.settle();
    }
    expect(await both).to.deep.equal([{ first: 257n, last: 257n }, [1000n, 1001n]]);
    await Promise.all(busy);
  });

  it('asks for the route at once, however long the line is', async () => {
    const world = new World();
    void world.start(CALLS_ON_WIRE_MAX + 1);
    const route = world.attempts.getRoute('a:1', { timeoutMs: 100 });
    await world.clock.settle();
    world.reply = { routing: tableToWire(tableOf(1, ['a:1'])) };
    world.wire.at(-1)!.answer();
    await route;
    expect(world.cache.pick(UID)).to.equal('a:1');
  });
});

interface Sent {
  readonly address: string;
  readonly timeoutMs: number;
  answer(): void;
  nonsense(): void;
  refuse(): void;
  abort(): void;
}

/** Attempts before channels that keep every call until the test answers it. */
class World {
  readonly clock = new VirtualClock();
  readonly cache = new RoutingCache();
  readonly abort = new AbortController();
  readonly wire: Sent[] = [];
  readonly scopes: CallScope[] = [];
  readonly outcomes: (string | undefined)[] = [];
  readonly attempts: Attempts;
  reply: object = {};
  sentCount = 0;
  isThrowing = false;

  constructor() {
    const to = (address: string) => ({ call: (_: unknown, __: unknown, { timeoutMs }: { timeoutMs: number }) => this.#send(address, timeoutMs) });
    this.attempts = new Attempts({
      pool: { to } as unknown as Channels,
      cache: this.cache,
      events: { onTable: () => undefined, onSets: () => undefined, onOutcome: (_, error) => this.outcomes.push(error?.code) },
    });
  }

  scope(timeoutMs = 5_000, signal?: AbortSignal): CallScope {
    const scope = new CallScope({ clock: this.clock, timeoutMs, signal });
    this.scopes.push(scope);
    return scope;
  }

  /** Calls of next, each with what came of it. */
  start(count: number, address = 'a:1', timeoutMs = 5_000, signal?: AbortSignal) {
    return Array.from({ length: count }, () =>
      this.attempts.next(address, { uid: UID, count: 1 }, this.scope(timeoutMs, signal)).catch((error: SeqError) => error),
    );
  }

  #send(address: string, timeoutMs: number): Promise<unknown> {
    if (this.isThrowing) throw new SeqError('CLOSED', 'closed');
    const seq = BigInt(++this.sentCount);
    return new Promise((resolve, reject) => {
      const end = (outcome: () => void) => (): void => {
        this.wire.splice(this.wire.indexOf(sent), 1);
        outcome();
      };
      const sent: Sent = {
        address,
        timeoutMs,
        answer: end(() => resolve({ first: seq, last: seq, ...this.reply })),
        nonsense: end(() => resolve({ first: 0n, last: 0n })),
        refuse: end(() => reject(new SeqError('UNAVAILABLE', 'no', { definite: true }))),
        abort: end(() => reject(new SeqError('ABORTED', 'cut'))),
      };
      this.wire.push(sent);
    });
  }
}
