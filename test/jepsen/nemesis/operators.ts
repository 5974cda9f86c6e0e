import type { SeededRandom } from '../../unit/seeded-random.js';
import { pause, until } from '../until.js';
import { LEASE_MS, type World } from '../world.js';
import type { Nemesis } from './nemesis.js';

const REMOVED_WITHIN_MS = 30_000;

/** A store is added, one is removed, or one is replaced by another machine. The number of stores stays between three and five. */
export const membership: Nemesis = {
  name: 'membership',
  needs: [],
  async strike(world, random) {
    const before = await votersOf(world);
    const draw = random.below(3);
    const act = draw === 0 ? replaceOne : world.stores.length >= 5 || (draw === 1 && world.stores.length > 3) ? removeOne : addOne;
    const what = await act(world, random);
    const after = await votersOf(world);
    return { what, proof: before === after ? undefined : `voters ${before} became ${after}` };
  },
};

/** Leadership goes to another store, some times in a row. */
export const leaderTransfer: Nemesis = {
  name: 'leader-transfer',
  needs: [],
  async strike(world, random) {
    const leaders = [await world.cluster.leader()];
    for (let times = 1 + random.below(3); times > 0; times -= 1) {
      const target = random.pick(world.stores.filter((name) => name !== leaders.at(-1)));
      await world.seqctl('leader', 'transfer', target);
      leaders.push(target);
      await pause(random.below(LEASE_MS / 2));
    }
    return { what: `leader transfers ${leaders.join(' > ')}`, proof: `${leaders.length - 1} transfers answered` };
  },
};

/** An AllocSvr is emptied while it runs, and may have sections again later. */
export const drain: Nemesis = {
  name: 'drain',
  needs: [],
  async strike(world, random) {
    const alloc = random.pick(world.allocs);
    const emptyMs = random.below(LEASE_MS);
    await world.seqctl('alloc', 'drain', alloc, '--reason', 'nemesis');
    const { sectionCount } = await world.cluster.allocStatus(alloc);
    await pause(emptyMs);
    await world.seqctl('alloc', 'resume', alloc);
    return { what: `${alloc} drained, resumed after ${emptyMs} ms`, proof: sectionCount === 0 ? 'it had no section' : undefined };
  },
};

async function addOne(world: World): Promise<string> {
  const name = world.newStoreName();
  const address = await world.cluster.startJoiner(name);
  await world.seqctl('member', 'add', name, address);
  return `${name} added`;
}

async function removeOne(world: World, random: SeededRandom): Promise<string> {
  const victim = await world.anyStore(random);
  await leave(world, victim, () => world.seqctl('member', 'remove', victim, '--yes'));
  return `${victim} removed`;
}

async function replaceOne(world: World, random: SeededRandom): Promise<string> {
  const victim = await world.anyStore(random);
  const name = world.newStoreName();
  const address = await world.cluster.startJoiner(name);
  await leave(world, victim, () => world.seqctl('member', 'replace', victim, name, address, '--yes'));
  return `${victim} replaced by ${name}`;
}

/** Whoever is removed is told, and ends by itself. */
async function leave(world: World, victim: string, act: () => Promise<string>): Promise<void> {
  await world.holding([victim], async () => {
    await act();
    await until(`${victim} ends by itself`, REMOVED_WITHIN_MS, () => (world.cluster.isRunning(victim) ? undefined : true));
    world.cluster.forget(victim);
  });
}

async function votersOf(world: World): Promise<string> {
  const { members } = await world.cluster.storeStatus(await world.cluster.leader());
  return members
    .filter(({ role }) => role === 'voter')
    .map(({ name, id }) => `${name}/${id}`)
    .join(' ');
}
