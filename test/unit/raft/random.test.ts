import { expect } from 'chai';
import { Simulation } from './simulation.js';

const SEEDS = 200;
const STEPS = 5_000;

describe('random worlds (pure cores: loss, repetition, reordering, one-way cuts, slow disks, crashes)', function () {
  this.timeout(60_000);

  for (const size of [3, 5]) {
    it(`${SEEDS} seeds with ${size} nodes: what Raft promises holds after every step, and all are one when the world heals`, () => {
      let committed = 0;
      let leaders = 0;
      let reads = 0;
      for (let seed = 1; seed <= SEEDS; seed += 1) {
        const world = new Simulation({ seed, size });
        try {
          world.run(STEPS);
          world.recover();
        } catch (error) {
          throw new Error(`seed ${seed}, ${size} nodes: ${String(error)}`, { cause: error });
        }
        committed += world.checker.committedIndex;
        leaders += world.checker.leaderCount;
        reads += world.checker.readsConfirmed;
      }
      // A world in which nothing happens proves nothing.
      expect(leaders / SEEDS, 'leaders in a world').to.be.above(3);
      expect(committed / SEEDS, 'committed entries in a world').to.be.above(30);
      expect(reads / SEEDS, 'confirmed reads in a world').to.be.above(10);
    });
  }
});
