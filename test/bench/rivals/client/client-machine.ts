import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Figures } from '../figures.js';
import { profiledEnv } from '../profile.js';
import type { Target } from '../system.js';
import type { Uids } from '../uids.js';
import type { ClosedLoad } from './closed-loop.js';
import type { Answer, Order } from './messages.js';
import type { OpenFigures, OpenLoad } from './open-loop.js';

const EXIT_LIMIT_MS = 10_000;

/** The client process, seen from here. It does one thing at a time. */
export class ClientMachine {
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess) {
    this.#process = process;
  }

  /** `profileDir`: where it leaves its profile when it ends. */
  static async start({ profileDir }: { readonly profileDir: string | undefined }): Promise<ClientMachine> {
    const env = { ...process.env, ...profiledEnv('client', profileDir) };
    const machine = new ClientMachine(fork(fileURLToPath(new URL('./main.js', import.meta.url)), [], { env }));
    await machine.#answer('ready');
    return machine;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  async closed(target: Target, uids: Uids, load: ClosedLoad): Promise<Figures> {
    const { figures } = await this.#ask({ type: 'closed', target, uids, load }, 'measured');
    return figures;
  }

  async open(target: Target, uids: Uids, load: OpenLoad): Promise<OpenFigures> {
    const { figures } = await this.#ask({ type: 'open', target, uids, load }, 'offered');
    return figures;
  }

  async touch(endpoints: readonly string[], uids: Uids, times: number): Promise<void> {
    await this.#ask({ type: 'touch', endpoints, uids, times }, 'touched');
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    const timer = setTimeout(() => child.kill('SIGKILL'), EXIT_LIMIT_MS);
    child.disconnect();
    await gone;
    clearTimeout(timer);
  }

  #ask<Type extends Answer['type']>(order: Order, type: Type): Promise<Extract<Answer, { type: Type }>> {
    if (!this.#process.connected) return Promise.reject(new Error('the client process is gone'));
    const answer = this.#answer(type);
    this.#process.send(order);
    return answer;
  }

  #answer<Type extends Answer['type']>(type: Type): Promise<Extract<Answer, { type: Type }>> {
    const child = this.#process;
    return new Promise((resolve, reject) => {
      const end = (): void => {
        child.off('message', onMessage).off('exit', onExit);
      };
      const onExit = (code: number | null): void => {
        end();
        reject(new Error(`the client process ended with ${code}`));
      };
      const onMessage = (message: Answer): void => {
        end();
        // Its type is looked at first.
        if (message.type === type) resolve(message as Extract<Answer, { type: Type }>);
        else reject(new Error(message.type === 'failed' ? message.message : `the client process said '${message.type}' and not '${type}'`));
      };
      child.on('message', onMessage).on('exit', onExit);
    });
  }
}
