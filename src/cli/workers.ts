import { fileURLToPath } from 'node:url';
import type { LogLevel } from '../ops/log.js';
import { StoreClient } from '../store/client.js';
import type { ChildSpec } from './child.js';
import { DeathReports } from './death-reports.js';
import { nodeSecurity } from './node-security.js';
import type { ProcessContext, Running } from './process.js';
import { Supervisor } from './supervisor.js';
import { type SupervisorConfig, workerOf } from './worker-config.js';

/** `workers: N` of an AllocSvr's config: as many processes under this one, which says when one of them has ended. */
export async function serveWorkers(
  config: SupervisorConfig,
  { config: configFile, logLevel }: { readonly config: string; readonly logLevel: LogLevel },
  context: ProcessContext,
): Promise<Running> {
  const { clock, random, log } = context;
  const voice = log.component('supervisor');
  const reports = new DeathReports({
    store: new StoreClient({ endpoints: config.stores, clock, random, wire: nodeSecurity(config.tls, context).wire }),
    clock,
    observe: ({ type, ...fields }) => voice.write(type === 'deathReported' ? 'info' : 'warn', type, fields),
  });
  const specs = Array.from({ length: config.workers }, (_, at): ChildSpec => {
    const { name } = workerOf(config, at + 1);
    return { name, role: 'alloc', id: at + 1, configFile, logFile: undefined, worker: at + 1, env: { SEQSVR_LOG_LEVEL: logLevel } };
  });
  const supervisor = new Supervisor({
    specs,
    program: fileURLToPath(new URL('main.js', import.meta.url)),
    restart: true,
    clock,
    random,
    onPids: () => undefined,
    observe: (event) => {
      const { name } = event.child.spec;
      if (event.type === 'ready') return voice.write('info', 'workerServes', { worker: name, pid: event.child.pid });
      voice.write('error', 'workerGone', { worker: name, how: event.how, restartInMs: event.restartInMs });
      void reports.report(event.child, event.how);
    },
  });
  await supervisor.startPatiently('alloc');
  return {
    address: config.advertise ?? config.listen,
    stop: async () => {
      await supervisor.stop();
      reports.close();
    },
  };
}
