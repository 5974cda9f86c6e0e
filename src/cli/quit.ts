import { readFileSync } from 'node:fs';
import { type Clock, every } from '../base/clock.js';

/**
 * npm passes a Ctrl-C on to a child that had it from the terminal already: what comes this soon after the first
 * request, in ms, is the same key press.
 */
const SAME_PRESS_MS = 500;
/** How often to look whether the parent still lives, in ms. */
const PARENT_CHECK_EVERY_MS = 500;

/** The user's wish to end: once to stop cleanly, once more to cut. */
export interface Quit {
  /** Settles with the reason at the first request. */
  readonly asked: Promise<string>;
  /** Forgets the signals, so that they end the process again. */
  dispose(): void;
}

/** Listens for SIGINT, SIGTERM, SIGHUP and, when npm started this process, for npm's own end. `onSecond` hears of a second signal. */
export function listenForQuit(options: { readonly clock: Clock; readonly onSecond: () => void }): Quit {
  const { clock, onSecond } = options;
  const { promise, resolve } = deferred();
  let firstMs: number | undefined;
  const ask = (reason: string): void => {
    if (firstMs === undefined) {
      firstMs = clock.nowMs();
      resolve(reason);
    } else if (clock.nowMs() - firstMs > SAME_PRESS_MS) onSecond();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const handlers = signals.map((signal) => [signal, () => ask(signal)] as const);
  for (const [signal, handle] of handlers) process.on(signal, handle);

  const stopWatching = watchParent(clock, () => {
    // Not a second request when a signal came first: npm ends on Ctrl-C as well.
    if (firstMs === undefined) ask('the end of npm');
  });
  return {
    asked: promise,
    dispose: () => {
      stopWatching();
      for (const [signal, handle] of handlers) process.off(signal, handle);
    },
  };
}

/** npm that is killed leaves its children behind; without it nobody can press Ctrl-C here any more. */
function watchParent(clock: Clock, onGone: () => void): () => void {
  if (process.env['npm_lifecycle_event'] === undefined) return () => undefined;
  const parent = process.ppid;
  const shell = shellBetween(parent);
  const stop = every(clock, PARENT_CHECK_EVERY_MS, () => {
    if (process.ppid === parent && (shell === undefined || parentOf(parent) === shell.parent)) return;
    stop();
    onGone();
  });
  return stop;
}

/** npm runs a script through `sh -c`, which may stay in between and outlive it; then npm is one step further up. */
function shellBetween(pid: number): { readonly parent: number } | undefined {
  const [command, option] = readProc(pid, 'cmdline')?.split('\0') ?? [];
  const parent = parentOf(pid);
  const isShell = option === '-c' && /(?:^|\/)(?:ba|da|a|z)?sh$/.test(command ?? '');
  return isShell && parent !== undefined ? { parent } : undefined;
}

/** Undefined where there is no /proc. */
function parentOf(pid: number): number | undefined {
  const stat = readProc(pid, 'stat');
  // The name, in parentheses, may hold anything; after it come the state and the parent.
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function readProc(pid: number, file: 'cmdline' | 'stat'): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch (error) {
    // No /proc here, or the process is gone: either way there is nothing to tell.
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

function deferred(): { readonly promise: Promise<string>; readonly resolve: (reason: string) => void } {
  let resolve: (reason: string) => void = () => undefined;
  const promise = new Promise<string>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
