import type { Instant } from '../base/clock.js';
import { sectionCountOf } from '../model/geometry.js';
import { DEFAULT_LEASE_TERMS, waitMsOf } from '../model/lease.js';
import type { NodeConfig } from './config.js';
import type { DependencyFinding } from './dependency-floors.js';
import { formatDuration } from './duration.js';

export type Verdict = 'ok' | 'warn' | 'fail';

/** One thing that was looked at. */
export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  /** What was seen, with its figures. */
  readonly what: string;
  /** '' when there is nothing to do. */
  readonly todo: string;
}

/** No disk that keeps its word writes and syncs a block faster than this, in ms; one with a battery-backed cache may. */
const SYNC_MIN_MS = 0.02;
/** Slower than this, in ms, and every raise and every election feels it. */
const SYNC_SLOW_MS = 25;
/** As long as the shortest election timeout by default, in ms: a leader that syncs for so long is taken for dead. */
const SYNC_FATAL_MS = 500;
/** Clocks that part by more than this between two readings, in ms, were set. */
const JUMP_MS = 50;
const OPEN_FILES_MIN = 4_096;
const MIB = 1_048_576;
const ROOM_WARN_BYTES = 1_024 * MIB;
const ROOM_FAIL_BYTES = 256 * MIB;
/** A way there that takes longer than this, in ms, leaves a renewal attempt (200 ms) too little. */
const WAY_SLOW_MS = 50;

export function judgeSync(timesMs: readonly number[], folder: string, isMemory: boolean): Finding {
  const check = 'fsync';
  if (isMemory)
    return { check, verdict: 'fail', what: `${folder} is in memory (tmpfs): nothing there outlives the machine`, todo: 'put dataDir on a disk' };
  const sorted = [...timesMs].sort((one, other) => one - other);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const worst = sorted.at(-1) ?? 0;
  const what = `${sorted.length} writes with fsync in ${folder}: median ${figure(median)}, worst ${figure(worst)}`;
  if (sorted.length === 0)
    return { check, verdict: 'fail', what: `no write with fsync in ${folder} ended in time`, todo: 'the disk hangs: use another one' };
  if (median < SYNC_MIN_MS)
    return {
      check,
      verdict: 'warn',
      what: `${what}: implausibly fast for a disk that honours fsync`,
      todo: 'unless its cache survives a power loss, look for a write cache, a virtual disk or a mount option (nobarrier, eatmydata) that ignores fsync',
    };
  if (worst >= SYNC_FATAL_MS)
    return {
      check,
      verdict: 'fail',
      what: `${what}: as long as an election timeout`,
      todo: 'use a faster disk that others do not load, or lengthen election and lease',
    };
  if (median > SYNC_SLOW_MS) return { check, verdict: 'warn', what: `${what}: slow`, todo: 'use a disk of its own, an SSD or NVMe' };
  return { check, verdict: 'ok', what, todo: '' };
}

/** Readings in their order: did any of the three clocks go another way than the monotonic one? */
export function judgeClocks(readings: readonly Instant[]): Finding {
  const check = 'clock';
  let worst = 0;
  let which = '';
  for (const [at, now] of readings.entries()) {
    const before = readings[at - 1] ?? now;
    const monoMs = now.monoMs - before.monoMs;
    for (const [name, passedMs] of [
      ['wall clock', now.wallMs - before.wallMs],
      ['uptime', now.uptimeMs - before.uptimeMs],
    ] as const) {
      if (Math.abs(passedMs - monoMs) <= Math.abs(worst)) continue;
      worst = passedMs - monoMs;
      which = name;
    }
  }
  const [first, last] = [readings[0], readings.at(-1)];
  const spanMs = first === undefined || last === undefined ? 0 : last.monoMs - first.monoMs;
  const over = `over ${figure(spanMs)}`;
  if (Math.abs(worst) <= JUMP_MS)
    return { check, verdict: 'ok', what: `monotonic clock, wall clock and uptime agree within ${figure(Math.abs(worst))} ${over}`, todo: '' };
  const what = `the ${which} jumped by ${figure(worst)} against the monotonic clock ${over}`;
  return { check, verdict: 'warn', what, todo: 'let NTP slew the clock instead of stepping it; a step ends leases early, never late' };
}

/** `isSynced` undefined: nobody here can say. */
export function judgeNtp(isSynced: boolean | undefined): Finding {
  const check = 'ntp';
  if (isSynced === true) return { check, verdict: 'ok', what: 'the clock is synchronized', todo: '' };
  const what = isSynced === false ? 'the clock is not synchronized' : 'whether the clock is synchronized cannot be seen from here';
  return { check, verdict: 'warn', what, todo: 'run chrony or systemd-timesyncd: leases need clock rates within the drift bound' };
}

