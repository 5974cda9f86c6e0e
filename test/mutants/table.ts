import type { Mutant } from './mutant.js';
import type { SimVerdict } from './simulator.js';
import type { Verdict } from './verdict.js';

/** Mutant, rule, found by, CPU seconds; and what the simulator says, when it was asked. */
export function tableOf(
  mutants: readonly Mutant[],
  verdicts: ReadonlyMap<Mutant, Verdict>,
  bySim: ReadonlyMap<Mutant, SimVerdict> | undefined,
): string {
  const head = ['mutant', 'rule', 'found by', 'CPU s', ...(bySim === undefined ? [] : ['simulator'])];
  const rows = mutants.map((mutant) => {
    const { name, rule } = mutant;
    const verdict = verdicts.get(mutant);
    return [name, rule, foundBy(mutant, verdict), verdict?.cpuSeconds.toFixed(1) ?? '', ...(bySim === undefined ? [] : [simCell(bySim.get(mutant))])];
  });
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function foundBy({ test }: Mutant, verdict: Verdict | undefined): string {
  if (verdict?.type !== 'found') return `${verdict?.type.toUpperCase() ?? 'NOT RUN'} by ${test.file}`;
  return `${test.file}${verdict.isByTimeLimit ? ' (by its time limit)' : ''}`;
}

function simCell(verdict: SimVerdict | undefined): string {
  return verdict === undefined ? '' : `${verdict.isFound ? 'found' : 'missed'}, ${verdict.cpuSeconds.toFixed(0)} CPU s: ${verdict.how}`;
}
