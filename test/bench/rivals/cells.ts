import type { ClientMachine } from './client/client-machine.js';
import type { Figures, Measurement, Work } from './figures.js';
import { findProgram } from './find-program.js';
import type { BenchOptions, Part } from './options.js';
import type { Rivals } from './stage.js';
import { residentBytesOfSystem, type RivalSystem, type Target } from './system.js';
import type { OurCluster } from './systems/ours.js';
import { UIDS_PER_SECTION } from './systems/ours.js';
import { runRedisBenchmark } from './systems/redis-benchmark.js';
import type { Uids } from './uids.js';

const WARM_UP_SHARE = 1 / 3;
export const CALLERS = 256;
const UNARY_CALLERS = 64;
export const FRAME = 256;
export const FRAMES_AT_ONCE = 16;
const MIB = 1 << 20;
/** What every system is asked for, in the rows of the table. */
export const MILLION_UIDS: Uids = { sections: 10, perSection: 100_000, sectionSize: UIDS_PER_SECTION };

/** One measurement that is made once a round. */
export interface Cell {
  readonly work: Work;
  readonly name: string;
  readonly system: RivalSystem;
  run(seconds: number): Promise<Figures>;
}

/** What the asked-for parts measure in every round. */
export function cellsOf({ options, ours, rivals, client }: Cast): readonly Cell[] {
  const { everysec, always, etcd, postgres, echo } = rivals;
  const closed = (work: Work, name: string, system: RivalSystem, callers: number): Cell => ({
    work,
    name,
    system,
    run: (seconds) => {
      const load = { callers, warmUpMs: seconds * WARM_UP_SHARE * 1_000, measureMs: seconds * 1_000, pids: system.pids };
      return client.closed(system.target, MILLION_UIDS, load);
    },
  });
  const [endpoint = ''] = ours.endpoints;
  const oneByOne: Target = { type: 'seqsvr', endpoints: ours.endpoints, frame: 1 };
  const rows: readonly (readonly [Part[], Cell | undefined])[] = [
    [['next', 'etcd', 'postgres'], closed('next', 'ours', ours.as('ours', oneByOne), CALLERS)],
    [['next'], everysec && closed('next', 'ioredis everysec', everysec, CALLERS)],
    [['next'], always && closed('next', 'ioredis always', always, CALLERS)],
    [['frames'], closed('frames', 'ours', ours.as('ours', { ...oneByOne, frame: FRAME }), FRAMES_AT_ONCE)],
    [['frames'], everysec && redisBenchmark('everysec', everysec)],
    [['frames'], always && redisBenchmark('always', always)],
    [['unary'], closed('unary', 'ours', ours.as('ours', { type: 'unary', address: endpoint, route: endpoint }), UNARY_CALLERS)],
    [['unary'], echo && closed('unary', 'grpc-js echo', echo, UNARY_CALLERS)],
    [['etcd'], etcd && closed('commit', 'etcd', etcd, CALLERS)],
    [['postgres'], postgres && closed('commit', 'postgres', postgres, CALLERS)],
  ];
  return rows.flatMap(([parts, cell]) => (cell !== undefined && parts.some((part) => options.parts.has(part)) ? [cell] : []));
}

interface Cast {
  readonly options: BenchOptions;
  readonly ours: OurCluster;
  readonly rivals: Rivals;
  readonly client: ClientMachine;
}

export async function measure(cell: Cell, round: number, seconds: number): Promise<Measurement> {
  const figures = await cell.run(seconds);
  return { ...figures, work: cell.work, system: cell.name, round, residentMiB: residentBytesOfSystem(cell.system) / MIB };
}

/** Undefined: its C client is not installed. */
function redisBenchmark(fsync: string, system: NonNullable<Rivals['everysec']>): Cell | undefined {
  const program = findProgram('redis-benchmark');
  if (program === undefined) return undefined;
  return {
    work: 'frames',
    name: `redis-benchmark ${fsync}`,
    system,
    run: (seconds) => runRedisBenchmark(system, { program, pipeline: FRAME, seconds }),
  };
}
