import { expect } from 'chai';
import { SimProcess, MachineClock } from '../../sim/process.js';
import { TimeStandsStill, World } from '../../sim/world.js';

const processOn = (world: World, machine: MachineClock): SimProcess => new SimProcess({ name: 'a1', host: 'a1', world, machine });

describe('the time of a simulated world', () => {
  it('ends with an error, and not never, when somebody asks again and again for what takes no time', async () => {
    const world = new World(1);
    const { clock } = processOn(world, new MachineClock(world, { rate: 1, wallOffMs: 0 }));
    const again = (): void => void clock.after(0, again);
    again();
    let error: unknown;
    await world.run(1, () => false).catch((thrown: unknown) => (error = thrown));
    expect(error).to.be.instanceOf(TimeStandsStill);
  });

  it('comes to every deadline that a process waits for, whatever the rate of its clock and however often it stood still', async () => {
    for (let seed = 1; seed <= 500; seed++) {
      const world = new World(seed);
      const random = world.fork();
      const machine = new MachineClock(world, { rate: 1 + (random.below(20_001) - 10_000) / 1e6, wallOffMs: 0 });
      const { clock } = processOn(world, machine);
      await world.run(random.below(1e9) / 1e4, () => false);
      for (let suspends = random.below(3); suspends > 0; suspends--)
        world.after(random.below(1e6) / 1e3, 'suspend', () => machine.suspended(random.below(1e6) / 1e3));
      const deadlineMs = clock.nowMs() + random.below(1e6) / 1e3;
      let isOver = false;
      const wait = (): void => {
        const leftMs = deadlineMs - clock.nowMs();
        if (leftMs > 0) clock.after(leftMs, wait);
        else isOver = true;
      };
      wait();
      await world.run(10_000, () => isOver);
      expect(isOver, `seed ${seed}`).to.equal(true);
    }
  });
});