/** `soft` undefined: nobody here can say. */
export function judgeOpenFiles(soft: number | undefined): Finding {
  const check = 'open files';
  if (soft === undefined)
    return {
      check,
      verdict: 'warn',
      what: 'the limit of open files cannot be seen from here',
      todo: `make sure that it is at least ${OPEN_FILES_MIN}`,
    };
  const what = `at most ${soft} open files`;
  if (soft >= OPEN_FILES_MIN) return { check, verdict: 'ok', what, todo: '' };
  return { check, verdict: 'warn', what, todo: `raise it to at least ${OPEN_FILES_MIN} (LimitNOFILE in systemd, ulimit -n): each connection is one` };
}

export function judgeRoom({ freeBytes, sizeBytes }: { readonly freeBytes: number; readonly sizeBytes: number }, folder: string): Finding {
  const check = 'disk space';
  const what = `${Math.floor(freeBytes / MIB)} of ${Math.floor(sizeBytes / MIB)} MiB are free at ${folder}`;
  const todo = 'make room: a store ends at its first write that fails';
  if (freeBytes < ROOM_FAIL_BYTES) return { check, verdict: 'fail', what, todo };
  return freeBytes < ROOM_WARN_BYTES ? { check, verdict: 'warn', what, todo } : { check, verdict: 'ok', what, todo: '' };
}

export function judgeDependencies(findings: readonly DependencyFinding[]): Finding[] {
  return findings.map(({ floor, version, isHighEnough }) => {
    const check = 'dependencies';
    if (isHighEnough) return { check, verdict: 'ok', what: `${floor.name} ${version ?? 'is not installed'}, at least ${floor.least}`, todo: '' };
    return {
      check,
      verdict: 'fail',
      what: `${floor.name} ${version} is below ${floor.least}: ${floor.why}`,
      todo: `update ${floor.name}; no node starts with it`,
    };
  });
}

/** What a config's times come to. It was found good before: what could not be kept was refused there. */
export function judgeTimes(config: NodeConfig): Finding {
  const check = 'lease';
  if (config.role === 'alloc') {
    const { leaseMs } = DEFAULT_LEASE_TERMS;
    const what = `renewEvery ${formatDuration(config.renewEveryMs)} x 4 = ${config.renewEveryMs * 4}ms, of a lease that is ${leaseMs}ms unless the cluster was founded with another`;
    if (config.renewEveryMs * 4 <= leaseMs) return { check, verdict: 'ok', what, todo: '' };
    return { check, verdict: 'warn', what, todo: "'seqctl lease show' says what the lease is; shorten renewEvery unless it is that long" };
  }
  const { lease, electionMaxMs } = config;
  const waitMs = waitMsOf(lease);
  const what = `lease ${formatDuration(lease.leaseMs)} > 2 x election ${electionMaxMs}ms; a dead AllocSvr's sections move after ${waitMs}ms`;
  if (lease.driftPpm === 0)
    return {
      check,
      verdict: 'warn',
      what: `${what}; drift 0 trusts every clock to run alike`,
      todo: 'set drift to at least 0.1%: no quartz is exact',
    };
  return { check, verdict: 'ok', what, todo: '' };
}

export function judgeGeometry(config: NodeConfig): Finding[] {
  if (config.role !== 'store') return [];
  const { firstUid, lastUid, uidsPerSection } = config.geometry;
  const what = `uids ${firstUid}..${lastUid} in ${sectionCountOf(config.geometry)} sections of ${uidsPerSection}`;
  return [{ check: 'geometry', verdict: 'ok', what: `${what}, fixed at the founding`, todo: '' }];
}

/** A node that was asked. */
export interface Reached {
  readonly address: string;
  /** '' when it answered. */
  readonly error: string;
  readonly tookMs: number;
  readonly version: string | undefined;
}

/** `isExpected`: it must be there; else it may not have started yet. */
export function judgeReached({ address, error, tookMs, version }: Reached, own: string, isExpected: boolean): Finding {
  const check = 'network';
  if (error !== '')
    return {
      check,
      verdict: isExpected ? 'fail' : 'warn',
      what: `${address} does not answer: ${error}`,
      todo: 'is it started, is the address right, does a firewall let it through?',
    };
  const what = `${address} answered in ${figure(tookMs)}, version ${version}`;
  if (tookMs > WAY_SLOW_MS)
    return { check, verdict: 'warn', what, todo: 'nodes of one set belong close together: every raise and renewal goes this way' };
  if (version !== own) return { check, verdict: 'warn', what: `${what}; this program is ${own}`, todo: 'finish the upgrade: one version everywhere' };
  return { check, verdict: 'ok', what, todo: '' };
}

export function worstOf(findings: readonly Finding[]): Verdict {
  if (findings.some(({ verdict }) => verdict === 'fail')) return 'fail';
  return findings.some(({ verdict }) => verdict === 'warn') ? 'warn' : 'ok';
}

function figure(ms: number): string {
  return `${ms.toFixed(Math.abs(ms) < 10 ? 2 : 0)}ms`;
}
