import { existsSync, statSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sleep, systemClock } from '../base/clock.js';
import { messageOf, SeqError, show } from '../base/errors.js';
import { backupName, backupsIn, judge, newestGood, prune } from '../store/backup-folder.js';
import { formatAge, formatDuration } from './duration.js';
import { EXIT, RefusedError } from './exit.js';
import { type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { type Format, type Output, print } from './output.js';
import { listenForQuit } from './quit.js';
import { save } from './snapshot-save.js';
import { type Column, renderTable } from './table.js';

/** After a backup that failed the next try comes no later than this, in ms. */
const RETRY_MAX_MS = 60_000;
/** Less would be a load, and no better backup. */
const EVERY_MIN_MS = 1_000;
const KEEP_MAX = 100_000;
/** A backup is stale when two in a row are missing. */
const STALE_INTERVALS = 2;

export interface ScheduleArgs extends ConnectionArgs {
  readonly folder: string;
  readonly everyMs: number;
  readonly keep: number;
  /** One backup now, and no more: for cron and timers. */
  readonly isOnce: boolean;
  /** Where to write figures for a node exporter. Undefined: nowhere. */
  readonly metricsFile: string | undefined;
}

/**
 * `seqctl snapshot schedule --dir DIR`: a backup whenever one is due, until SIGTERM. A try that fails is told and made again; what is
 * there stays. Exit code 4 when it ends without a good backup that is young enough.
 */
export async function snapshotSchedule(args: ScheduleArgs, voices: Voices): Promise<number> {
  checkArgs(args);
  const folder = folderOf(args.folder);
  const figures = { failureCount: 0 };
  const stop = new AbortController();
  const quit = listenForQuit({ clock: systemClock, onSecond: () => process.exit(EXIT.interrupted) });
  void quit.asked.then((reason) => stop.abort(reason));
  try {
    let dueMs = args.isOnce ? 0 : await leftMs(folder, args.everyMs);
    for (;;) {
      await sleep(systemClock, dueMs, stop.signal);
      if (stop.signal.aborted) return await verdict(folder, args, voices.output);
      const isSaved = await backUp(folder, args, voices);
      if (!isSaved) figures.failureCount += 1;
      if (args.metricsFile !== undefined) await writeFigures(args.metricsFile, folder, figures.failureCount);
      if (args.isOnce) return isSaved ? EXIT.ok : await verdict(folder, args, voices.output);
      dueMs = isSaved ? args.everyMs : Math.min(args.everyMs, RETRY_MAX_MS);
    }
  } finally {
    quit.dispose();
  }
}

interface ListArgs {
  readonly folder: string;
  /** Undefined: any age will do. */
  readonly maxAgeMs: number | undefined;
  readonly output: Format;
}

/** `seqctl snapshot list DIR [--max-age 2h]`: each one read and checked. Exit code 4 when none is good and young enough. */
export async function snapshotList({ folder: given, maxAgeMs, output: format }: ListArgs, output: Output): Promise<number> {
  const folder = folderOf(given);
  const nowMs = systemClock.wallMs();
  const lines: Line[] = [];
  let youngestMs = Number.POSITIVE_INFINITY;
  for (const path of await backupsIn(folder)) {
    const backup = await judge(path);
    if (backup.state === 'bad') lines.push({ file: path, state: 'bad', age: '', index: '', clusterId: '', note: backup.why });
    else {
      const { takenAtMs, index, clusterId } = backup.header;
      youngestMs = Math.min(youngestMs, nowMs - takenAtMs);
      lines.push({ file: path, state: 'good', age: formatAge(nowMs - takenAtMs), index: String(index), clusterId, note: '' });
    }
  }
  const isFresh = youngestMs <= (maxAgeMs ?? Number.MAX_VALUE);
  print(output, format, { kind: 'SnapshotList', body: { folder, isFresh, snapshots: lines }, table: renderTable(COLUMNS, lines) });
  if (!isFresh) output.talk(staleText(folder, youngestMs, maxAgeMs));
  return isFresh ? EXIT.ok : EXIT.unhealthy;
}

interface Line {
  readonly file: string;
  readonly state: 'good' | 'bad';
  readonly age: string;
  readonly index: string;
  readonly clusterId: string;
  readonly note: string;
}

const COLUMNS: readonly Column<Line>[] = [
  { title: 'FILE', cell: ({ file }) => file },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'AGE', cell: ({ age }) => age },
  { title: 'INDEX', cell: ({ index }) => index },
  { title: 'CLUSTER', cell: ({ clusterId }) => clusterId },
  { title: 'NOTE', cell: ({ note }) => note },
];

