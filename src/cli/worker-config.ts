import { join } from 'node:path';
import { SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import type { AllocConfig } from './config.js';

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
