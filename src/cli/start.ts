import { systemClock } from '../base/clock.js';
import { systemRandom } from '../base/random.js';
import { createLog, type LogLevel } from '../ops/log.js';
import { quietGrpc } from '../rpc/server.js';
import { loadConfig } from './config.js';
import { runProcess, systemProcess } from './process.js';

/** `seqsvr start --config FILE`: one production process. Never resolves: a signal ends the process. */
export async function start(options: { readonly config: string; readonly logLevel: LogLevel }): Promise<never> {
  quietGrpc();
  const config = loadConfig(options.config);
  const log = createLog({ node: config.name, level: options.logLevel });
  log.write('info', 'processStarting', { role: config.role, config: options.config, pid: process.pid });
  return runProcess({
    clock: systemClock,
    random: systemRandom,
    log,
    host: systemProcess,
    isNeededByOthers: config.role === 'store',
    serve: async (context) => {
      // Imported by role, so that an AllocSvr never loads the database.
      if (config.role === 'alloc') return (await import('./serve-alloc.js')).serveAlloc(config, context);
      return (await import('./serve-store.js')).serveStore(config, context);
    },
  });
}
