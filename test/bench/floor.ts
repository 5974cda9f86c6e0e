import { join } from 'node:path';
import { systemRandom } from '../../src/base/random.js';
import type { AllocId, Epoch, Incarnation, SectionId } from '../../src/model/ids.js';
import { Child } from './child.js';
import { connect, type Owned, raiseOne } from './raiser.js';
import type { System } from './system.js';

/** The floor, called through the very client that ours is called through. */
export async function startFloor(folder: string, sectionCount: number): Promise<System> {
  const children: Child[] = [];
  const stop = async (): Promise<void> => void (await Promise.all(children.map((child) => child.stop())));
  const start = async (script: string, name: string, args: readonly string[]): Promise<Child> => {
    const child = await Child.start(script, [join(folder, name), ...args]);
    children.push(child);
    return child;
  };
  try {
    const followers = [await start('floor-follower', 'floor-2', []), await start('floor-follower', 'floor-3', [])];
    const leader = await start(
      'floor-leader',
      'floor-1',
      followers.map(({ address }) => address),
    );
    const client = connect([leader.address]);
    const caller = { allocId: 'bench' as AllocId, incarnation: systemRandom.id128() as Incarnation };
    const owned = Array.from({ length: sectionCount }, (_, section): Owned => ({ section: section as SectionId, epoch: 1 as Epoch, maxSeq: 0n }));
    return {
      name: 'floor',
      commit: () => raiseOne(client, caller, owned),
      syncCount: () => leader.syncCount(),
      stop: () => {
        client.close();
        return stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
