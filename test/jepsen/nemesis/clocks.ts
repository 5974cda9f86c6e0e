import { pause } from '../until.js';
import { LEASE_MS } from '../world.js';
import type { Nemesis } from './nemesis.js';

/** The wall clocks of some nodes jump by a second to an hour, forward or back, and later return; that of an AllocSvr always. */
export const clock: Nemesis = {
  name: 'clock',
  needs: ['faketime'],
  async strike(world, random) {
    const alloc = random.pick(world.allocs);
    const victims = [alloc, ...world.nodes.filter((name) => name !== alloc && random.chance(0.5))];
    const seconds = (1 + random.below(random.chance(0.5) ? 10 : 3_600)) * (random.chance(0.5) ? 1 : -1);
    const durationMs = Math.round(LEASE_MS * (0.5 + random.below(200) / 100));
    for (const name of victims) world.setClock(name, seconds);
    await pause(durationMs);
    for (const name of victims) world.setClock(name, 0);
    await pause(LEASE_MS / 2);
    // An AllocSvr says that its clocks moved apart; stores look at no wall clock.
    const isSeen = world.cluster.logHas(alloc, 'clockJumped');
    return {
      what: `wall clocks of ${victims.join(' ')} ${seconds} s off for ${durationMs} ms`,
      proof: isSeen ? `${alloc} logged clockJumped` : undefined,
    };
  },
};
