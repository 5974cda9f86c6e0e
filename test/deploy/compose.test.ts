import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { z } from 'zod';
import { projectRoot } from '../project-root.js';
import { clusterIn, discordIn, portOf } from './configs.js';
import { need, run } from './tools.js';

const FILE = 'deploy/compose/docker-compose.yml';
const CONFIG_IN_IMAGE = '/etc/seqsvr/config.yaml';

const service = z.object({
  image: z.string(),
  hostname: z.string().optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  stop_grace_period: z.string().optional(),
});
const compose = z.object({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.null()) });
const prometheus = z.object({
  scrape_configs: z.array(z.object({ job_name: z.string(), static_configs: z.array(z.object({ targets: z.array(z.string()) })) })),
});

describe('the compose file', () => {
  const file = compose.parse(parse(readFileSync(join(projectRoot, FILE), 'utf8'), { merge: true }));
  const cluster = clusterIn('deploy/compose/config');
  const nodes = [...cluster.stores, ...cluster.allocs];

  it('is one that docker-compose takes, with every profile', function () {
    need(this, 'docker-compose');
    const { code, text } = run('docker-compose', ['-f', FILE, '--profile', 'tools', '--profile', 'observability', 'config', '--quiet']);
    expect(code, text).to.equal(0);
  });

  it('has three stores and three AllocSvrs, whose files make one cluster', () => {
    expect([cluster.stores.size, cluster.allocs.size]).to.deep.equal([3, 3]);
    expect(discordIn(cluster)).to.deep.equal([]);
  });

  for (const [name, config] of nodes) {
    it(`gives ${name} its own file, a volume for its data, and the name by which it is dialled`, () => {
      const { hostname, volumes, ports, stop_grace_period: grace } = file.services[name]!;
      expect(volumes).to.include(`./config/${name}.yaml:${CONFIG_IN_IMAGE}:ro`);
      const [, inside = ''] = volumes.find((volume) => volume.startsWith(`${name}:`))?.split(':') ?? [];
      expect(file.volumes).to.have.property(name);
      expect(config.dataDir).to.match(new RegExp(`^${inside}/`));
      expect(config.advertise).to.equal(`${hostname}:${portOf(config.listen)}`);
      expect(grace, 'a drain takes up to 20 s').to.equal('30s');
      // Only what clients dial leaves the network, under the same number, for the table names it. HTTP: one of them answers for all.
      const dialled = config.role === 'alloc' ? [config.listen, ...(name === 'alloc-1' ? [config.httpListen!] : [])].map(portOf) : [];
      expect(ports).to.deep.equal(dialled.map((port) => `127.0.0.1:${port}:${port}`));
    });
  }

  it('publishes nothing beyond this machine', () => {
    for (const [name, { ports }] of Object.entries(file.services)) for (const port of ports) expect(port, name).to.match(/^127\.0\.0\.1:/);
  });

  it('has Prometheus scrape the admin port of every node, under the jobs that rules and dashboard ask for', () => {
    const { scrape_configs: jobs } = prometheus.parse(parse(readFileSync(join(projectRoot, 'deploy/prometheus/prometheus.yml'), 'utf8')));
    const targets = jobs.map(({ job_name: job, static_configs: groups }) => [job, groups.flatMap((group) => group.targets)]);
    const admin = (configs: Iterable<{ readonly name: string; readonly adminListen: string | undefined }>): string[] =>
      [...configs].map(({ name, adminListen }) => `${name}:${portOf(adminListen!)}`);
    expect(targets).to.deep.equal([
      ['seqsvr-store', admin(cluster.stores.values())],
      ['seqsvr-alloc', admin(cluster.allocs.values())],
    ]);
  });

  it('has a Prometheus configuration that promtool takes', function () {
    need(this, 'promtool');
    const { code, text } = run('promtool', ['check', 'config', 'deploy/prometheus/prometheus.yml']);
    expect(code, text).to.equal(0);
  });
});

describe('the annotated configuration files', () => {
  it('are ones that the program takes', () => {
    const { stores, allocs } = clusterIn('deploy/config');
    expect([[...stores.keys()], [...allocs.keys()]]).to.deep.equal([['store'], ['alloc']]);
  });
});
