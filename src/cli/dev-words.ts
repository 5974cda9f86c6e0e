import { DEFAULT_PORT } from './dev-layout.js';
import { formatDuration } from './duration.js';
import type { ChildEvent, Supervisor } from './supervisor.js';
import { renderTable } from './table.js';

/** What to tell of a child that came or went. */
export function toldOf(event: ChildEvent): string {
  const who = `${event.child.spec.name} (pid ${event.child.pid})`;
  if (event.type === 'ready') return `${who} serves again`;
  const next = event.restartInMs === undefined ? 'it stays down (--no-restart)' : `starting it again in ${formatDuration(event.restartInMs)}`;
  return `${who} ${event.how}; ${next}`;
}

/** What to tell once everything serves: who is where, and what to try. */
export function readyText(state: {
  readonly supervisor: Pick<Supervisor, 'serving'>;
  readonly ports: Readonly<Record<string, number>>;
  readonly doorPort: number;
  readonly httpPort: number;
  readonly dataDir: string;
  readonly restart: boolean;
}): string {
  const children = [...state.supervisor.serving('store'), ...state.supervisor.serving('alloc')];
  const table = renderTable(
    [
      { title: 'NAME', cell: ({ spec }) => spec.name },
      { title: 'ADDRESS', cell: ({ spec }) => `127.0.0.1:${state.ports[spec.name]}` },
      { title: 'PID', cell: ({ pid }) => String(pid) },
    ],
    children,
  );
  const at = state.doorPort === DEFAULT_PORT ? '' : ` --endpoints 127.0.0.1:${state.doorPort}`;
  const victim = state.supervisor.serving('alloc')[0];
  const after = state.restart ? 'others serve its uids at once, and it is started again' : 'others serve its uids at once';
  const lines = [
    '',
    table.trimEnd(),
    '',
    `ready: clients use 127.0.0.1:${state.doorPort}, HTTP is at 127.0.0.1:${state.httpPort}   (supervisor: pid ${process.pid}, data and logs: ${state.dataDir})`,
    '',
    'try, in another terminal:',
    `  npx seqctl${at} seq next 42`,
    `  npx seqctl${at} cluster status`,
    `  curl -X POST http://127.0.0.1:${state.httpPort}/v1/uids/42:next`,
    ...(victim === undefined ? [] : [`  kill -9 ${victim.pid}   # ${victim.spec.name}: ${after}`]),
    'Ctrl-C stops everything cleanly.',
  ];
  return `${lines.join('\n')}\n`;
}
