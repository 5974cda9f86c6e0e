import { join } from 'node:path';
import { CPU_BUDGET_S, runNode } from './child.js';
import type { Workbench } from './workbench.js';

/** Seeds that the simulator tries on one mutant, from 1 on, until the first violation: less than a third of the budget. */
export const SIM_SEEDS = 200;

export interface SimVerdict {
  readonly isFound: boolean;
  /** Which seed, or why not. */
  readonly how: string;
  readonly cpuSeconds: number;
}

/** Runs the simulator of the workbench's build. It says a seed's failure in a line that begins with `seed`. */
export async function askSimulator(bench: Workbench, seeds: number): Promise<SimVerdict> {
  const args = ['--seeds', String(seeds), '--workers', '1', '--fail-fast', '--no-shrink'];
  const { code, cpuSeconds, isOverBudget, output } = await runNode(bench, [join('dist', 'test', 'sim', 'main.js'), ...args]);
  const line = output.split('\n').find((text) => /^seed \d+/.test(text)) ?? '';
  if (isOverBudget) return { isFound: false, how: `nothing within ${CPU_BUDGET_S} CPU seconds`, cpuSeconds };
  if (code === 0) return { isFound: false, how: `${seeds} seeds passed`, cpuSeconds };
  return { isFound: line !== '', how: line === '' ? `it broke: ${output.slice(-200)}` : line.slice(0, 120), cpuSeconds };
}
