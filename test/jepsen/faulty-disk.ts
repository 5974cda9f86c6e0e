import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../../src/base/errors.js';
import type { Random } from '../../src/base/random.js';
import { projectRoot } from '../project-root.js';

const SOURCE = join(projectRoot, 'test', 'jepsen', 'shim', 'faulty-disk.c');
/** struct control of the C source: where each field is, and how long all of it is. */
const AT = { mode: 0, after: 4, once: 8, hangMs: 12, isFull: 16, spaceLeft: 24, syncs: 32, failed: 40, lied: 48, hung: 56, refused: 64 } as const;
const CONTROL_BYTES = 72;
const MODE = { honest: 0, fails: 1, lies: 2, hangs: 3 } as const;

/** What the disk of a node did, counted since it was made. */
export interface DiskCounts {
  readonly syncs: number;
  readonly failed: number;
  readonly lied: number;
  readonly hung: number;
  readonly refused: number;
}

/** Why no shim can be built here; undefined when it can. */
export function whyNoShim(): string | undefined {
  if (process.platform !== 'linux') return 'disks can be made faulty on Linux only';
  try {
    execFileSync('gcc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch (error) {
    return `disks cannot be made faulty here (gcc is needed): ${messageOf(error).split('\n', 1)[0]}`;
  }
}

/** Builds the shim into a folder. Returns the path of the library. */
export function buildShim(folder: string): string {
  const library = join(folder, 'faulty-disk.so');
  execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-Wall', '-Werror', '-o', library, SOURCE, '-ldl'], { stdio: 'pipe' });
  return library;
}

/** The disk of one node: its data directory behind the shim, over all runs of its process. */
export class FaultyDisk {
  readonly #dataDir: string;
  readonly #ledger: string;
  readonly #controlPath: string;
  readonly #control: number;
  readonly #library: string;

  /** `folder`: for its notes; made here. */
  constructor(options: { readonly library: string; readonly folder: string; readonly dataDir: string }) {
    this.#library = options.library;
    this.#dataDir = options.dataDir;
    this.#ledger = join(options.folder, 'ledger');
    this.#controlPath = join(options.folder, 'control');
    mkdirSync(this.#ledger, { recursive: true });
    this.#control = openSync(this.#controlPath, 'w+');
    ftruncateSync(this.#control, CONTROL_BYTES);
  }

  /** For the process of the node. */
  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: this.#library,
      FAULTY_DISK_ROOT: this.#dataDir,
      FAULTY_DISK_CONTROL: this.#controlPath,
      FAULTY_DISK_LEDGER: this.#ledger,
      // Whatever went past libc would go past the shim.
      UV_USE_IO_URING: '0',
    };
  }

  get counts(): DiskCounts {
    return {
      syncs: this.#count(AT.syncs),
      failed: this.#count(AT.failed),
      lied: this.#count(AT.lied),
      hung: this.#count(AT.hung),
      refused: this.#count(AT.refused),
    };
  }

  /** The sync after `after` honest ones fails with EIO; with `once` only that one. */
  failSync({ after, once }: { readonly after: number; readonly once: boolean }): void {
    this.#set(AT.after, after);
    this.#set(AT.once, once ? 1 : 0);
    this.#set(AT.mode, MODE.fails);
  }

  /** From now on syncs do nothing and call it a success. */
  lie(): void {
    this.#set(AT.mode, MODE.lies);
  }

  /** From now on each sync takes so long, in ms; those under way end when the disk is healed. */
  hang(ms: number): void {
    this.#set(AT.hangMs, ms);
    this.#set(AT.mode, MODE.hangs);
  }

  /** From now on the disk takes so many bytes and no more. */
  fill(bytes: number): void {
    const value = Buffer.alloc(8);
    value.writeBigInt64LE(BigInt(bytes));
    writeSync(this.#control, value, 0, 8, AT.spaceLeft);
    this.#set(AT.isFull, 1);
  }

  heal(): void {
    this.#set(AT.mode, MODE.honest);
    this.#set(AT.isFull, 0);
  }

  /**
   * The process is gone, and so is what it wrote and did not sync: each file is cut back to what was synced, and what was
   * overwritten since is back. By chance a part of the unsynced end stays, as a real disk may have got it. Returns how many bytes are gone.
   */
  losePower(random: Random): number {
    let lostBytes = 0;
    for (const name of readdirSync(this.#dataDir, { recursive: true, encoding: 'utf8' })) {
      const path = join(this.#dataDir, name);
      const { ino, size, mode } = statSync(path);
      if ((mode & 0o170000) !== 0o100000) continue;
      lostBytes += this.#undo(path, ino);
      const synced = Math.min(size, this.#syncedBytes(ino));
      const kept = synced + random.below(size - synced + 1) * random.below(2);
      if (kept < size) truncateSync(path, kept);
      lostBytes += size - kept;
    }
    this.noteAllSynced();
    return lostBytes;
  }

  /** What is in the directory now counts as on disk: it was put there by whoever tests. */
  noteAllSynced(): void {
    // What was there before may have given its inodes to other files.
    rmSync(this.#ledger, { recursive: true });
    mkdirSync(this.#ledger);
    for (const name of readdirSync(this.#dataDir, { recursive: true, encoding: 'utf8' })) {
      const { ino, size } = statSync(join(this.#dataDir, name));
      const value = Buffer.alloc(8);
      value.writeBigUInt64LE(BigInt(size));
      const file = openSync(join(this.#ledger, String(ino)), 'w');
      writeSync(file, value);
      closeSync(file);
    }
  }

  close(): void {
    closeSync(this.#control);
  }

  #syncedBytes(inode: number): number {
    const path = join(this.#ledger, String(inode));
    return existsSync(path) ? Number(readFileSync(path).readBigUInt64LE(0)) : 0;
  }

  /** Newest first, each overwriting is taken back. */
  #undo(path: string, inode: number): number {
    const note = join(this.#ledger, `${inode}.undo`);
    if (!existsSync(note)) return 0;
    const records: { at: number; bytes: Buffer }[] = [];
    const all = readFileSync(note);
    for (let at = 0; at + 16 <= all.length; ) {
      const length = Number(all.readBigUInt64LE(at + 8));
      records.push({ at: Number(all.readBigUInt64LE(at)), bytes: all.subarray(at + 16, at + 16 + length) });
      at += 16 + length;
    }
    const file = openSync(path, 'r+');
    for (const { at, bytes } of records.reverse()) writeSync(file, bytes, 0, bytes.length, at);
    closeSync(file);
    return records.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  #set(at: number, value: number): void {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    writeSync(this.#control, bytes, 0, 4, at);
  }

  #count(at: number): number {
    const bytes = Buffer.alloc(8);
    readSync(this.#control, bytes, 0, 8, at);
    return Number(bytes.readBigUInt64LE(0));
  }
}
