import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Answer } from './open-worker.js';

/** Opens directories in another process, and starts that again when a damaged one ended it. */
export class Opener {
  #child: ChildProcess | undefined;

  /** Undefined: the process ended, which acknowledges nothing. */
  open(directory: string): Promise<Answer | undefined> {
    const child = (this.#child ??= start());
    return new Promise((resolve) => {
      const ended = (): void => finish(undefined);
      const finish = (answer: Answer | undefined): void => {
        child.off('message', finish).off('exit', ended);
        if (answer === undefined) this.#child = undefined;
        resolve(answer);
      };
      child.on('message', finish).on('exit', ended);
      child.send(directory);
    });
  }

  close(): void {
    this.#child?.kill();
  }
}

/** Runs from source and from dist alike. */
function start(): ChildProcess {
  const path = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? 'open-worker.ts' : 'open-worker.js', import.meta.url));
  return fork(path, { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
}
