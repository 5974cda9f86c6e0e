import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../project-root.js';

/** statfs(2): what a file system in memory calls itself; fsync costs nothing there. */
const TMPFS_TYPES = new Set([0x01021994, 0x858458f6]);

/** A folder of this name on the project's own disk, for the system's temporary folder is often none. `dispose` removes it. */
export function makeScratch(name: string): { readonly folder: string; readonly isOnDisk: boolean; dispose(): void } {
  const dist = join(projectRoot, 'dist');
  mkdirSync(dist, { recursive: true });
  const folder = mkdtempSync(join(dist, `${name}-`));
  return {
    folder,
    isOnDisk: !TMPFS_TYPES.has(statfsSync(folder).type),
    dispose: () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }),
  };
}
