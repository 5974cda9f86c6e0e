import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, renameSync } from 'node:fs';
import { messageOf } from '../base/errors.js';
import type { DevNode } from './dev-layout.js';
import type { Incarnation } from '../model/ids.js';
import { INCARNATION_ENV, type ReadyMessage, type StopMessage, SUPERVISED_ENV } from './process.js';

/** How much of the end of a log a failure message may quote, in lines and in characters. */
const QUOTED_LINES_MAX = 8;
const QUOTED_CHARS_MAX = 4_000;

export interface ChildSpec extends DevNode {
  readonly configFile: string;
  /** Undefined: it talks where its supervisor talks. */
  readonly logFile: string | undefined;
  /** Which worker of the config it is, from 1. Absent: the config is its own. */
  readonly worker?: number;
  /** Laid over the environment of its supervisor. */
  readonly env?: Readonly<Record<string, string>>;
}

/** As node:child_process has it; tests look at what it made. */
export type Spawn = (file: string, args: readonly string[], options: SpawnOptions) => ChildProcess;

/** One run of one node's process, spawned directly: no shell or wrapper in between, whose end would say nothing of it. */
export class Child {
  readonly spec: ChildSpec;
  /** Of an AllocSvr: which run of it this is. */
  readonly incarnation: Incarnation;
  /** Settles once it serves; never rejects, and stays open when the process ends before. */
  readonly ready: Promise<void>;
  /** Settles once it is gone, by this process's own wait for it, with a phrase for people: 'was killed by SIGKILL'. Never rejects. */
  readonly gone: Promise<string>;
  readonly #process: ChildProcess;
  #isReady = false;
  #isGone = false;

  /** `program`: the file to run with this very Node. Its output goes to a new log file; the one before is kept. */
  constructor(options: {
    readonly spec: ChildSpec;
    readonly program: string;
    readonly incarnation: Incarnation;
    readonly spawn?: Spawn | undefined;
  }) {
    this.spec = options.spec;
    this.incarnation = options.incarnation;
    const { configFile, logFile, worker, env } = options.spec;
    const log = logFile === undefined ? 'inherit' : openLog(logFile);
    const which = worker === undefined ? [] : ['--worker', String(worker)];
    const start = options.spawn ?? spawn;
    this.#process = start(process.execPath, [options.program, 'start', '--config', configFile, ...which], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...env, [SUPERVISED_ENV]: '1', [INCARNATION_ENV]: options.incarnation },
    });
    if (log !== 'inherit') closeSync(log);
    this.ready = new Promise((resolve) => {
      this.#process.on('message', (message: ReadyMessage) => {
        if (message.type !== 'ready') return;
        this.#isReady = true;
        resolve();
      });
    });
    this.gone = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#isGone = true;
        resolve(how);
      };
      this.#process.once('exit', (code, signal) => end(signal === null ? `ended with exit code ${code}` : `was killed by ${signal}`));
      // Of a process that runs it only says that a signal or a message did not get through: no word of its end.
      this.#process.on('error', (error) => {
        if (this.#process.pid === undefined) end(`could not be started: ${messageOf(error)}`);
      });
    });
  }

  /** 0 when it could not be started. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** It said that it serves, and it is still there. */
  get isServing(): boolean {
    return this.#isReady && !this.#isGone;
  }

  /** Asks it to stop cleanly. A process that is gone already is left alone. */
  stop(): void {
    if (this.#isGone || !this.#process.connected) return;
    const message: StopMessage = { type: 'stop' };
    // When it cannot be told it is about to be gone, or is killed when its time is up.
    this.#process.send(message, () => undefined);
  }

  kill(): void {
    if (!this.#isGone) this.#process.kill('SIGKILL');
  }

  /** The end of its log, for a message about its death. */
  lastWords(): string {
    const { logFile } = this.spec;
    if (logFile === undefined || !existsSync(logFile)) return '';
    const text = readFileSync(logFile, 'utf8').slice(-QUOTED_CHARS_MAX).trimEnd();
    return text.split('\n').slice(-QUOTED_LINES_MAX).join('\n');
  }
}

/** A new file for each start and one old one kept: that bounds what the logs of a dev cluster take. */
function openLog(file: string): number {
  if (existsSync(file)) renameSync(file, `${file}.1`);
  return openSync(file, 'w');
}
