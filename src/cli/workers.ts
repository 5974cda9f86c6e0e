import { fileURLToPath } from 'node:url';
import type { ChildSpec } from './child.js';
import type { AllocConfig } from './config.js';
import { DeathReports } from './death-reports.js';
import type { ProcessContext, Running } from './process.js';
import { Supervisor } from './supervisor.js';
import { workerOf } from './worker-config.js';

/** `workers: N` of an AllocSvr's config: as many processes under this one, which says when one of them has ended. */
export async function serveWorkers(
  config: AllocConfig & { readonly workers: number },
  configFile: string,
  context: ProcessContext,
): Promise<Running> {
  const { clock, random, log } = context;
  const voice = log.component('supervisor');
  const reports = new DeathReports({ stores: config.stores, clock, random, observe: ({ type, ...fields }) => voice.write('info', type, fields) });
  const specs = Array.from({ length: config.workers }, (_, at): ChildSpec => {
    const { name } = workerOf(config, at + 1);
    return { name, role: 'alloc', id: at + 1, configFile, logFile: undefined, worker: at + 1 };
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
