import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePorts } from '../../../jepsen/ports.js';
import { until } from '../../../jepsen/until.js';
import { GuardedProcess } from '../guarded-process.js';
import type { RivalSystem } from '../system.js';

const START_LIMIT_MS = 20_000;

/** When Redis syncs its append-only file: once a second, or before it answers. */
export type Fsync = 'everysec' | 'always';

export interface RedisSystem extends RivalSystem {
  readonly port: number;
}

/** One redis-server with an append-only file. It never rewrites that file here: a rewrite would take a processor from it. */
export async function startRedis(program: string, folder: string, fsync: Fsync): Promise<RedisSystem> {
  const [port = 0] = await freePorts(1);
  const dataDir = join(folder, `redis-${fsync}`);
  mkdirSync(dataDir);
  const settings = { port, bind: '127.0.0.1', dir: dataDir, save: '', appendonly: 'yes', appendfsync: fsync, 'auto-aof-rewrite-percentage': 0 };
  const server = new GuardedProcess({
    program,
    args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    logFile: join(folder, `redis-${fsync}.log`),
  });
  const probe = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  probe.on('error', () => undefined);
  try {
    await until(`redis-server answers on port ${port}`, START_LIMIT_MS, async () => {
      if (probe.status !== 'ready') await probe.connect();
      return (await probe.ping()) === 'PONG' || undefined;
    });
  } catch (error) {
    console.error(server.lastWords());
    await server.stop();
    throw error;
  } finally {
    probe.disconnect();
  }
  return { name: `redis ${fsync}`, target: { type: 'redis', port }, port, pids: [server.pid], isShared: false, stop: () => server.stop() };
}
