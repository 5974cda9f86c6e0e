import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../project-root.js';
import { until } from './until.js';

export const PROGRAM = join(projectRoot, 'dist', 'src', 'cli', 'main.js');
const READY_LIMIT_MS = 30_000;
const EXIT_LIMIT_MS = 20_000;

/** One node: the same name, config and data over many runs of its process. */
export class NodeProcess {
  readonly name: string;
  readonly #configFile: string;
  readonly #logFolder: string;
  readonly #prefix: readonly string[];
  readonly #env: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;
  #isReady = false;
  #runCount = 0;

  /** `prefix`: what is put before its command, such as a network namespace; it must replace itself by the program. */
  constructor(options: {
    readonly name: string;
    readonly configFile: string;
    readonly logFolder: string;
    readonly prefix?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  }) {
    this.name = options.name;
    this.#configFile = options.configFile;
    this.#logFolder = options.logFolder;
    this.#prefix = options.prefix ?? [];
    this.#env = options.env ?? {};
  }

  /** Resolves once it says that it serves. Its output goes to a log of this run. */
  async start(): Promise<void> {
    if (this.isRunning) throw new Error(`${this.name} is running already`);
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there; build first: npm run build`);
    this.#runCount++;
    const log = openSync(this.#logFile, 'w');
    // A process with a supervisor ends when that one is gone, so that nothing outlives a test run that was killed.
    const [command, ...args] = [...this.#prefix, process.execPath, PROGRAM, 'start', '--config', this.#configFile];
    const child = spawn(command, args, {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...this.#env, SEQSVR_SUPERVISED: '1' },
    });
    closeSync(log);
    this.#process = child;
    this.#isReady = false;
    child.on('message', () => {
      this.#isReady = true;
    });
    child.on('error', () => undefined);
    await until(`${this.name} serves`, READY_LIMIT_MS, () => {
      if (!this.isRunning) throw new Error(`${this.name} ended with ${child.exitCode ?? child.signalCode}`);
      return this.#isReady || undefined;
    });
  }

  /** Sends the signal to this very process and waits until it is gone. Returns its exit code, or the signal that ended it. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null> {
    const child = this.#process;
    if (child === undefined || !this.isRunning) throw new Error(`${this.name} is not running`);
    child.kill(signal);
    await until(`${this.name} ends on ${signal}`, EXIT_LIMIT_MS, () => !this.isRunning || undefined);
    return child.exitCode ?? child.signalCode;
  }

  get isRunning(): boolean {
    return this.#process?.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** Of the run that ended last; undefined while it runs, and after a signal. */
  get exitCode(): number | undefined {
    return this.#process?.exitCode ?? undefined;
  }

  /** The exit code of the run that ended last, or the signal that ended it. */
  get end(): number | string | undefined {
    return this.#process?.exitCode ?? this.#process?.signalCode ?? undefined;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** The log of its last run. */
  get logFile(): string {
    return this.#logFile;
  }

  /** The end of the log of its last run. */
  lastWords(lines: number): string {
    if (!existsSync(this.#logFile)) return '(no log)';
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  get #logFile(): string {
    return join(this.#logFolder, `${this.name}.${this.#runCount}.log`);
  }
}
