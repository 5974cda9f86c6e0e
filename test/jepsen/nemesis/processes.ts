import { readFileSync } from 'node:fs';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { pause } from '../until.js';
import { LEASE_MS, type World } from '../world.js';
import type { Nemesis } from './nemesis.js';
import { isAlive } from '../is-alive.js';

/** kill -9 of one node, of a minority of stores and some AllocSvrs, or of everything. */
export const kill: Nemesis = {
  name: 'kill',
  needs: [],
  async strike(world, random) {
    const victims = await victimsOf(world, random);
    const downMs = random.below(LEASE_MS * 2);
    return world.holding(victims, async () => {
      const pids = victims.map((name) => world.cluster.pidOf(name));
      await Promise.all(victims.map((name) => world.cluster.kill(name)));
      const dead = pids.filter((pid) => !isAlive(pid));
      await pause(downMs);
      await Promise.all(victims.map((name) => world.revive(name)));
      return {
        what: `kill -9 ${victims.join(' ')}, down ${downMs} ms`,
        proof: dead.length === pids.length ? `pids ${dead.join(' ')} gone` : undefined,
      };
    });
  },
};

/** SIGSTOP of one or two nodes for 0.1 to 5 leases, then SIGCONT. */
export const pauseNodes: Nemesis = {
  name: 'pause',
  needs: [],
  async strike(world, random) {
    const victims = [...new Set([random.chance(0.6) ? random.pick(world.allocs) : await world.anyStore(random), random.pick(world.nodes)])].slice(
      0,
      1 + random.below(2),
    );
    const pauseMs = Math.round(LEASE_MS * (random.chance(0.5) ? 0.1 + random.below(100) / 100 : 1 + random.below(400) / 100));
    for (const name of victims) world.cluster.signal(name, 'SIGSTOP');
    await pause(Math.min(100, pauseMs));
    const stopped = victims.filter((name) => stateOf(world.cluster.pidOf(name)) === 'T');
    await pause(pauseMs - 100);
    for (const name of victims) world.cluster.signal(name, 'SIGCONT');
    return {
      what: `SIGSTOP ${victims.join(' ')} for ${pauseMs} ms`,
      proof: stopped.length === victims.length ? `state T of ${stopped.join(' ')}` : undefined,
    };
  },
};

/** SIGTERM and start of every node, one after the other, each after the one before serves again. */
export const rollingRestart: Nemesis = {
  name: 'rolling-restart',
  needs: [],
  async strike(world, random) {
    const names = random.chance(0.5) ? world.allocs : world.stores;
    const ends: (number | string | null)[] = [];
    for (const name of names) {
      await world.holding([name], async () => {
        ends.push(await world.cluster.stop(name));
        await world.revive(name);
      });
      await world.untilWhole();
    }
    return { what: `rolling restart of ${names.join(' ')}`, proof: ends.every((end) => end === 0) ? `${ends.length} clean stops` : undefined };
  },
};

async function victimsOf(world: World, random: SeededRandom): Promise<readonly string[]> {
  const draw = random.below(10);
  if (draw < 4) return [random.pick(world.allocs)];
  if (draw < 7) return [await world.anyStore(random)];
  if (draw < 9) return [await world.anyStore(random), random.pick(world.allocs)];
  return world.nodes;
}

/** T: stopped (Linux); elsewhere nobody says. */
function stateOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return 'T';
  return /^State:\s+(\w)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
}
