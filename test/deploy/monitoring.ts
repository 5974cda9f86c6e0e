import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { systemClock } from '../../src/base/clock.js';
import { allocTelemetry } from '../../src/cli/alloc-telemetry.js';
import { storeTelemetry } from '../../src/cli/store-telemetry.js';
import { projectRoot } from '../project-root.js';
import { readPage, type Shown } from '../unit/ops/page.js';

const annotations = z.strictObject({ summary: z.string(), description: z.string(), runbook_url: z.string() });
const severity = z.enum(['critical', 'warning', 'info']);
const alert = z.strictObject({ alert: z.string(), expr: z.string(), for: z.string(), labels: z.strictObject({ severity }), annotations });
const recording = z.strictObject({ record: z.string(), expr: z.string() });
const group = <Rule extends z.ZodType>(rule: Rule) => z.object({ groups: z.array(z.object({ name: z.string(), rules: z.array(rule) })) });
const ruleTest = z.object({
  tests: z.array(z.object({ alert_rule_test: z.array(z.object({ alertname: z.string(), exp_alerts: z.array(z.unknown()) })) })),
});
const dashboard = z.object({
  annotations: z.object({ list: z.array(z.object({ expr: z.string() })) }),
  panels: z.array(z.object({ id: z.number(), title: z.string(), targets: z.array(z.object({ expr: z.string() })).default([]) })),
});

export type Alert = z.infer<typeof alert>;

export const alerts = (): Alert[] =>
  group(alert)
    .parse(readYaml('deploy/prometheus/alerts.yml'))
    .groups.flatMap(({ rules }) => rules);
export const recordings = (): z.infer<typeof recording>[] =>
  group(recording)
    .parse(readYaml('deploy/prometheus/recording.yml'))
    .groups.flatMap(({ rules }) => rules);

/** What alerts.test.yml expects of each alert: whether some test has it fire, and some has it quiet. */
export function expectations(): ReadonlyMap<string, ReadonlySet<'fires' | 'quiet'>> {
  const expected = new Map<string, Set<'fires' | 'quiet'>>();
  for (const { alert_rule_test: rows } of ruleTest.parse(readYaml('deploy/prometheus/alerts.test.yml')).tests) {
    for (const { alertname, exp_alerts: fired } of rows) {
      expected.set(alertname, (expected.get(alertname) ?? new Set()).add(fired.length === 0 ? 'quiet' : 'fires'));
    }
  }
  return expected;
}

/** Every expression of the dashboard, its variables filled in as Grafana does. */
export function panelExpressions(): { readonly title: string; readonly expr: string }[] {
  const { annotations: marks, panels } = dashboard.parse(JSON.parse(readFileSync(join(projectRoot, 'deploy/grafana/seqsvr.json'), 'utf8')));
  const all = [
    ...panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr }))),
    ...marks.list.map(({ expr }) => ({ title: 'annotation', expr })),
  ];
  return all.map(({ title, expr }) => ({ title, expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$set', '.*') }));
}

/** The pages of a StoreSvr and an AllocSvr, as their registries render them before the node runs, and what else the program writes for Prometheus. */
export async function shownMetrics(): Promise<ReadonlyMap<string, Shown>> {
  const pages = [storeTelemetry({ version: 'x', dataDir: '.' }).metrics, allocTelemetry({ version: 'x', clock: systemClock }).metrics].map(
    (metrics) => metrics.render(),
  );
  // What a backup's schedule writes for a node exporter has no registry.
  const schedule = readFileSync(join(projectRoot, 'src/cli/snapshot-schedule.ts'), 'utf8');
  const written = [...schedule.matchAll(/# TYPE (\w+) (\w+)/g)].map(([, name = '', type = '']): [string, Shown] => [
    name,
    { type, samples: new Map() },
  ]);
  return new Map([...(await Promise.all(pages)).flatMap((page) => [...readPage(page)]), ...written]);
}

/** Names of metrics in an expression: what stands in no string, is no label, no function and no word of PromQL. */
export function metricsIn(expr: string): string[] {
  const bare = expr
    .replaceAll(/"[^"]*"/g, '""')
    .replaceAll(/\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)/g, ' ')
    .replaceAll(/\{[^}]*\}/g, '{}');
  return [...bare.matchAll(/(?<![\w:])([a-z_][\w:]*)\b(?!\s*\()/g)].flatMap(([, name = '']) =>
    /_|^up$/.test(name) && !name.startsWith('group_') ? [name] : [],
  );
}

function readYaml(file: string): unknown {
  return parse(readFileSync(join(projectRoot, file), 'utf8'));
}
