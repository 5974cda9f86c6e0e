import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { RouteRefresh } from '../../../src/client/route-refresh.js';
import type { CallOptions } from '../../../src/rpc/channel.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';

describe('client/route-refresh', () => {
  it('asks one node, and no other once it has answered', async () => {
    const world = new World(['a:1', 'b:1', 'c:1']);
    expect(await world.route.refresh()).to.equal(undefined);
    await world.clock.elapse(1_000);
    expect(world.asked).to.have.length(1);
    expect(world.clock.timerCount).to.equal(0);
  });

  it('is one fetch however many ask for it', async () => {
    const world = new World(['a:1']);
    await Promise.all(Array.from({ length: 100 }, () => world.route.refresh()));
    expect(world.asked).to.have.length(1);
  });

  it('fetches at most every 50 ms, and always after it was asked to', async () => {
    const world = new World(['a:1']);
    await world.route.refresh();
    let isDone = false;
    const again = world.route.refresh().then(() => (isDone = true));
    await world.clock.elapse(49);
    expect(isDone).to.equal(false);
    await world.clock.elapse(1);
    await again;
    expect(world.asked).to.have.length(2);
  });

  it('finds the one seed that lives among dead ones, whatever the dice', async () => {
    for (let seed = 0; seed < 30; seed++) {
      const world = new World(['a:1', 'b:1', 'c:1', 'd:1'], { seed, dead: ['a:1', 'b:1', 'c:1'] });
      expect(await world.route.refresh()).to.equal(undefined);
      expect(world.asked).to.include('d:1');
    }
  });

  it('asks another seed beside one that hangs, without waiting for its deadline', async () => {
    const world = new World(['a:1', 'b:1', 'c:1'], { hanging: ['a:1', 'b:1'] });
    const startMs = world.clock.nowMs();
    let doneAtMs = 0;
    void world.route.refresh().then(() => (doneAtMs = world.clock.nowMs()));
    await world.clock.elapse(1_000);
    expect(doneAtMs - startMs).to.be.at.most(200);
    expect(world.clock.timerCount).to.equal(0);
  });

  it('says what went wrong when nobody answers, and that nothing was handed out', async () => {
    const world = new World(['a:1', 'b:1'], { dead: ['a:1', 'b:1'] });
    expect(await world.route.refresh()).to.include({ code: 'UNAVAILABLE', definite: true });
  });

  it('prefers an error that may pass to one that will not', async () => {
    for (let seed = 0; seed < 10; seed++) {
      const world = new World(['a:1', 'b:1'], { seed, dead: ['a:1'], foreign: ['b:1'] });
      expect((await world.route.refresh())?.code).to.equal('UNAVAILABLE');
    }
    const foreign = new World(['a:1'], { foreign: ['a:1'] });
    expect((await foreign.route.refresh())?.code).to.equal('PROTOCOL');
  });

  it('asks the nodes that failed last time only after all others', async () => {
    for (let seed = 0; seed < 20; seed++) {
      const world = new World(['a:1', 'b:1', 'c:1'], { seed, failing: ['a:1', 'c:1'] });
      await world.route.refresh();
      expect(world.asked).to.deep.equal(['b:1']);
    }
  });

  it('asks nodes of the table too, so that a client outlives its seeds', async () => {
    const world = new World(['a:1'], { dead: ['a:1'], known: ['x:1', 'y:1'] });
    expect(await world.route.refresh()).to.equal(undefined);
  });

  it('ends when the client is closed', async () => {
    const world = new World(['a:1'], { hanging: ['a:1'] });
    const refresh = world.route.refresh();
    world.route.close();
    await refresh;
    expect(world.clock.timerCount).to.equal(0);
  });
});

interface Behaviour {
  readonly seed?: number;
  readonly dead?: readonly string[];
  readonly hanging?: readonly string[];
  readonly foreign?: readonly string[];
  readonly failing?: readonly string[];
  readonly known?: readonly string[];
}

class World {
  readonly clock = new VirtualClock();
  readonly asked: string[] = [];
  readonly route: RouteRefresh;
  readonly #how: Behaviour;

  constructor(seeds: readonly string[], how: Behaviour = {}) {
    this.#how = how;
    this.route = new RouteRefresh({
      clock: this.clock,
      random: new SeededRandom(how.seed ?? 1),
      seeds: () => seeds,
      known: () => how.known ?? [],
      isFailing: (address) => how.failing?.includes(address) === true,
      ask: (address, options) => this.#ask(address, options),
    });
  }

  async #ask(address: string, { timeoutMs, signal }: CallOptions): Promise<void> {
    this.asked.push(address);
    if (this.#how.dead?.includes(address)) throw new SeqError('UNAVAILABLE', 'refused');
    if (this.#how.foreign?.includes(address)) throw new SeqError('PROTOCOL', 'unimplemented');
    if (!this.#how.hanging?.includes(address)) return;
    await new Promise<void>((_, reject) => {
      const cancel = this.clock.after(timeoutMs, () => reject(new SeqError('TIMEOUT', 'no answer')));
      signal?.addEventListener('abort', () => {
        cancel();
        reject(new SeqError('ABORTED', 'cut'));
      });
    });
  }
}
