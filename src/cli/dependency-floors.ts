import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { RefusedError } from './exit.js';

/** A version below which this program must not serve, for what others could do to it. */
export interface DependencyFloor {
  readonly name: string;
  /** What it is found through, from this program on. Empty: it is Node itself. */
  readonly path: readonly string[];
  readonly least: string;
  readonly why: string;
}

/**
 * package.json asks for more; but a lockfile of the project around this one, or an override in it, has the last word.
 * Raised when an advisory says so.
 */
export const DEPENDENCY_FLOORS: readonly DependencyFloor[] = [
  { name: 'node', path: [], least: '20.19.0', why: 'older ones lack what this program uses, and end by HTTP/2 CONTINUATION frames (CVE-2024-27983)' },
  {
    name: '@grpc/grpc-js',
    path: ['@grpc/grpc-js'],
    least: '1.14.4',
    why: 'a malformed request ends the server (CVE-2026-48068), a malformed compressed message either side (CVE-2026-48069)',
  },
  {
    name: 'protobufjs',
    path: ['@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'],
    least: '7.6.3',
    why: 'definitions can run code (CVE-2026-41242), and nested messages exhaust the stack (CVE-2026-48712)',
  },
];

export interface DependencyFinding {
  readonly floor: DependencyFloor;
  /** Undefined: it is not installed, so nothing of it can do harm. */
  readonly version: string | undefined;
  readonly isHighEnough: boolean;
}

/** How each floor stands. */
export function dependencyFindings(versionOf: (floor: DependencyFloor) => string | undefined = installedVersion): DependencyFinding[] {
  return DEPENDENCY_FLOORS.map((floor) => {
    const version = versionOf(floor);
    return { floor, version, isHighEnough: version === undefined || isAtLeast(version, floor.least) };
  });
}

/** Throws RefusedError, with every version and its rule, unless all of them will do. */
export function requireDependencies(findings = dependencyFindings()): void {
  const bad = findings.filter(({ isHighEnough }) => !isHighEnough);
  if (bad.length === 0) return;
  const lines = bad.map(({ floor, version }) => `${floor.name} must be at least ${floor.least}, got ${version}: ${floor.why}`);
  throw new RefusedError(
    `${lines.join('\n')}\nupdate it where seqsvr is installed: npm ls ${bad.map(({ floor }) => floor.name).join(' ')} shows what holds it back`,
  );
}

/** Of whole versions; what comes before one ('1.14.4-rc.1') is below it. */
export function isAtLeast(version: string, least: string): boolean {
  const [is, wanted] = [partsOf(version), partsOf(least)];
  for (const [at, part] of wanted.entries()) {
    const own = is[at] ?? 0;
    if (own !== part) return own > part;
  }
  return !version.includes('-');
}

function partsOf(version: string): number[] {
  return version
    .replace(/[-+].*$/, '')
    .split('.')
    .map(Number);
}

function installedVersion({ path }: DependencyFloor): string | undefined {
  if (path.length === 0) return process.versions.node;
  let from: string = import.meta.url;
  for (const name of path) {
    const found = manifestOf(name, from);
    if (found === undefined) return undefined;
    from = found;
  }
  const { version } = JSON.parse(readFileSync(from, 'utf8')) as { readonly version: string };
  return version;
}

function manifestOf(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(`${name}/package.json`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}
