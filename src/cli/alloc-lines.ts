import type { AllocView } from '../rpc/gen/seqsvr/v1/placement.js';
import { formatAge } from './duration.js';
import type { Column } from './table.js';

/** One line of `seqctl alloc list`. What is not known is undefined, and absent in JSON. */
export interface AllocLine {
  readonly name: string;
  /** joined, draining, or gone: it is dead, or was taken out. */
  readonly state: string;
  readonly sections: number;
  readonly callsPerSecond: number;
  /** Milliseconds since the leader last heard it. */
  readonly heardMsAgo: number | undefined;
  /** Milliseconds until its lease is surely over. */
  readonly waitLeftMs: number;
  readonly zone: string;
  readonly address: string;
  readonly incarnation: string;
}

/** The first digits of an incarnation tell the runs of one AllocSvr apart. */
const INCARNATION_SHOWN = 8;

export const ALLOC_COLUMNS: readonly Column<AllocLine>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'STATE', cell: ({ state }) => state },
  { title: 'SECTIONS', cell: ({ sections }) => String(sections) },
  { title: 'CALLS/S', cell: ({ callsPerSecond }) => String(callsPerSecond) },
  { title: 'HEARD', cell: ({ heardMsAgo }) => (heardMsAgo === undefined ? 'never' : `${ageText(heardMsAgo)} ago`) },
  { title: 'LEASE-OVER', cell: ({ waitLeftMs }) => (waitLeftMs === 0 ? 'yes' : `in ${ageText(waitLeftMs)}`) },
  { title: 'ZONE', cell: ({ zone }) => zone },
  { title: 'ADDRESS', cell: ({ address }) => address },
  { title: 'RUN', cell: ({ incarnation }) => incarnation.slice(0, INCARNATION_SHOWN) },
  { title: 'INCARNATION', isWide: true, cell: ({ incarnation }) => incarnation },
];

export function allocLine({ id, address, zone, state, incarnation, sectionCount, heardMsAgo, waitLeftMs, callsPerSecond }: AllocView): AllocLine {
  return {
    name: id,
    state,
    sections: sectionCount,
    callsPerSecond,
    heardMsAgo: heardMsAgo < 0n ? undefined : Number(heardMsAgo),
    waitLeftMs,
    zone,
    address,
    incarnation,
  };
}

/** Leases are a matter of seconds: below ten of them tell the milliseconds. */
function ageText(ms: number): string {
  return ms < 10_000 ? `${ms}ms` : formatAge(ms);
}
