import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Of this process: one thread of it feeds at a time. */
const folder = join(tmpdir(), `seqsvr-fuzz-${process.pid}`);

/** A folder for what is read through the file system, as at a start. */
export function scratch(): string {
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** For whoever outlives the thread that feeds. */
export function removeScratch(): void {
  rmSync(folder, { recursive: true, force: true });
}
