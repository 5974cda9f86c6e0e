import { expect } from 'chai';
import { Simulation } from './simulation.js';

/** SEQSVR_SEEDS=1001-5000 tries those instead of the usual ones. */
const [FIRST = 1, LAST = 200] = process.env['SEQSVR_SEEDS']?.split('-').map(Number) ?? [];
const SEEDS = LAST - FIRST + 1;
const STEPS = 5_000;

describe('random worlds (pure cores: changes of members, snapshots, loss, repetition, reordering, one-way cuts, slow disks, crashes)', function () {
  this.timeout(Math.max(60_000, SEEDS * 300));

  for (const size of [3, 5]) {
    it(`${SEEDS} seeds with ${size} nodes: what Raft promises holds after every step, and all are one when the world heals`, () => {
      const totals = { leaders: 0, committed: 0, reads: 0, memberships: 0, snapshots: 0 };
      for (let seed = FIRST; seed <= LAST; seed += 1) {
        const world = new Simulation({ seed, size });
        try {
          world.run(STEPS);
          world.recover();
        } catch (error) {
          throw new Error(`seed ${seed}, ${size} nodes: ${String(error)}`, { cause: error });
        }
        totals.leaders += world.checker.leaderCount;
        totals.committed += world.checker.committedIndex;
        totals.reads += world.checker.readsConfirmed;
        totals.memberships += world.checker.membershipCount;
        totals.snapshots += world.snapshotCount;
      }
      // A world in which nothing happens proves nothing.
      expect(totals.leaders / SEEDS, 'leaders in a world').to.be.above(3);
      expect(totals.committed / SEEDS, 'committed entries in a world').to.be.above(30);
      expect(totals.reads / SEEDS, 'confirmed reads in a world').to.be.above(10);
      expect(totals.memberships / SEEDS, 'memberships in a world').to.be.above(2);
      expect(totals.snapshots / SEEDS, 'snapshots in a world').to.be.above(1);
    });
  }
});
