import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aligned, showFixed } from './show.js';

const FRAMES_SHOWN = 25;
/** Waiting, and what the profiler itself takes to begin. */
const NOT_WORK: ReadonlySet<string> = new Set(['(idle)', 'dispatch']);
const PROFILER = new URL('./profiler.js', import.meta.url).href;

/** What a process needs in its environment to leave a profile in a folder; `profileDir` undefined: nothing. */
export function profiledEnv(name: string, profileDir: string | undefined): Readonly<Record<string, string>> {
  return profileDir === undefined ? {} : { NODE_OPTIONS: `--import=${PROFILER}`, SEQSVR_BENCH_PROFILE: join(profileDir, `${name}.cpuprofile`) };
}

/** Begins the profile of a process, or ends it. */
export function toggleProfile(pid: number): void {
  process.kill(pid, 'SIGUSR2');
}

/** The parts of a .cpuprofile that are looked at. */
interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** In us, one for each sample: since the one before. */
  readonly timeDeltas: readonly number[];
}

/** Where the time of a process went: its top frames by what they took themselves. */
export function topFramesOf({ nodes, samples, timeDeltas }: CpuProfile): readonly { readonly frame: string; readonly share: number }[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const took = new Map<string, number>();
  let totalUs = 0;
  for (const [at, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)';
    const us = timeDeltas[at] ?? 0;
    if (NOT_WORK.has(name)) continue;
    totalUs += us;
    took.set(name, (took.get(name) ?? 0) + us);
  }
  return [...took].map(([frame, us]) => ({ frame, share: us / totalUs })).sort((one, other) => other.share - one.share);
}

/** For people; says so when a process left none. */
export function showProfile(name: string, file: string): string {
  if (!existsSync(file)) return `${name}: there is no profile at ${file}`;
  const frames = topFramesOf(JSON.parse(readFileSync(file, 'utf8')) as CpuProfile);
  const rows = frames.slice(0, FRAMES_SHOWN).map(({ frame, share }) => [`${showFixed(share * 100, 1)} %`.padStart(7), frame]);
  return [`${name}: ${file}`, ...aligned(rows, 2)].join('\n');
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const place = url.replace(/^.*\/(node_modules|dist)\//, '');
  return place === '' ? name : `${name}  ${place}:${lineNumber + 1}`;
}
