import { statfs } from 'node:fs/promises';
import type { Metrics } from './metrics.js';

interface Room {
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

/** Of a file system that cannot be asked. An alert that divides by it never fires: the log and the fsync metrics tell of a broken disk. */
const UNKNOWN: Room = { freeBytes: 0, sizeBytes: 0 };

/**
 * How much room is left where `folder` is. A page shows what the page before it asked for, so that a disk that hangs never
 * keeps a page from being shown; the first one asks when the process starts.
 */
export function addDiskMetrics(metrics: Metrics, folder: string, ask: (folder: string) => Promise<Room> = askSystem): void {
  let room = UNKNOWN;
  let isAsking = false;
  const refresh = (): void => {
    if (isAsking) return;
    isAsking = true;
    void ask(folder).then(
      (found) => {
        room = found;
        isAsking = false;
      },
      () => {
        room = UNKNOWN;
        isAsking = false;
      },
    );
  };
  refresh();
  metrics.gauge('seqsvr_store_disk_free_bytes', 'Bytes that this process may still write where its data is; 0: unknown.', () => {
    refresh();
    return room.freeBytes;
  });
  metrics.gauge('seqsvr_store_disk_size_bytes', 'Bytes of the file system where its data is; 0: unknown.', () => room.sizeBytes);
}

async function askSystem(folder: string): Promise<Room> {
  const { bavail, blocks, bsize } = await statfs(folder);
  return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
}
