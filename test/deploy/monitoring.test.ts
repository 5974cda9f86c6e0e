import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { projectRoot } from '../project-root.js';
import { alerts, expectations, metricsIn, panelExpressions, recordings, shownMetrics } from './monitoring.js';
import { need, run } from './tools.js';

/** What Prometheus itself adds for each target. */
const OF_PROMETHEUS = ['up'];

describe('what is delivered for Prometheus and Grafana', function () {
  // promtool plays hours of each alert, on a machine that may be busy.
  this.timeout(60_000);
  const expressions = (): { readonly title: string; readonly expr: string }[] => [
    ...alerts().map(({ alert, expr }) => ({ title: alert, expr })),
    ...recordings().map(({ record, expr }) => ({ title: record, expr })),
    ...panelExpressions(),
  ];

  it('has rules that Prometheus takes', function () {
    need(this, 'promtool');
    const { code, text } = run('promtool', ['check', 'rules', 'deploy/prometheus/alerts.yml', 'deploy/prometheus/recording.yml']);
    expect(code, text).to.equal(0);
  });

  it('has alerts that stay quiet before their cause and fire after it', function () {
    need(this, 'promtool');
    const { code, text } = run('promtool', ['test', 'rules', 'deploy/prometheus/alerts.test.yml']);
    expect(code, text).to.equal(0);
  });

  it('has a test of both for each alert, and for no other', () => {
    const expected = expectations();
    expect([...expected.keys()]).to.have.members(alerts().map(({ alert }) => alert));
    for (const [alert, kinds] of expected) expect([...kinds], alert).to.have.members(['fires', 'quiet']);
  });

  it('has a runbook for each alert, and for no other', () => {
    const text = readFileSync(join(projectRoot, 'docs/runbooks.md'), 'utf8');
    const sections = new Map([...text.matchAll(/^## (\w+)\n\n(.*)$/gm)].map(([, name = '', first = '']) => [name.toLowerCase(), first]));
    const named = new Set<string>();
    for (const { alert, labels, annotations } of alerts()) {
      const [page, anchor = ''] = annotations.runbook_url.split('#');
      expect(page, alert).to.equal('docs/runbooks.md');
      expect(sections.get(anchor)?.toLowerCase(), `${alert}: its section says how severe it is`).to.match(
        new RegExp(`^\\*\\*.*\\b${labels.severity}\\b.*\\*\\*`),
      );
      named.add(anchor);
    }
    expect([...named]).to.have.members([...sections.keys()]);
    for (const [, target = ''] of text.matchAll(/\]\(#(\w+)\)/g)) expect(sections, target).to.include.keys(target);
  });

  it('has a dashboard whose expressions Prometheus can parse', function () {
    need(this, 'promtool');
    const folder = mkdtempSync(join(tmpdir(), 'seqsvr-rules-'));
    try {
      const file = join(folder, 'panels.yml');
      const rules = panelExpressions().map(({ title, expr }, at) => ({ record: `panel:${at}`, expr, labels: { title } }));
      writeFileSync(file, stringify({ groups: [{ name: 'panels', rules }] }));
      const { code, text } = run('promtool', ['check', 'rules', file]);
      expect(code, text).to.equal(0);
      expect(rules.length).to.be.greaterThan(30);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('names metrics that a node shows, and no other', async () => {
    const shown = await shownMetrics();
    const recorded = recordings().map(({ record }) => record);
    for (const { title, expr } of expressions()) {
      const names = metricsIn(expr);
      expect(names, `${title}: ${expr}`).to.have.length.greaterThan(0);
      for (const name of names) {
        const base = name.replace(/_(bucket|sum|count)$/, '');
        const isKnown = shown.has(name) || shown.get(base)?.type === 'histogram' || recorded.includes(name) || OF_PROMETHEUS.includes(name);
        expect(isKnown, `${title}: no node shows ${name}`).to.equal(true);
      }
    }
  });

  it('takes a rate of counters only, and asks counters for nothing else', async () => {
    const shown = await shownMetrics();
    for (const { title, expr } of expressions()) {
      for (const [, name = ''] of expr.matchAll(/\b(?:rate|increase)\((\w+)/g)) {
        const type = shown.get(name)?.type ?? shown.get(name.replace(/_(bucket|sum|count)$/, ''))?.type;
        expect(type, `${title}: ${name}`).to.be.oneOf(['counter', 'histogram']);
      }
    }
  });

  it('asks for values of a label that the metric has', async () => {
    const shown = await shownMetrics();
    const asked = expressions().flatMap(({ expr }) => [...expr.matchAll(/(seqsvr_\w+)\{[^}]*?\b(result|reason|kind)="([^"]+)"/g)]);
    expect(asked.length).to.be.greaterThan(4);
    for (const [whole, name = '', label = '', value = ''] of asked) {
      const samples = [...(shown.get(name)?.samples.keys() ?? [])];
      expect(
        samples.some((sample) => sample.includes(`${label}="${value}"`)),
        whole,
      ).to.equal(true);
    }
  });

  it('reads names out of expressions, and no labels, functions or words', () => {
    expect(metricsIn('sum by (set, le) (rate(a_total{x="b_c", y=~"d_.+"}[5m])) / on (set) group_right () e_f > 0.1 and up == 0')).to.deep.equal([
      'a_total',
      'e_f',
      'up',
    ]);
    expect(metricsIn('instance:a_b:rate5m > 1')).to.deep.equal(['instance:a_b:rate5m']);
  });
});
