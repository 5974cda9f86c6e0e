import { expect } from 'chai';
import { BATCH_UIDS_PER_TURN, nextMany, nextManyInTurns } from '../../../src/alloc/next-many.js';
import { AllocNode, type Ask } from '../../../src/alloc/node.js';
import { SeqError } from '../../../src/base/errors.js';
import type { AllocId, SectionId, Slot } from '../../../src/model/ids.js';
import { Turns } from '../../../src/alloc/turns.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';
import { FakeStore, UNKNOWN } from './fake-store.js';

describe('nextMany', () => {
  let clock: VirtualClock;
  let store: FakeStore;
  let node: AllocNode;

  const ask = (section: number, slot = 0): Ask => ({ section: section as SectionId, slot: slot as Slot, count: 1, floor: 0n });
  const run = async (...asks: (Ask | SeqError)[]): Promise<(bigint | string)[]> => {
    const patience = { deadlineMs: clock.nowMs() + 1000, isCancelled: () => false };
    const items = await nextMany({ node, clock, asks, patience });
    return items.map((item) => (item instanceof SeqError ? item.code : item.first));
  };

  beforeEach(async () => {
    clock = new VirtualClock();
    store = new FakeStore();
    store.assign('a', 0, 1);
    store.assign('b', 2);
    node = new AllocNode({
      id: 'a' as AllocId,
      zone: '',
      renewEveryMs: 500,
      store,
      pull: () => Promise.resolve(),
      clock,
      random: new SeededRandom(1),
      observe: () => {},
      onFatal: () => {},
    });
    await node.start({ address: 'a:1' });
  });
  afterEach(() => node.stop());

  it('answers in the order asked, a number each time a uid repeats', async () => {
    expect(await run(ask(0), ask(1), ask(0), ask(0, 7), ask(0))).to.deep.equal([1n, 1n, 2n, 1n, 3n]);
  });

  it('answers at once when no window is empty', () => {
    expect(nextMany({ node, clock, asks: [ask(0)], patience: { deadlineMs: 0, isCancelled: () => false } })).to.be.an('array');
  });

  it('refuses each item by itself', async () => {
    const bad = new SeqError('INVALID_ARGUMENT', 'bad uid');
    expect(await run(ask(2), bad, ask(0), ask(3), ask(2, 5))).to.deep.equal(['NOT_OWNER', 'INVALID_ARGUMENT', 1n, 'UNAVAILABLE', 'NOT_OWNER']);
  });

  it('waits where windows are empty and keeps the order, one place a section in the queue', async () => {
    const asks = [...Array.from({ length: 2_000 }, () => ask(0)), ask(1), ask(0, 3)];
    const pending = run(...asks);
    await clock.elapse(10);
    const numbers = await pending;
    expect(numbers.slice(0, 2_000)).to.deep.equal(Array.from({ length: 2_000 }, (_, index) => BigInt(index + 1)));
    expect(numbers.slice(2_000)).to.deep.equal([1n, 1n]);
  });

  it('serves a large batch a piece in a turn, others between them, and keeps its order', async () => {
    const turns = new Turns(clock);
    const patience = { deadlineMs: clock.nowMs() + 1000, isCancelled: () => false };
    // Each uid twice in a piece: no window is empty.
    const asks = Array.from({ length: 2 * BATCH_UIDS_PER_TURN + 1 }, (_, at) => ask(0, at % (BATCH_UIDS_PER_TURN / 2)));
    const pending = nextManyInTurns({ node, clock, asks, patience, turns });
    const other = nextMany({ node, clock, asks: [ask(0)], patience }) as readonly { readonly first: bigint }[];
    expect(other[0]?.first).to.equal(3n);
    await clock.elapse(10);
    const numbers = (await pending).map((item) => (item instanceof SeqError ? item.code : item.first));
    expect(numbers).to.have.length(asks.length);
    expect([0, 0.5, 1, 1.5, 2].map((piece) => numbers[piece * BATCH_UIDS_PER_TURN])).to.deep.equal([1n, 2n, 4n, 5n, 6n]);
  });

  it('leaves the rest of a large batch undone when its caller is gone', async () => {
    let isCancelled = false;
    const patience = { deadlineMs: clock.nowMs() + 1000, isCancelled: () => isCancelled };
    const asks = Array.from({ length: 3 * BATCH_UIDS_PER_TURN }, (_, at) => ask(0, at % BATCH_UIDS_PER_TURN));
    const pending = nextManyInTurns({ node, clock, asks, patience, turns: new Turns(clock) }).catch((error: unknown) => error);
    isCancelled = true;
    await clock.elapse(10);
    expect(await pending).to.include({ code: 'ABORTED', definite: false });
    expect(node.handedOutCount).to.equal(BATCH_UIDS_PER_TURN);
  });

  it('is STRICT with one round for all its sections, each of them refused alone', async () => {
    store.failures.set('renew', UNKNOWN);
    store.sections[1]!.owner = 'b';
    const patience = { deadlineMs: clock.nowMs() + 1000, isCancelled: () => false };
    const asks = [ask(0), ask(1), ask(0), ask(2), ask(1, 3)];
    const confirming = node.confirm(new Set(asks.map(({ section }) => section)), patience);
    await clock.settle();
    const confirmed = await confirming;
    const items = await nextMany({ node, clock, asks, patience, confirmed });
    expect(items.map((item) => (item instanceof SeqError ? item.code : item.first))).to.deep.equal([
      1n,
      'UNAVAILABLE',
      2n,
      'NOT_OWNER',
      'UNAVAILABLE',
    ]);
    expect(store.confirms).to.deep.equal([
      [
        { section: 0, epoch: 1 },
        { section: 1, epoch: 1 },
      ],
    ]);
  });

  it('refuses what still waits when the lease ends', async () => {
    store.held.add('raise');
    const pending = run(...Array.from({ length: 102 }, () => ask(0)));
    await clock.settle();
    store.failures.set('renew', UNKNOWN);
    clock.stall(3000);
    store.deliver('raise');
    expect((await pending).slice(99)).to.deep.equal([100n, 'UNAVAILABLE', 'UNAVAILABLE']);
  });
});
