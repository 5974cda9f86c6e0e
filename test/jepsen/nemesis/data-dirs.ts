import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { pause, until } from '../until.js';
import { LEASE_MS, type World } from '../world.js';
import { BrokenGuarantee, type Nemesis } from './nemesis.js';

const FOUND_WITHIN_MS = 30_000;

/** The data directory of a store is gone. Empty, it counts for nothing; then it joins as a new member in the place of the old one. */
export const lostDirectory: Nemesis = {
  name: 'lost-dir',
  needs: [],
  async strike(world, random) {
    const store = await world.anyStore(random);
    const isTriedEmpty = random.chance(0.5);
    return world.holding([store], async () => {
      const { nodeUuid } = await world.cluster.storeStatus(store);
      await world.cluster.kill(store);
      wipe(world, store);
      if (isTriedEmpty) await startEmpty(world, store);
      wipe(world, store);
      const address = world.cluster.addressOf(store);
      world.cluster.editConfig(store, (config) => asJoiner(config, store, address));
      await world.cluster.start(store);
      await world.seqctl('member', 'replace', store, store, address, '--yes');
      const uuid = (await world.cluster.storeStatus(store)).nodeUuid;
      return {
        what: `data directory of ${store} lost${isTriedEmpty ? ', started empty first' : ''}, replaced`,
        proof: uuid !== '' && uuid !== nodeUuid ? `uuid ${nodeUuid.slice(0, 8)} became ${uuid.slice(0, 8)}` : undefined,
      };
    });
  },
};

/** A store gets back its directory as it was some time ago. It must be found out, and is replaced. */
export const oldCopy: Nemesis = {
  name: 'old-copy',
  needs: [],
  async strike(world, random) {
    const store = await world.anyStore(random);
    const copy = world.cluster.path(`copy-${store}`);
    const agedMs = LEASE_MS + random.below(LEASE_MS);
    return world.holding([store], async () => {
      await world.cluster.kill(store);
      const { lastIndex } = await world.cluster.storeStatus(await world.cluster.leader());
      rmSync(copy, { recursive: true, force: true });
      cpSync(world.cluster.dataDirOf(store), copy, { recursive: true });
      await world.revive(store);
      await until(
        `${store} has more than its copy`,
        FOUND_WITHIN_MS,
        async () => (await world.cluster.storeStatus(store)).appliedIndex > lastIndex + 5n || undefined,
      );
      await pause(agedMs);
      await world.cluster.kill(store);
      wipe(world, store);
      cpSync(copy, world.cluster.dataDirOf(store), { recursive: true });
      if (world.hasDisk(store)) world.diskOf(store).noteAllSynced();
      // It comes up as the node it was, and must find out by itself that it is not.
      await until(`the old copy of ${store} counts for nothing`, FOUND_WITHIN_MS, async () => {
        if (!world.cluster.isRunning(store)) await world.cluster.start(store).catch(() => undefined);
        return (await world.cluster.storeStatus(store)).quarantine !== undefined || undefined;
      });
      const { quarantine } = await world.cluster.storeStatus(store);
      await world.mend(store);
      return { what: `${store} got an old copy of its directory, was quarantined and replaced`, proof: quarantine?.reason };
    });
  },
};

function wipe(world: World, store: string): void {
  rmSync(world.cluster.dataDirOf(store), { recursive: true });
  mkdirSync(world.cluster.dataDirOf(store));
  if (world.hasDisk(store)) world.diskOf(store).noteAllSynced();
}

/** As an operator who does not know would: it must not become the node that it was. */
async function startEmpty(world: World, store: string): Promise<void> {
  await world.cluster.start(store).catch(() => undefined);
  await pause(LEASE_MS);
  if (!world.cluster.isRunning(store)) return;
  const { nodeUuid } = await world.cluster.storeStatus(store);
  const { members } = await world.cluster.storeStatus(await world.cluster.leader());
  if (nodeUuid !== '' && members.some((member) => member.nodeUuid === nodeUuid))
    throw new BrokenGuarantee(`${store} became a member with an empty directory`);
  await world.cluster.kill(store);
}

/** The file of a founder, or of one that joined, as that of one that joins. */
function asJoiner(config: Record<string, unknown>, store: string, address: string): object {
  const { nodeId, ...rest } = config;
  // Who joined has neither an id in its file nor itself among the founders.
  if (nodeId === undefined) return config;
  const founders = config['members'] as readonly { readonly name: string; readonly peerAddress: string }[];
  return { ...rest, join: true, advertise: address, peerAdvertise: founders.find(({ name }) => name === store)?.peerAddress };
}
