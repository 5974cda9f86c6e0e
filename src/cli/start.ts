import { systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { systemRandom } from '../base/random.js';
import { createLog, type LogLevel } from '../ops/log.js';
import { quietGrpc } from '../rpc/server.js';
import { loadConfig, type NodeConfig } from './config.js';
import { requireDependencies } from './dependency-floors.js';
import { runProcess, STOP_LIMIT_MS, SUPERVISOR_STOP_LIMIT_MS, systemProcess } from './process.js';
import { isSupervisor, workerOf } from './worker-config.js';

/** `seqsvr start --config FILE`: one production process. Never resolves: a signal ends the process. */
export async function start(options: { readonly config: string; readonly logLevel: LogLevel; readonly worker: number | undefined }): Promise<never> {
  quietGrpc();
  requireDependencies();
  const config = configFor(options);
  const log = createLog({ node: config.name, level: options.logLevel });
  log.write('info', 'processStarting', { role: config.role, config: options.config, pid: process.pid });
  return runProcess({
    clock: systemClock,
    random: systemRandom,
    log,
    host: systemProcess,
    isNeededByOthers: config.role === 'store',
    stopLimitMs: isSupervisor(config) ? SUPERVISOR_STOP_LIMIT_MS : STOP_LIMIT_MS,
    serve: async (context) => {
      // Imported by role, so that an AllocSvr never loads the database.
      if (isSupervisor(config)) return (await import('./workers.js')).serveWorkers(config, options, context);
      if (config.role === 'alloc') return (await import('./serve-alloc.js')).serveAlloc(config, context);
      return (await import('./serve-store.js')).serveStore(config, context);
    },
  });
}

function configFor({ config: file, worker }: { readonly config: string; readonly worker: number | undefined }): NodeConfig {
  const config = loadConfig(file);
  if (worker === undefined) return config;
  if (config.role !== 'alloc') throw new SeqError('INVALID_ARGUMENT', `${file}: only an AllocSvr has workers`);
  return workerOf(config, worker);
}
