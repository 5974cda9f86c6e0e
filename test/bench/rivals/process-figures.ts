import { readdirSync, readFileSync } from 'node:fs';

/** What the kernel counts of a process in /proc/PID/stat, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Whether this system tells what other processes use. Elsewhere these figures are left out. */
export const TELLS_OF_PROCESSES = process.platform === 'linux';

/** A process and everything below it, as of now. One that is gone has nobody. */
export function familyOf(pid: number): number[] {
  const threads = namesIn(`/proc/${pid}/task`);
  const children = threads.flatMap((thread) => (textOf(`/proc/${pid}/task/${thread}/children`) ?? '').split(' ').filter((text) => text !== ''));
  return threads.length === 0 ? [] : [pid, ...children.flatMap((child) => familyOf(Number(child)))];
}

/** Time on a processor of all threads of these processes, in us, since they began; NaN where the system does not tell. */
export function cpuMicrosOf(pids: readonly number[]): number {
  return TELLS_OF_PROCESSES ? pids.reduce((sum, pid) => sum + cpuMicrosOfOne(pid), 0) : Number.NaN;
}

/**
 * Memory that is resident, in bytes; NaN where the system does not tell. `isShared`: these processes share what they have
 * (PostgreSQL), so each counts its part of it and not all of it.
 */
export function residentBytesOf(pids: readonly number[], { isShared }: { readonly isShared: boolean }): number {
  if (!TELLS_OF_PROCESSES) return Number.NaN;
  return (
    pids.reduce(
      (sum, pid) => sum + ((isShared ? kibOf(`/proc/${pid}/smaps_rollup`, 'Pss') : undefined) ?? kibOf(`/proc/${pid}/status`, 'VmRSS') ?? 0),
      0,
    ) * 1024
  );
}

/** schedstat is exact to the last tick of each thread; utime and stime, where there is none, to 10 ms. */
function cpuMicrosOfOne(pid: number): number {
  let nanos = 0;
  for (const thread of namesIn(`/proc/${pid}/task`)) {
    const text = textOf(`/proc/${pid}/task/${thread}/schedstat`);
    if (text === undefined) return ticksOf(pid) * (1_000_000 / TICKS_PER_SECOND);
    nanos += Number(text.slice(0, text.indexOf(' ')));
  }
  return nanos / 1_000;
}

/** utime and stime: the 12th and 13th field after the name, which may itself have spaces and brackets. */
function ticksOf(pid: number): number {
  const text = textOf(`/proc/${pid}/stat`) ?? '';
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
}

function kibOf(file: string, name: string): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(textOf(file) ?? '');
  return found === null ? undefined : Number(found[1]);
}

/** Undefined: it is not there, or no longer; processes end while they are looked at. */
function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
