import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { until } from '../jepsen/until.js';

const READY_LIMIT_MS = 10_000;
const ANSWER_LIMIT_MS = 5_000;
const EXIT_LIMIT_MS = 10_000;

type FromChild = { readonly type: 'ready'; readonly address: string } | { readonly type: 'syncs'; readonly count: number };
type ToChild = { readonly type: 'syncs' };

/** In the child: says that it serves, answers the parent, and ends with it. */
export function serveParent({ address, syncCount }: { readonly address: string; readonly syncCount: () => number }): void {
  const tell = (message: FromChild): void => void process.send?.(message);
  process.on('message', (message: ToChild) => {
    if (message.type === 'syncs') tell({ type: 'syncs', count: syncCount() });
  });
  process.on('disconnect', () => process.exit(0));
  if (!process.connected) process.exit(0);
  tell({ type: 'ready', address });
}

/** A process of this folder, one script of it; it ends when this one does. */
export class Child {
  readonly #process: ChildProcess;
  readonly address: string;

  private constructor(process: ChildProcess, address: string) {
    this.#process = process;
    this.address = address;
  }

  /** `script`: a file of this folder, without its ending. Resolves once it serves. */
  static async start(script: string, args: readonly string[]): Promise<Child> {
    const child = fork(fileURLToPath(new URL(`${script}.js`, import.meta.url)), args);
    try {
      const { address } = await answerOf(child, 'ready', READY_LIMIT_MS);
      return new Child(child, address);
    } catch (error) {
      child.kill('SIGKILL');
      throw error;
    }
  }

  async syncCount(): Promise<number> {
    const answer = answerOf(this.#process, 'syncs', ANSWER_LIMIT_MS);
    this.#process.send({ type: 'syncs' } satisfies ToChild);
    return (await answer).count;
  }

  async stop(): Promise<void> {
    const child = this.#process;
    child.kill('SIGKILL');
    await until(`process ${child.pid} ends`, EXIT_LIMIT_MS, () => child.exitCode !== null || child.signalCode !== null || undefined);
  }
}

function answerOf<Type extends FromChild['type']>(child: ChildProcess, type: Type, limitMs: number): Promise<Extract<FromChild, { type: Type }>> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromChild): void => {
      if (message.type !== type) return;
      end();
      // Its type was just looked at.
      resolve(message as Extract<FromChild, { type: Type }>);
    };
    const onExit = (code: number | null): void => fail(`it ended with ${code}`);
    const timer = setTimeout(() => fail(`not within ${limitMs} ms`), limitMs);
    const end = (): void => {
      clearTimeout(timer);
      child.off('message', onMessage).off('exit', onExit);
    };
    const fail = (why: string): void => {
      end();
      reject(new Error(`process ${child.pid} (${child.spawnargs[1]}) did not say '${type}': ${why}`));
    };
    child.on('message', onMessage).on('exit', onExit);
  });
}
