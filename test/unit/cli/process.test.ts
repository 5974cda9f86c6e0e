import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { type ProcessContext, type ProcessHost, type Running, runProcess, STOP_LIMIT_MS, GROUP_GRACE_MS } from '../../../src/cli/process.js';
import type { Log } from '../../../src/ops/log.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

class Exited extends Error {}

/** A process that records instead of ending. */
function fakeHost(isSupervised: boolean) {
  const handlers = new Map<string, (error: unknown) => void>();
  const exits: number[] = [];
  const sent: unknown[] = [];
  const talk: string[] = [];
  let isConnected = true;
  const host: ProcessHost = {
    isSupervised,
    isConnected: () => isConnected,
    on: (event: string, handle: (error: unknown) => void) => void handlers.set(event, handle),
    send: (message) => void sent.push(message),
    talk: (line) => void talk.push(line),
    exit: (code) => {
      exits.push(code);
      throw new Exited();
    },
  };
  const raise = (event: string, error?: unknown): void => {
    try {
      handlers.get(event)?.(error);
    } catch (thrown) {
      if (!(thrown instanceof Exited)) throw thrown;
    }
  };
  return { host, exits, sent, talk, raise, disconnectBefore: () => (isConnected = false) };
}

const silent: Log = { write: () => undefined, component: () => silent };
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('process life cycle', () => {
  async function running(isSupervised = false, isNeededByOthers = false) {
    const clock = new VirtualClock();
    const fake = fakeHost(isSupervised);
    let stops = 0;
    let finishStop: (error?: Error) => void = () => undefined;
    let context: ProcessContext | undefined;
    const node: Running = {
      address: '127.0.0.1:1',
      stop: () => {
        stops += 1;
        return new Promise((resolve, reject) => {
          finishStop = (error) => (error === undefined ? resolve() : reject(error));
        });
      },
    };
    const serve = async (given: ProcessContext): Promise<Running> => {
      context = given;
      return node;
    };
    runProcess({ clock, random: new SeededRandom(1), log: silent, host: fake.host, serve, isNeededByOthers }).catch(() => undefined);
    await settle();
    return { ...fake, clock, stops: () => stops, finishStop: (error?: Error) => finishStop(error), context: context as ProcessContext };
  }

  it('tells its supervisor where it serves', async () => {
    const { sent } = await running(true);
    expect(sent).to.deep.equal([{ type: 'ready', address: '127.0.0.1:1' }]);
  });

  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    it(`stops on ${signal} and exits 0 only when stopped`, async () => {
      const node = await running();
      node.raise(signal);
      await settle();
      expect([node.stops(), node.exits]).to.deep.equal([1, []]);
      node.finishStop();
      await settle();
      expect(node.exits).to.deep.equal([0]);
    });
  }

  it('cuts on a second signal', async () => {
    const node = await running();
    node.raise('SIGINT');
    node.raise('SIGINT');
    expect(node.exits).to.deep.equal([130]);
  });

  it('exits 1 when stopping takes too long', async () => {
    const node = await running();
    node.raise('SIGTERM');
    try {
      node.clock.advance(STOP_LIMIT_MS);
    } catch (error) {
      expect(error).to.be.instanceOf(Exited);
    }
    expect(node.exits).to.deep.equal([1]);
  });

  it('leaves Ctrl-C to its supervisor, and stops when that says so', async () => {
    const node = await running(true, true);
    node.raise('SIGINT');
    node.raise('SIGHUP');
    node.raise('message', { type: 'something else' });
    expect(node.stops()).to.equal(0);
    node.raise('message', { type: 'stop' });
    expect(node.stops()).to.equal(1);
  });

  it('supervised, takes a SIGTERM to the whole group for one: a second one does not cut', async () => {
    const node = await running(true);
    node.raise('SIGTERM');
    node.raise('SIGTERM');
    node.raise('message', { type: 'stop' });
    expect([node.stops(), node.exits]).to.deep.equal([1, []]);
  });

  it('as a supervised store, lets the AllocSvrs of its group stop before it', async () => {
    const node = await running(true, true);
    node.raise('SIGTERM');
    node.clock.advance(GROUP_GRACE_MS - 1);
    expect(node.stops()).to.equal(0);
    node.clock.advance(1);
    expect(node.stops()).to.equal(1);
  });

  it('ends at once when its supervisor dies', async () => {
    const node = await running(true);
    node.raise('disconnect');
    expect([node.stops(), node.exits]).to.deep.equal([0, [1]]);
  });

  it('does not even start when its supervisor died before', async () => {
    const fake = fakeHost(true);
    fake.disconnectBefore();
    let isServed = false;
    const serve = async (): Promise<Running> => {
      isServed = true;
      throw new Error('not reached');
    };
    await runProcess({ clock: new VirtualClock(), random: new SeededRandom(1), log: silent, host: fake.host, serve }).catch(() => undefined);
    expect([fake.exits, isServed]).to.deep.equal([[1], false]);
  });

  for (const event of ['uncaughtException', 'unhandledRejection']) {
    it(`ends at once on an ${event}, without stopping in order`, async () => {
      const node = await running();
      node.raise(event, new Error('bug'));
      expect([node.stops(), node.exits]).to.deep.equal([0, [1]]);
    });
  }

  it('ends at once when a part says that it must', async () => {
    const node = await running();
    expect(() => node.context.fail(new SeqError('CLOSED', 'superseded'))).to.throw(Exited);
    expect(node.exits).to.deep.equal([1]);
  });

  it('says what ended it in a plain sentence too, with the exit code of a refusal while it starts', async () => {
    const fake = fakeHost(false);
    const refusal = new SeqError('INVALID_ARGUMENT', 'the geometry differs');
    const serve = async ({ fail }: ProcessContext): Promise<Running> => fail(refusal);
    await runProcess({ clock: new VirtualClock(), random: new SeededRandom(1), log: silent, host: fake.host, serve }).catch(() => undefined);
    expect(fake.talk).to.deep.equal(['error INVALID_ARGUMENT: the geometry differs']);
    expect(fake.exits).to.deep.equal([2]);
  });

  it('rejects with what kept the node from serving', async () => {
    const fake = fakeHost(false);
    const refusal = new SeqError('INVALID_ARGUMENT', 'port in use');
    const serve = (): Promise<Running> => Promise.reject(refusal);
    const outcome = await runProcess({ clock: new VirtualClock(), random: new SeededRandom(1), log: silent, host: fake.host, serve }).catch(
      (error: unknown) => error,
    );
    expect(outcome).to.equal(refusal);
    expect(fake.exits).to.deep.equal([]);
  });
});
