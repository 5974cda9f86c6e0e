import { open } from 'node:fs/promises';
import type { DataDir } from './data-dir.js';
import { type Database, openDatabase } from './level-database.js';

/** An open file, as far as the marker needs one. */
export interface DiskFile {
  read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  write(buffer: Buffer, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** What a data directory lies on. Files in production; the simulator brings a disk that tears, lies and fails when a seed says so. */
export interface Disk {
  /** As `openDatabase` promises. */
  openDatabase(dataDir: DataDir): Promise<Database>;
  /** For reading and writing; `how`: 'w+' begins anew, 'r+' rejects with ENOENT when it is not there. */
  openFile(path: string, how: 'w+' | 'r+'): Promise<DiskFile>;
}

export const realDisk: Disk = { openDatabase, openFile: open };
