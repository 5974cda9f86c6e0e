import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Workbench } from './workbench.js';

/** What one detector may take, in CPU seconds of its process; the system ends it there. */
export const CPU_BUDGET_S = 600;
/** For one that waits instead of computing, in ms. */
const WALL_LIMIT_MS = 900_000;
/** Of what a child says, in characters. */
const OUTPUT_MAX = 1_000_000;

const running = new Set<ChildProcess>();

export interface Ended {
  /** Undefined: a signal ended it. */
  readonly code: number | undefined;
  readonly cpuSeconds: number;
  /** It took all of its budget, of CPU or of time. */
  readonly isOverBudget: boolean;
  readonly output: string;
}

/** Runs a Node program in the workbench, from its root, and resolves when it has ended. */
export async function runNode(bench: Workbench, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const cpuFile = join(bench.root, 'cpu');
  rmSync(cpuFile, { force: true });
  const meter = fileURLToPath(new URL('meter.js', import.meta.url));
  const node = [process.execPath, '--import', meter, ...args];
  const limited = process.platform === 'win32' ? node : ['sh', '-c', 'ulimit -t "$0" && exec "$@"', String(CPU_BUDGET_S), ...node];
  const [command = '', ...rest] = limited;
  const child = spawn(command, rest, {
    cwd: bench.root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env, SEQSVR_CPU_FILE: cpuFile, TMPDIR: bench.temporary, NODE_ENV: 'test' },
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-OUTPUT_MAX)));
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill('SIGKILL');
  }, WALL_LIMIT_MS);
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }));
  });
  clearTimeout(timer);
  running.delete(child);
  const isOverBudget = isLate || signal === 'SIGXCPU' || (signal === 'SIGKILL' && !isLate);
  return { code: code ?? undefined, cpuSeconds: isOverBudget ? CPU_BUDGET_S : cpuSecondsIn(cpuFile), isOverBudget, output };
}

/** Ends whatever is running: this process is about to end. */
export function killAll(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** 0 when it ended without leaving a word. */
function cpuSecondsIn(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8')) / 1e6;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}
