import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';

/** Whose connection is it that came in on loopback? By the kernel's table of sockets, and the open files of each process. Linux only. */
export class SourceFinder {
  readonly #pids: () => ReadonlyMap<number, string>;

  /** `pids`: the names of the processes that may have opened it. */
  constructor(pids: () => ReadonlyMap<number, string>) {
    this.#pids = pids;
  }

  /** Undefined: none of them. */
  placeOf({ remotePort, localPort }: Socket): string | undefined {
    const inode = inodeOf(remotePort ?? 0, localPort ?? 0);
    if (inode === undefined) return undefined;
    for (const [pid, name] of this.#pids()) if (holds(pid, `socket:[${inode}]`)) return name;
    return undefined;
  }
}

/** Of the socket at the other end: its own port is our remote one. */
function inodeOf(port: number, peerPort: number): string | undefined {
  const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');
  for (const line of readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (fields[1]?.endsWith(`:${hex(port)}`) && fields[2]?.endsWith(`:${hex(peerPort)}`)) return fields[9];
  }
  return undefined;
}

function holds(pid: number, link: string): boolean {
  const folder = `/proc/${pid}/fd`;
  return filesOf(folder).some((name) => {
    try {
      return readlinkSync(`${folder}/${name}`) === link;
    } catch (error) {
      return isGone(error);
    }
  });
}

function filesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    isGone(error);
    return [];
  }
}

/** What was there a moment ago may be gone. Throws what is no such thing. */
function isGone(error: unknown): false {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
  throw error;
}
