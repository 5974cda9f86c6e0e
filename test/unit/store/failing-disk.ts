import { ClassicLevel } from 'classic-level';
import { open, rm } from 'node:fs/promises';

/** How one write or sync fails: nothing was done, all of it was done, or (a write of a file) a part. */
export type Failure = 'before' | 'after' | 'short';

type Method = (...args: unknown[]) => Promise<unknown>;

/**
 * Stands between the store and the disk in this process: counts every write and every sync, of LevelDB and of files, and
 * makes one of them fail. A write of LevelDB that is synced is a write and a sync in one.
 */
export class FailingDisk {
  /** Writes and syncs so far, the failed one included. */
  count = 0;
  isFailed = false;
  readonly #failAt: number;
  readonly #failure: Failure;
  readonly #error: Error;
  readonly #restores: (() => void)[] = [];

  private constructor({ failAt, failure, code }: { readonly failAt: number; readonly failure: Failure; readonly code: string }) {
    this.#failAt = failAt;
    this.#failure = failure;
    this.#error = Object.assign(new Error(`${code}: on purpose`), { code, syscall: 'write' });
  }

  /** `failAt` counts from 1; 0: nothing fails. `spare`: a path that may be written. */
  static async start(options: {
    readonly failAt: number;
    readonly failure: Failure;
    readonly code: string;
    readonly spare: string;
  }): Promise<FailingDisk> {
    const handle = await open(options.spare, 'w');
    const file = Object.getPrototypeOf(handle) as Record<string, Method>;
    await handle.close();
    await rm(options.spare);
    const disk = new FailingDisk(options);
    const level = ClassicLevel.prototype as unknown as Record<string, Method>;
    for (const method of ['_put', '_batch', '_clear']) disk.#stand(level, method);
    for (const method of ['write', 'writeFile', 'sync', 'datasync']) disk.#stand(file, method);
    return disk;
  }

  /** The disk is whole again. */
  stop(): void {
    for (const restore of this.#restores.splice(0)) restore();
  }

  #stand(target: Record<string, Method>, name: string): void {
    const original = target[name]!;
    const act = (self: unknown, args: unknown[]): Promise<unknown> => this.#act(name, args, (taken) => original.apply(self, taken));
    target[name] = function (this: unknown, ...args: unknown[]): Promise<unknown> {
      return act(this, args);
    };
    this.#restores.push(() => (target[name] = original));
  }

  async #act(name: string, args: unknown[], original: (args: unknown[]) => Promise<unknown>): Promise<unknown> {
    this.count += 1;
    if (this.count !== this.#failAt) return original(args);
    this.isFailed = true;
    if (this.#failure === 'after') await original(args);
    // A disk that is full takes a part and calls it a success.
    if (this.#failure === 'short' && name === 'write') return original([args[0], args[1], Number(args[2]) >> 1, args[3]]);
    throw this.#error;
  }
}
