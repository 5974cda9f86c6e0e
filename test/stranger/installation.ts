import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { anyFreePort } from '../../src/cli/front-door.js';
import { projectRoot } from '../project-root.js';

/** One command may take so long: an installation from a registry that is slow. */
const COMMAND_LIMIT_MS = 120_000;
/** From the start of a dev cluster to one that serves. */
const SERVING_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 30_000;

export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly talk: string;
}

/** What `npm pack` says of the package. */
export interface Packed {
  /** Absolute. */
  readonly file: string;
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
  readonly paths: readonly string[];
}

/** The package as a stranger has it: packed, installed into an empty project outside the repository, its dev cluster running. */
export interface Installation {
  readonly packed: Packed;
  /** The stranger's project. */
  readonly folder: string;
  /** Where the cluster's clients connect. */
  readonly address: string;
  /** Where it answers HTTP. */
  readonly httpAddress: string;
  /** Runs one program in the project, with the installed commands in its PATH. Never throws for an exit code. */
  run(command: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Outcome>;
}

let made: Promise<Installation> | undefined;
let folder: string | undefined;
let cluster: ChildProcess | undefined;

/** Made at the first call and shared by all test files of the run; it ends with the run. */
export function installation(): Promise<Installation> {
  made ??= install();
  return made;
}

after(async function () {
  this.timeout(STOP_LIMIT_MS + 5_000);
  if (cluster !== undefined) await endGroup(cluster);
  if (folder !== undefined) rmSync(folder, { recursive: true, maxRetries: 5 });
});

async function install(): Promise<Installation> {
  folder = mkdtempSync(join(tmpdir(), 'seqsvr-stranger-'));
  const project = join(folder, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'stranger', private: true, type: 'module' }));
  const packed = await pack(folder);
  await installPackage(packed, project);
  const port = await anyFreePort();
  const started = await startCluster(project, port);
  cluster = started.child;
  return {
    packed,
    folder: project,
    address: `127.0.0.1:${port}`,
    httpAddress: /HTTP is at (\S+)/.exec(started.text)?.[1] ?? '',
    run: (command, args, env) => run(command, args, { folder: project, env: env ?? {} }),
  };
}

/** Without its scripts: what is tested is what was built. */
async function pack(into: string): Promise<Packed> {
  const { code, out, talk } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', into], { folder: projectRoot });
  if (code !== 0) throw new Error(`npm pack: ${talk}`);
  // npm 11 prints a list, npm 12 an object with one entry a package.
  const [said] = Object.values<{ filename: string; size: number; unpackedSize: number; files: { path: string }[] }>(JSON.parse(out));
  return {
    file: join(into, said!.filename),
    sizeBytes: said!.size,
    unpackedBytes: said!.unpackedSize,
    paths: said!.files.map(({ path }) => path),
  };
}

/** From the registry that this machine's npm has. Where none answers, the repository's own dependencies are linked instead, and that is said. */
async function installPackage({ file }: Packed, project: string): Promise<void> {
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error', '--fetch-retries=1'];
  const { code, out, talk } = await run('npm', ['install', ...flags, file], { folder: project });
  if (code === 0) return;
  if (!/ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|ENETUNREACH|ENOTCACHED/.test(talk + out)) throw new Error(`npm install: ${talk}${out}`);
  console.log('      no registry answers: the dependencies are those of the repository');
  await link(file, project);
}

async function link(file: string, project: string): Promise<void> {
  const modules = join(project, 'node_modules');
  rmSync(modules, { recursive: true, force: true });
  mkdirSync(join(modules, '.bin'), { recursive: true });
  mkdirSync(join(modules, 'seqsvr'));
  const { code, talk } = await run('tar', ['-xzf', file, '--strip-components=1', '-C', join(modules, 'seqsvr')], { folder: project });
  if (code !== 0) throw new Error(`tar: ${talk}`);
  for (const name of readdirSync(join(projectRoot, 'node_modules'))) {
    if (!name.startsWith('.')) symlinkSync(join(projectRoot, 'node_modules', name), join(modules, name));
  }
  chmodSync(join(modules, 'seqsvr', 'dist', 'src', 'cli', 'main.js'), 0o755);
  for (const name of ['seqsvr', 'seqctl']) symlinkSync('../seqsvr/dist/src/cli/main.js', join(modules, '.bin', name));
}

/** `npx seqsvr dev`, as README says it, in a process group of its own: npx does not pass a SIGTERM on. */
async function startCluster(project: string, port: number): Promise<{ readonly child: ChildProcess; readonly text: string }> {
  const args = ['seqsvr', 'dev', '--data', 'data', '--port', String(port), '--stores', '1', '--allocs', '2'];
  const child = spawn('npx', args, { cwd: project, env: environment(project), detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  child.stderr.on('data', (chunk) => (text += String(chunk)));
  const giveUpAt = Date.now() + SERVING_LIMIT_MS;
  while (!text.includes('Ctrl-C stops')) {
    if (child.exitCode !== null || Date.now() > giveUpAt) {
      await endGroup(child);
      throw new Error(`npx ${args.join(' ')} does not serve:\n${text}`);
    }
    await delay(20);
  }
  return { child, text };
}

async function endGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = once(child, 'exit');
  process.kill(-child.pid, 'SIGINT');
  const isEnded = await Promise.race([ended.then(() => true), delay(STOP_LIMIT_MS, false, { ref: false })]);
  if (!isEnded) process.kill(-child.pid, 'SIGKILL');
}

function run(
  command: string,
  args: readonly string[],
  at: { readonly folder: string; readonly env?: Readonly<Record<string, string>> },
): Promise<Outcome> {
  const options = { cwd: at.folder, env: { ...environment(at.folder), ...at.env }, timeout: COMMAND_LIMIT_MS, maxBuffer: 16 * 2 ** 20 };
  return new Promise((done) => {
    const child = execFile(command, args, options, (error, out, talk) =>
      done({ code: child.exitCode ?? -1, out, talk: child.exitCode === null ? `${talk}${error?.message ?? ''}` : talk }),
    );
    child.stdin?.end();
  });
}

/** Without what an `npm test` tells its children of this repository. */
function environment(project: string): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle)_|^npm_config_local_prefix$|^SEQSVR_/.test(name));
  const bin = join(project, 'node_modules', '.bin');
  const path = existsSync(bin) ? `${bin}${delimiter}${process.env['PATH']}` : `${process.env['PATH']}`;
  return { ...(Object.fromEntries(own) as Record<string, string>), PATH: path };
}
