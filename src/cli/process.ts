import type { Clock } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import { type Incarnation, parseIncarnation } from '../model/ids.js';
import type { Log } from '../ops/log.js';
import { EXIT, exitCodeOf, headline } from './exit.js';

/** Set by the dev supervisor in its children. */
export const SUPERVISED_ENV = 'SEQSVR_SUPERVISED';
/** The incarnation of an AllocSvr, as its supervisor fixed it when it spawned the process. */
export const INCARNATION_ENV = 'SEQSVR_INCARNATION';
/** How long a clean stop may take, in ms; after it the process ends anyway. A kill -9 loses nothing, so this is courtesy. */
export const STOP_LIMIT_MS = 25_000;
/** A child that does not end by itself is killed this long after it was asked to, in ms: it has its own limit before. */
export const KILL_AFTER_MS = STOP_LIMIT_MS + 2_000;
/** The same for a supervisor, whose children stop together, each within its limit. */
export const SUPERVISOR_STOP_LIMIT_MS = KILL_AFTER_MS + 2_000;
/**
 * A SIGTERM to the whole process group (a service manager, `timeout`) reaches stores and AllocSvrs at once. A supervised
 * store waits this long for its supervisor's word, in ms, so that the AllocSvrs can give their sections back first.
 */
export const GROUP_GRACE_MS = 3_000;

/** What a composition root gets from the process it runs in. */
export interface ProcessContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Of an AllocSvr: fixed by the supervisor that spawned this process. Absent: it draws its own. */
  readonly incarnation?: Incarnation | undefined;
  /** Ends the process at once: for a storage error, a broken invariant, an incarnation that was superseded. */
  readonly fail: (error: unknown) => never;
}

/** A node that serves. */
export interface Running {
  /** `host:port` that clients or AllocSvrs dial. */
  readonly address: string;
  /** Drains and closes. Called at most once. */
  stop(): Promise<void>;
}

/** How a supervisor asks a child to stop, over the IPC channel. */
export interface StopMessage {
  readonly type: 'stop';
}

/** What a child tells its supervisor over the IPC channel. */
export interface ReadyMessage {
  readonly type: 'ready';
  readonly address: string;
}

export interface ProcessOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The process itself; tests bring a stand-in. */
  readonly host: ProcessHost;
  readonly serve: (context: ProcessContext) => Promise<Running>;
  /** Others need this node to stop cleanly themselves: a store, for the AllocSvrs that give their sections back. */
  readonly isNeededByOthers?: boolean;
  /** How long a clean stop may take, in ms. Default STOP_LIMIT_MS. */
  readonly stopLimitMs?: number;
}

/** What the life cycle needs of `process`. */
export interface ProcessHost {
  readonly isSupervised: boolean;
  readonly incarnation?: Incarnation | undefined;
  /** False once the supervisor is gone. */
  isConnected(): boolean;
  on(event: 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'disconnect', handle: () => void): void;
  on(event: 'uncaughtException' | 'unhandledRejection', handle: (error: unknown) => void): void;
  /** What the supervisor says. */
  on(event: 'message', handle: (message: unknown) => void): void;
  send(message: ReadyMessage): void;
  /** One line to stderr, for people; written before it returns. */
  talk(line: string): void;
  exit(code: number): never;
}

/**
 * Runs one node until a signal stops it, and with it the process: the promise never resolves.
 * SIGTERM or SIGINT: stop within `stopLimitMs`, then exit 0; a second one cuts. Any uncaught error: exit 1 at once.
 * Supervised: the supervisor says over IPC when to stop; SIGINT and SIGHUP are its business, SIGTERM counts once, and
 * without a supervisor the process ends at once.
 * Rejects with what `serve` rejected with: nothing ran yet, so the command explains it.
 */
export async function runProcess({
  clock,
  random,
  log,
  host,
  serve,
  isNeededByOthers = false,
  stopLimitMs = STOP_LIMIT_MS,
}: ProcessOptions): Promise<never> {
  let running: Running | undefined;
  let isStopping = false;

  const fail = (error: unknown): never => {
    log.write('fatal', 'processFailed', { error });
    // The line above is for machines; whoever looks at a terminal or at the end of a log reads this one.
    host.talk(headline(error));
    return host.exit(error instanceof SeqError && running === undefined ? exitCodeOf(error) : EXIT.failed);
  };
  const stop = (signal: string): void => {
    if (isStopping) return host.exit(EXIT.interrupted);
    isStopping = true;
    log.write('info', 'processStopping', { signal });
    if (running === undefined) return host.exit(EXIT.ok);
    clock.after(stopLimitMs, () => fail(new Error(`stopping took longer than ${stopLimitMs}ms`)));
    running.stop().then(() => {
      log.write('info', 'processStopped');
      host.exit(EXIT.ok);
    }, fail);
  };

  host.on('uncaughtException', fail);
  host.on('unhandledRejection', fail);
  // A supervised process hears of each stop once: repeats come from a signal to the whole group.
  const stopOnce = (reason: string): void => (isStopping ? undefined : stop(reason));
  host.on('SIGTERM', () => {
    if (!host.isSupervised) return stop('SIGTERM');
    if (isNeededByOthers) clock.after(GROUP_GRACE_MS, () => stopOnce('SIGTERM'));
    else stopOnce('SIGTERM');
  });
  host.on('SIGINT', () => (host.isSupervised ? undefined : stop('SIGINT')));
  host.on('SIGHUP', () => (host.isSupervised ? undefined : stop('SIGHUP')));
  if (host.isSupervised) {
    host.on('disconnect', () => host.exit(EXIT.failed));
    host.on('message', (message) => (isStopMessage(message) ? stopOnce('supervisor') : undefined));
    // The supervisor may have died before the line above.
    if (!host.isConnected()) host.exit(EXIT.failed);
  }

  const started = await serve({ clock, random, log, fail, incarnation: host.incarnation });
  running = started;
  log.write('info', 'processReady', { address: started.address, pid: process.pid });
  host.send({ type: 'ready', address: started.address });
  return new Promise(() => undefined);
}

function isStopMessage(message: unknown): message is StopMessage {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === 'stop';
}

export const systemProcess: ProcessHost = {
  isSupervised: process.env[SUPERVISED_ENV] === '1',
  incarnation: process.env[SUPERVISED_ENV] === '1' && process.env[INCARNATION_ENV] ? parseIncarnation(process.env[INCARNATION_ENV]) : undefined,
  isConnected: () => process.connected,
  on: (event: string, handle: (error: unknown) => void) => void process.on(event, handle),
  send: (message) => void process.send?.(message, undefined, undefined, onSent),
  talk: (line) => void process.stderr.write(`${line}\n`),
  exit: (code) => process.exit(code),
};

/** A message that cannot be sent means that the supervisor is gone; 'disconnect' says so too and ends the process. */
function onSent(error: Error | null): void {
  if (error !== null) process.stderr.write(`the supervisor did not hear that this node is ready: ${messageOf(error)}\n`);
}
