import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../project-root.js';
import { hasTool } from './tools.js';

/** A range for tests of networks (RFC 2544), which no other test here uses. */
const SUBNET = '198.18.77';
const MAIN = join(projectRoot, 'dist', 'src', 'cli', 'main.js');

/** What is missing for machines on this one; undefined: nothing. */
export function missingForMachines(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'root on Linux';
  return ['ip', 'unshare', 'mount'].find((tool) => !hasTool(tool)) ?? (isAllowed() ? undefined : 'the right to make networks');
}

/** A container may have root and no right to any of this. */
function isAllowed(): boolean {
  const name = `sqtry${process.pid}`;
  const tries = [`link add ${name} type bridge`, `link del ${name}`, `netns add ${name}`, `netns del ${name}`];
  return tries.every((line) => spawnSync('ip', line.split(' ')).status === 0) && spawnSync('unshare', ['-m', 'true']).status === 0;
}

/**
 * A network namespace for each name, on one bridge, where the names resolve; and for each a mount namespace with a folder of its own at
 * /var/lib/seqsvr. So files that were written for containers run as they are. `close` ends every process and removes all of it.
 */
export class Machines {
  readonly folder = mkdtempSync(join(tmpdir(), 'seqsvr-machines-'));
  readonly #names: readonly string[];
  readonly #id = `sq${process.pid}`;
  readonly #children: ChildProcess[] = [];

  constructor(names: readonly string[]) {
    this.#names = names;
    const ip = (line: string): unknown => execFileSync('ip', line.split(' '));
    ip(`link add ${this.#id} type bridge`);
    ip(`addr add ${SUBNET}.254/24 dev ${this.#id}`);
    ip(`link set ${this.#id} up`);
    for (const [at, name] of names.entries()) {
      const space = this.#spaceOf(name);
      ip(`netns add ${space}`);
      ip(`link add ${this.#id}-${at} type veth peer name eth0 netns ${space}`);
      ip(`link set ${this.#id}-${at} master ${this.#id} up`);
      ip(`-n ${space} addr add ${this.addressOf(name)}/24 dev eth0`);
      ip(`-n ${space} link set eth0 up`);
      ip(`-n ${space} link set lo up`);
      mkdirSync(join(this.folder, name));
    }
    writeFileSync(join(this.folder, 'hosts'), ['127.0.0.1 localhost', ...names.map((name) => `${this.addressOf(name)} ${name}`), ''].join('\n'));
  }

  /** Reached from the tests themselves too. */
  addressOf(name: string): string {
    return `${SUBNET}.${this.#names.indexOf(name) + 1}`;
  }

  /** A node on its machine. */
  start(name: string, config: string): void {
    const { command, args } = this.#on(name, [process.execPath, MAIN, 'start', '--config', config]);
    this.#children.push(spawn(command, args, { stdio: 'ignore' }));
  }

  /** Runs a program on a machine and gives what it printed. Throws for an exit code that is not 0. */
  run(name: string, program: readonly string[]): string {
    const { command, args } = this.#on(name, [process.execPath, ...program]);
    return execFileSync(command, args, { encoding: 'utf8', cwd: projectRoot });
  }

  seqctl(name: string, endpoint: string, ...words: readonly string[]): string {
    return this.run(name, [MAIN, '--endpoints', endpoint, ...words]);
  }

  async close(): Promise<void> {
    // A clean stop of all at once would wait for each other, and is not what is tried here.
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        child.kill('SIGKILL');
        await once(child, 'exit');
      }),
    );
    for (const name of this.#names) execFileSync('ip', ['netns', 'del', this.#spaceOf(name)]);
    execFileSync('ip', ['link', 'del', this.#id]);
    rmSync(this.folder, { recursive: true, maxRetries: 5 });
  }

  #spaceOf(name: string): string {
    return `${this.#id}-${name}`;
  }

  #on(name: string, program: readonly string[]): { readonly command: string; readonly args: readonly string[] } {
    const hosts = `mount --bind ${this.folder}/hosts /etc/hosts`;
    const data = `mount -t tmpfs none /var/lib; mkdir /var/lib/seqsvr; mount --bind ${this.folder}/${name} /var/lib/seqsvr`;
    return {
      command: 'ip',
      args: ['netns', 'exec', this.#spaceOf(name), 'unshare', '-m', 'sh', '-ec', `${hosts}; ${data}; exec "$@"`, 'sh', ...program],
    };
  }
}
