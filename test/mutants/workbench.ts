import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../project-root.js';
import { type Mutant, mutate } from './mutant.js';

/** What no run needs of a build: types, maps, and the notes of the compiler. */
const LEFT_OUT = /\.d\.ts$|\.map$|[\\/]\.[^\\/]+$/;

/** A copy of the built project in a temporary folder, in which one bug at a time may live. The build itself is never touched. */
export class Workbench {
  readonly root = mkdtempSync(join(tmpdir(), 'seqsvr-mutants-'));
  #undo: () => void = () => undefined;

  constructor() {
    cpSync(join(projectRoot, 'dist'), join(this.root, 'dist'), { recursive: true, filter: (path) => !LEFT_OUT.test(path) });
    cpSync(join(projectRoot, 'package.json'), join(this.root, 'package.json'));
    // Sources: some tests read the .proto files.
    for (const name of ['node_modules', 'src']) symlinkSync(join(projectRoot, name), join(this.root, name), 'junction');
    mkdirSync(this.temporary);
  }

  /** Temporary files of what runs here: a mutant that is killed cleans up nothing. */
  get temporary(): string {
    return join(this.root, 'tmp');
  }

  /** Puts the bug in, and whatever was there before out. Throws when it is stale. */
  insert(mutant: Mutant): void {
    this.restore();
    const path = builtPath(this.root, mutant);
    const built = readFileSync(path, 'utf8');
    writeFileSync(path, mutate(built, mutant));
    this.#undo = () => writeFileSync(path, built);
  }

  restore(): void {
    this.#undo();
    this.#undo = () => undefined;
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The built file that a mutant changes. */
export function builtPath(root: string, { file }: Pick<Mutant, 'file'>): string {
  return join(root, 'dist', 'src', file.replace(/\.ts$/, '.js'));
}
