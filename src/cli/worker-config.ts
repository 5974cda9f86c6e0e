import { join } from 'node:path';
import { SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import { parseName } from '../model/ids.js';
import type { AllocConfig, NodeConfig } from './config.js';

/** An AllocSvr's config that is for several processes under this one. */
export type SupervisorConfig = AllocConfig & { readonly workers: number };

export function isSupervisor(config: NodeConfig): config is SupervisorConfig {
  return config.role === 'alloc' && config.workers !== undefined;
}

/** Throws INVALID_ARGUMENT, with the arithmetic, unless every worker has a name and ports of its own. */
export function checkWorkers(config: SupervisorConfig): void {
  const { workers } = config;
  parseName(workerOf(config, workers).name, "name, with a worker's number,");
  const last = workers - 1;
  const bases = (['listen', 'adminListen', 'httpListen'] as const).flatMap((key) => {
    const port = config[key] === undefined ? 0 : splitAddress(config[key]).port;
    return port === 0 ? [] : [{ key, port }];
  });
  for (const [at, { key, port }] of bases.entries()) {
    const other = bases.slice(0, at).find((before) => Math.abs(before.port - port) <= last);
    if (other === undefined) continue;
    throw new SeqError(
      'INVALID_ARGUMENT',
      `${key}: ${workers} workers take the ports ${other.port}..${other.port + last} for ${other.key} and ${port}..${port + last} for ${key}; these must not overlap`,
    );
  }
}

/** The config of one of the workers: a name, ports and a folder of its own. `worker` counts from 1. Throws INVALID_ARGUMENT. */
export function workerOf(config: AllocConfig, worker: number): AllocConfig {
  const { workers, name, dataDir } = config;
  if (workers === undefined || worker < 1 || worker > workers)
    throw new SeqError('INVALID_ARGUMENT', `worker must be in [1, ${workers ?? 0}], as the config has it, got ${worker}`);
  const own = `${name}-${worker}`;
  const shifted = (address: string | undefined): string | undefined => (address === undefined ? undefined : shift(address, worker - 1));
  return {
    ...config,
    name: own,
    listen: shift(config.listen, worker - 1),
    advertise: shifted(config.advertise),
    adminListen: shifted(config.adminListen),
    httpListen: shifted(config.httpListen),
    dataDir: dataDir === undefined ? undefined : join(dataDir, own),
    workers: undefined,
  };
}

/** Port 0 stays 0: any free one. */
function shift(address: string, by: number): string {
  const { host, port } = splitAddress(address);
  if (port === 0) return address;
  if (port + by > 65_535) throw new SeqError('INVALID_ARGUMENT', `worker ${by + 1} of ${address} would need port ${port + by}, past 65535`);
  return `${host}:${port + by}`;
}
