import type { SeededRandom } from '../../unit/seeded-random.js';
import { pause, until } from '../until.js';
import { LEASE_MS, type World } from '../world.js';
import { BrokenGuarantee, type Nemesis } from './nemesis.js';

const ENDS_WITHIN_MS = 15_000;

/** The disk of a store takes some more bytes, then none. The store must end; with space again it comes back. */
export const diskFull: Nemesis = {
  name: 'disk-full',
  needs: ['shim'],
  strike: (world, random) => {
    const bytes = random.below(20_000);
    return failing(world, random, {
      what: `disk full after ${bytes} bytes`,
      begin: (store) => world.diskOf(store).fill(bytes),
      proof: (store) => (world.diskOf(store).counts.refused > 0 ? `${world.diskOf(store).counts.refused} writes refused` : undefined),
    });
  },
};

/** A sync of a store fails, once or from then on. The store must end. */
export const fsyncError: Nemesis = {
  name: 'fsync-error',
  needs: ['shim'],
  strike: (world, random) => {
    const after = random.below(50);
    const once = random.chance(0.5);
    return failing(world, random, {
      what: `fsync fails after ${after} more, ${once ? 'once' : 'for ever'}`,
      begin: (store) => world.diskOf(store).failSync({ after, once }),
      proof: (store) => (world.diskOf(store).counts.failed > 0 ? `${world.diskOf(store).counts.failed} syncs failed` : undefined),
    });
  },
};

/** The disk of ONE store lies about syncs for a while; then it loses power, and all that it lied about. */
export const lyingFsync: Nemesis = {
  name: 'lying-fsync',
  needs: ['shim'],
  async strike(world, random) {
    const store = await world.anyStore(random);
    const lieMs = 200 + random.below(LEASE_MS * 2);
    return world.holding([store], async () => {
      const disk = world.diskOf(store);
      const before = disk.counts.lied;
      disk.lie();
      await pause(lieMs);
      await world.cluster.kill(store);
      const lost = disk.losePower(random);
      disk.heal();
      await world.revive(store);
      // Nothing on its own disk tells: the others know what it said it had.
      await pause(LEASE_MS);
      if (!world.cluster.isRunning(store)) await world.revive(store);
      const isReplaced = await world.mend(store);
      const lied = disk.counts.lied - before;
      return {
        what: `fsync of ${store} lies for ${lieMs} ms, then power is lost${isReplaced ? '; quarantined and replaced' : ''}`,
        proof: lied > 0 ? `${lied} syncs lied, ${lost} bytes lost` : undefined,
      };
    });
  },
};

/** All stores, or all nodes, lose power at once; what was not synced is gone. */
export const powerLoss: Nemesis = {
  name: 'power-loss',
  needs: ['shim'],
  async strike(world, random) {
    const victims = random.chance(0.5) ? world.nodes : world.stores;
    const downMs = random.below(LEASE_MS);
    return world.holding(victims, async () => {
      await Promise.all(victims.map((name) => world.cluster.kill(name)));
      const lost = world.stores.map((name) => world.diskOf(name).losePower(random));
      await pause(downMs);
      await Promise.all(victims.map((name) => world.revive(name)));
      const quarantined = await Promise.all(
        world.stores.map(async (name) => ((await world.cluster.storeStatus(name)).quarantine === undefined ? 0 : 1)),
      );
      const count = quarantined.reduce<number>((sum, one) => sum + one, 0);
      if (count > 0) throw new BrokenGuarantee(`an honest loss of power quarantined ${count} stores\n${world.cluster.lastWords()}`);
      return { what: `${victims.length} nodes lose power at once, down ${downMs} ms`, proof: `unsynced bytes lost: ${lost.join(' ')}` };
    });
  },
};

/** Each sync of one store takes 1 to 30 s. */
export const hungDisk: Nemesis = {
  name: 'hung-disk',
  needs: ['shim'],
  async strike(world, random) {
    const store = await world.anyStore(random);
    const hangMs = 1_000 + random.below(29_000);
    const durationMs = LEASE_MS + random.below(LEASE_MS * 4);
    const disk = world.diskOf(store);
    const before = disk.counts.hung;
    disk.hang(hangMs);
    await pause(durationMs);
    disk.heal();
    const hung = disk.counts.hung - before;
    return { what: `syncs of ${store} hang for up to ${Math.min(hangMs, durationMs)} ms`, proof: hung > 0 ? `${hung} syncs hung` : undefined };
  },
};

/** A store whose disk fails ends by itself, and comes back once the disk is healed. */
async function failing(
  world: World,
  random: SeededRandom,
  options: { readonly what: string; readonly begin: (store: string) => void; readonly proof: (store: string) => string | undefined },
) {
  const store = await world.anyStore(random);
  const downMs = random.below(LEASE_MS);
  return world.holding([store], async () => {
    const disk = world.diskOf(store);
    const refused = disk.counts.refused + disk.counts.failed;
    options.begin(store);
    // A write may have been taken for good before the fault, so nothing happens until the next one is due.
    const hasEnded = await until(`${store} ends by itself`, ENDS_WITHIN_MS, () => (world.cluster.isRunning(store) ? undefined : true)).catch(
      () => false,
    );
    const hasFailed = disk.counts.refused + disk.counts.failed > refused;
    if (hasFailed && !hasEnded) throw new BrokenGuarantee(`the disk of ${store} failed, and it goes on: ${options.what}`);
    const end = world.cluster.endOf(store);
    await pause(downMs);
    disk.heal();
    if (!world.cluster.isRunning(store)) await world.revive(store);
    const isReplaced = await world.mend(store);
    return {
      what: `${options.what} at ${store}; ${end === undefined ? 'it went on' : `it ended with ${end}`}${isReplaced ? '; quarantined and replaced' : ''}`,
      proof: hasFailed ? options.proof(store) : undefined,
    };
  });
}
