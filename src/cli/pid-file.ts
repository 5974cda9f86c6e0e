import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SeqError } from '../base/errors.js';

/** A process for good: a pid is used again, a pid with its start time is not. */
export interface ProcessMark {
  readonly pid: number;
  /** Boot and start time as the kernel counts them; '' where it does not tell. */
  readonly startedAt: string;
}

interface Content extends ProcessMark {
  readonly children: readonly ProcessMark[];
}

/** Attempts at taking the file while others take it or leave stale ones behind. */
const ATTEMPTS_MAX = 5;

/** Says which process runs on a data folder, so that a second one refuses. A file left by a dead process is no obstacle. */
export class PidFile {
  readonly #path: string;
  readonly #self = markOf(process.pid);
  /** Children of a supervisor that died without tidying up; some may still be ending. */
  readonly orphans: readonly ProcessMark[];

  private constructor(path: string, orphans: readonly ProcessMark[]) {
    this.#path = path;
    this.orphans = orphans;
  }

  /** Throws INVALID_ARGUMENT, naming the process, when one that lives holds the file. */
  static acquire(path: string): PidFile {
    const orphans: ProcessMark[] = [];
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const file = new PidFile(path, orphans);
      if (file.#create()) return file;
      const holder = readContent(path);
      if (holder !== undefined && isHeld(holder)) throw refusal(path, holder);
      orphans.push(...(holder?.children ?? []));
      file.#removeStale();
    }
    throw new SeqError('INVALID_ARGUMENT', `'${path}' is taken by others again and again; is another seqsvr dev starting on this data?`);
  }

  /** Throws what `acquire` would because of a process that lives. Takes and makes nothing, so the answer holds only for now. */
  static refuseTwin(path: string): void {
    const holder = readContent(path);
    if (holder !== undefined && isHeld(holder)) throw refusal(path, holder);
  }

  /** Remembers the children that run now, for whoever finds this file stale. */
  setChildren(pids: readonly number[]): void {
    const aside = `${this.#path}.${process.pid}`;
    writeFileSync(aside, this.#text(pids));
    renameSync(aside, this.#path);
  }

  release(): void {
    rmSync(this.#path, { force: true });
  }

  /** A link appears at once with its content, or not at all: of two starts one wins. */
  #create(): boolean {
    const aside = `${this.#path}.${process.pid}`;
    writeFileSync(aside, this.#text([]));
    try {
      linkSync(aside, this.#path);
      return true;
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
      return false;
    } finally {
      rmSync(aside, { force: true });
    }
  }

  /** Moves the stale file away. If it was somebody's fresh one by then, puts it back and refuses. */
  #removeStale(): void {
    const aside = `${this.#path}.${process.pid}.stale`;
    try {
      renameSync(this.#path, aside);
    } catch (error) {
      if (isCode(error, 'ENOENT')) return;
      throw error;
    }
    const moved = readContent(aside);
    if (moved !== undefined && isHeld(moved)) {
      renameSync(aside, this.#path);
      throw refusal(this.#path, moved);
    }
    rmSync(aside, { force: true });
  }

  #text(pids: readonly number[]): string {
    const content: Content = { ...this.#self, children: pids.map(markOf) };
    return `${JSON.stringify(content)}\n`;
  }
}

/** False for a zombie: it only waits for its parent to look. */
export function isAlive(mark: ProcessMark): boolean {
  try {
    process.kill(mark.pid, 0);
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if (!isCode(error, 'EPERM')) return false;
  }
  const stat = readStat(mark.pid);
  return mark.startedAt === '' || (stat !== undefined && stat.state !== 'Z' && stat.startedAt === mark.startedAt);
}

export function markOf(pid: number): ProcessMark {
  return { pid, startedAt: readStat(pid)?.startedAt ?? '' };
}

/** Linux tells when a process started, in ticks since boot; elsewhere (undefined) the pid alone has to do. */
function readStat(pid: number): { readonly state: string | undefined; readonly startedAt: string } | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything. After it: the state, and 19 fields later the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0], startedAt: `${boot} ${fields[19]}` };
  } catch (error) {
    if (isCode(error, 'ENOENT') || isCode(error, 'ESRCH') || isCode(error, 'EACCES')) return undefined;
    throw error;
  }
}

/** A file with this very pid and no start time was left by a former process that had the same pid, as in containers. */
function isHeld(holder: Content): boolean {
  if (holder.startedAt === '' && holder.pid === process.pid) return false;
  return isAlive(holder);
}

function readContent(path: string): Content | undefined {
  try {
    const content = JSON.parse(readFileSync(path, 'utf8')) as Partial<Content> | null;
    if (!Number.isSafeInteger(content?.pid) || (content?.pid ?? 0) < 1) return undefined;
    return { pid: content?.pid ?? 0, startedAt: content?.startedAt ?? '', children: content?.children ?? [] };
  } catch (error) {
    // Gone by now, or half a file after a power loss: nobody holds it.
    if (error instanceof SyntaxError || isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function refusal(path: string, holder: ProcessMark): SeqError {
  return new SeqError(
    'INVALID_ARGUMENT',
    `another seqsvr dev (pid ${holder.pid}) runs on this data ('${path}'); stop it first (Ctrl-C there, or kill ${holder.pid}), or choose other data with --data DIR`,
  );
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