function checkArgs({ everyMs, keep }: ScheduleArgs): void {
  if (everyMs < EVERY_MIN_MS) throw new SeqError('INVALID_ARGUMENT', `--every must be at least ${EVERY_MIN_MS}ms, got ${formatDuration(everyMs)}`);
  if (keep < 1 || keep > KEEP_MAX) throw new SeqError('INVALID_ARGUMENT', `--keep must be a whole number in [1, ${KEEP_MAX}], got ${show(keep)}`);
}

/** Throws INVALID_ARGUMENT: a folder that is not there may be a disk that is not mounted, so none is made. */
function folderOf(given: string): string {
  const folder = resolve(given);
  if (!existsSync(folder) || !statSync(folder).isDirectory()) throw new SeqError('INVALID_ARGUMENT', `there is no folder ${folder}`);
  return folder;
}

/** Until a backup is due, in ms: a schedule that starts anew goes on where the one before it stopped. */
async function leftMs(folder: string, everyMs: number): Promise<number> {
  const last = await newestGood(folder);
  const ageMs = last === undefined ? everyMs : systemClock.wallMs() - last.header.takenAtMs;
  return Math.min(everyMs, Math.max(0, everyMs - ageMs));
}

/** One backup, read back and checked; then what is too old goes. False: it failed, which was told. */
async function backUp(folder: string, args: ScheduleArgs, voices: Voices): Promise<boolean> {
  const path = join(folder, backupName(systemClock.wallMs()));
  try {
    const saved = await withMembers(args, voices, (session) => save(session, path));
    const backup = await judge(path);
    if (backup.state === 'bad') throw new RefusedError(`what was saved is not to be used: ${backup.why}`);
    // Only AFTER a good one is there.
    const removed = await prune(folder, args.keep);
    voices.output.talk(
      `saved ${path}: ${saved.fileBytes} bytes at index ${saved.index}${removed.length === 0 ? '' : `; removed ${removed.length} old`}`,
    );
    return true;
  } catch (error) {
    voices.output.talk(`backup failed: ${messageOf(error)}`);
    return false;
  }
}

/** What a schedule that ends says of the backups it leaves. */
async function verdict(folder: string, { everyMs }: ScheduleArgs, output: Output): Promise<number> {
  const last = await newestGood(folder);
  const ageMs = last === undefined ? Number.POSITIVE_INFINITY : systemClock.wallMs() - last.header.takenAtMs;
  if (ageMs <= STALE_INTERVALS * everyMs) return EXIT.ok;
  output.talk(staleText(folder, ageMs, STALE_INTERVALS * everyMs));
  return EXIT.unhealthy;
}

function staleText(folder: string, ageMs: number, maxAgeMs: number | undefined): string {
  if (!Number.isFinite(ageMs)) return `${folder} has no good snapshot`;
  return `the newest good snapshot in ${folder} is ${formatAge(ageMs)} old, more than ${formatAge(maxAgeMs ?? 0)}`;
}

/** For the textfile collector of a node exporter: whole or as before. */
async function writeFigures(path: string, folder: string, failureCount: number): Promise<void> {
  const last = await newestGood(folder);
  const takenAt = Math.floor((last?.header.takenAtMs ?? 0) / 1000);
  const text = [
    '# HELP seqsvr_backup_taken_timestamp_seconds When the newest good snapshot was taken, unix seconds. 0: there is none.',
    '# TYPE seqsvr_backup_taken_timestamp_seconds gauge',
    `seqsvr_backup_taken_timestamp_seconds ${takenAt}`,
    '# HELP seqsvr_backup_failures_total Backups that failed since the schedule started.',
    '# TYPE seqsvr_backup_failures_total counter',
    `seqsvr_backup_failures_total ${failureCount}`,
    '',
  ].join('\n');
  const file = await open(`${path}.new`, 'w');
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}
