import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const PACKAGE = 'etcd-server';
const DOWNLOAD_LIMIT_MS = 60_000;

/**
 * etcd: the one of this machine, or Debian's, unpacked below `folder` without installing it (an installed one would be
 * started as a service). Undefined, with the reason told, when there is neither.
 */
export function findEtcd(folder: string, tell: (line: string) => void): string | undefined {
  const installed = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((path) => join(path, 'etcd'))
    .find((path) => existsSync(path));
  if (installed !== undefined) return installed;
  const unpacked = join(folder, PACKAGE);
  try {
    mkdirSync(unpacked);
    const options = { cwd: unpacked, timeout: DOWNLOAD_LIMIT_MS, stdio: 'pipe' } as const;
    execFileSync('apt-get', ['download', '-q', PACKAGE], options);
    const archive = readdirSync(unpacked).find((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error(`apt-get brought no ${PACKAGE}`);
    execFileSync('dpkg', ['-x', archive, '.'], options);
    return join(unpacked, 'usr', 'bin', 'etcd');
  } catch (error) {
    const [why] = (error instanceof Error ? error.message : String(error)).split('\n');
    tell(`etcd is skipped: it is not on the PATH, and Debian's package cannot be had (${why}). Install ${PACKAGE} and run again.`);
    return undefined;
  }
}
