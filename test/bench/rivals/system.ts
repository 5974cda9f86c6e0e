import { cpuMicrosOf, familyOf, residentBytesOf } from './process-figures.js';

/** How the client machine reaches a system, and what one call to it is. */
export type Target =
  /** Nobody: what the client machine takes by itself. */
  | { readonly type: 'nobody' }
  /** Our own client; `frame` above 1: nextMany of so many uids a call. */
  | { readonly type: 'seqsvr'; readonly endpoints: readonly string[]; readonly frame: number }
  /** A bare grpc-js client of the unary method Next; `route`: who tells the version of the routing table, nobody for the echo. */
  | { readonly type: 'unary'; readonly address: string; readonly route: string }
  | { readonly type: 'redis'; readonly port: number }
  | { readonly type: 'etcd'; readonly address: string }
  | { readonly type: 'postgres'; readonly port: number; readonly user: string };

/** One of those that are measured against each other. */
export interface RivalSystem {
  readonly name: string;
  readonly target: Target;
  /** Its processes; what they started belongs to it. */
  readonly pids: readonly number[];
  /** Its processes share their memory. */
  readonly isShared: boolean;
  /** Ends every process of it, by its own pid. */
  stop(): Promise<void>;
}

/** Time on a processor of all processes of a system, in us. */
export function cpuMicrosOfSystem({ pids }: Pick<RivalSystem, 'pids'>): number {
  return cpuMicrosOf(pids.flatMap(familyOf));
}

export function residentBytesOfSystem({ pids, isShared }: Pick<RivalSystem, 'pids' | 'isShared'>): number {
  return residentBytesOf(pids.flatMap(familyOf), { isShared });
}
