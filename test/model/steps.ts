import type { State } from './layout.js';
import { leaderSteps, processSteps } from './leader-steps.js';
import { renewalSteps } from './renewal-steps.js';
import { sectionSteps } from './section-steps.js';
import { settingsSteps } from './settings-steps.js';
import { timeSteps } from './time-steps.js';
import type { Emit, World } from './world.js';

/** Everything that may come next. Throws a Violation, or what an assert of the product throws, for a step that must not be. */
export function stepsFrom(world: World, state: State, emit: Emit): void {
  timeSteps(world, state, emit);
  leaderSteps(world, state, emit);
  settingsSteps(world, state, emit);
  processSteps(world, state, emit);
  for (let run = 0; run < world.at.runCount; run += 1) {
    renewalSteps(world, state, run, emit);
    sectionSteps(world, state, run, emit);
  }
}
