import { execFile } from 'node:child_process';
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { type Clock, type Instant, sleep } from '../base/clock.js';
import type { Random } from '../base/random.js';

/** Writes with fsync that are timed at most, and for how long, in ms. */
const SYNCS_MAX = 50;
const SYNCS_LIMIT_MS = 3_000;
const BLOCK_BYTES = 4_096;
const READINGS = 11;
const READ_EVERY_MS = 100;
const TIMEDATECTL_LIMIT_MS = 2_000;
/** What statfs calls a file system that is memory. */
const TMPFS_TYPES: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);

/** What the doctor touches of the machine. A test brings one that fails on demand. */
export interface Probes {
  readonly clock: Clock;
  /** How long each of some writes with fsync in `folder` took, in ms. Rejects when it cannot be written there. */
  syncTimes(folder: string): Promise<number[]>;
  room(folder: string): { readonly freeBytes: number; readonly sizeBytes: number; readonly isMemory: boolean };
  /** Undefined: not known. */
  openFilesMax(): number | undefined;
  /** Undefined: not known. */
  isClockSynced(): Promise<boolean | undefined>;
}

export function realProbes({ clock, random }: { readonly clock: Clock; readonly random: Random }): Probes {
  return {
    clock,
    syncTimes: (folder) => timeSyncs(join(folder, `.seqsvr-doctor-${random.id128()}`), clock),
    room(folder) {
      const { bavail, blocks, bsize, type } = statfsSync(folder);
      return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize, isMemory: TMPFS_TYPES.has(type) };
    },
    openFilesMax: () => (existsSync('/proc/self/limits') ? softLimitIn(readFileSync('/proc/self/limits', 'utf8')) : undefined),
    isClockSynced: askTimedatectl,
  };
}

/** All three clocks, again and again for a second. */
export async function readClocks(clock: Clock): Promise<Instant[]> {
  const readings = [clock.now()];
  while (readings.length < READINGS) {
    await sleep(clock, READ_EVERY_MS);
    readings.push(clock.now());
  }
  return readings;
}

/** The folder itself, or the nearest one above it that is there: what is measured must not make a data directory. */
export function existingFolder(folder: string): string {
  let at = resolve(folder);
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

/** The soft limit of `/proc/self/limits`; undefined when it is not there. Unlimited is Infinity. Pure. */
export function softLimitIn(text: string): number | undefined {
  const soft = /^Max open files\s+(\d+|unlimited)\s/m.exec(text)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

async function timeSyncs(path: string, clock: Clock): Promise<number[]> {
  const file = await open(path, 'wx');
  try {
    const block = Buffer.alloc(BLOCK_BYTES, 0x73);
    const timesMs: number[] = [];
    const endMs = clock.nowMs() + SYNCS_LIMIT_MS;
    // Each write makes the file longer, so that a sync has more than a time stamp to keep.
    for (let at = 0; at < SYNCS_MAX && clock.nowMs() < endMs; at += 1) {
      const begunMs = clock.nowMs();
      await file.write(block, 0, BLOCK_BYTES, at * BLOCK_BYTES);
      await file.sync();
      timesMs.push(clock.nowMs() - begunMs);
    }
    return timesMs;
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

/** Only systemd's word is asked for: without it nobody knows. */
function askTimedatectl(): Promise<boolean | undefined> {
  return new Promise((done) => {
    execFile('timedatectl', ['show', '--property=NTPSynchronized', '--value'], { timeout: TIMEDATECTL_LIMIT_MS }, (error, said) => {
      const word = said.trim();
      done(error !== null || !/^(yes|no)$/.test(word) ? undefined : word === 'yes');
    });
  });
}
