import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { until } from '../../jepsen/until.js';

const EXIT_LIMIT_MS = 20_000;
const LOG_LINES_SHOWN = 20;

export interface GuardedOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** Where it writes what it has to say. */
  readonly logFile: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whose it is; absent: ours. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** What ends it. Absent: KILL. */
  readonly signal?: 'KILL' | 'QUIT';
}

/**
 * A server that knows no parent. A shell stands between: it ends the server when its own input ends, whatever this process died of.
 * Both are in a group of their own, so that a Ctrl-C at the terminal reaches neither before this process has its say.
 */
export class GuardedProcess {
  readonly #shell: ChildProcess;
  readonly #logFile: string;

  constructor(options: GuardedOptions) {
    const { program, args, logFile, env = {}, owner, signal = 'KILL' } = options;
    const log = openSync(logFile, 'w');
    const script = `"$@" & child=$!; read -r _; kill -${signal} "$child"; wait "$child"`;
    this.#shell = spawn('/bin/sh', ['-c', script, 'sh', program, ...args], {
      detached: true,
      stdio: ['pipe', log, log],
      env: { ...process.env, ...env },
      ...owner,
    });
    closeSync(log);
    this.#logFile = logFile;
  }

  /** The shell, whose only child is the server. */
  get pid(): number {
    return this.#shell.pid ?? 0;
  }

  /** For whoever finds that it does not serve. */
  lastWords(): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-LOG_LINES_SHOWN).join('\n');
  }

  async stop(): Promise<void> {
    const shell = this.#shell;
    shell.stdin?.destroy();
    await until(`what process ${shell.pid} started ends`, EXIT_LIMIT_MS, () => shell.exitCode !== null || shell.signalCode !== null || undefined);
  }
}
