import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const INSTALL_LIMIT_MS = 300_000;
/** Debian keeps PostgreSQL's programs away from the PATH, one folder for each version. */
const POSTGRES_FOLDER = '/usr/lib/postgresql';

/** What a rival needs on this machine, and Debian's package for it. */
export const PACKAGES = { redis: 'redis-server', 'redis-benchmark': 'redis-tools', etcd: 'etcd-server', postgres: 'postgresql' } as const;

/** The path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const versions = existsSync(POSTGRES_FOLDER) ? readdirSync(POSTGRES_FOLDER).sort((one, other) => Number(other) - Number(one)) : [];
  return [...folders, ...versions.map((version) => join(POSTGRES_FOLDER, version, 'bin'))]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

/** Debian's packages, as root. Their own services are not started: what is measured is started here. Throws when apt-get fails. */
export function installPackages(): void {
  execFileSync('apt-get', ['install', '-y', '--no-install-recommends', ...Object.values(PACKAGES)], {
    timeout: INSTALL_LIMIT_MS,
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
  });
}
