import { expect } from 'chai';
import { STOP_LIMIT_MS } from '../../src/cli/process.js';
import { clusterIn, discordIn, portOf } from './configs.js';
import { clusterOf, configOf, matches, podsOf, type Rendered, render } from './manifests.js';
import { need } from './tools.js';

/** What the hook before a stop takes at most, twice its limit for one command. */
const HOOK_LIMIT_MS = 10_000;

describe('the configuration files of the pods', () => {
  it('are ones that the program takes, and make one cluster', () => {
    const cluster = clusterIn('deploy/k8s/base/config');
    expect([cluster.stores.size, cluster.allocs.size]).to.deep.equal([3, 3]);
    expect(discordIn(cluster)).to.deep.equal([]);
    for (const { advertise, listen } of [...cluster.stores.values(), ...cluster.allocs.values()]) expect(portOf(advertise!)).to.equal(portOf(listen));
  });
});

for (const { overlay, allocCount } of [
  { overlay: 'base', allocCount: 3 },
  { overlay: 'overlays/dev', allocCount: 2 },
  { overlay: 'overlays/prod', allocCount: 5 },
]) {
  describe(`deploy/k8s/${overlay}`, () => {
    let rendered: Rendered;
    before(function () {
      need(this, 'kubectl');
      rendered = render(`deploy/k8s/${overlay}`);
    });

    it('gives every pod a file of its own, all of one cluster', () => {
      const cluster = clusterOf(rendered);
      expect([cluster.stores.size, cluster.allocs.size]).to.deep.equal([3, allocCount]);
      expect(discordIn(cluster)).to.deep.equal([]);
    });

    it('has each pod dialled by a name that its headless service makes, ready or not', () => {
      for (const set of rendered.sets) {
        const headless = rendered.services.find(({ metadata }) => metadata.name === set.spec.serviceName);
        expect(headless?.spec).to.include({ clusterIP: 'None', publishNotReadyAddresses: true });
        expect(matches(headless!.spec.selector, set.spec.template.metadata.labels)).to.equal(true);
        for (const pod of podsOf(set)) {
          const config = configOf(pod, set, rendered);
          const dialled = config.role === 'store' ? [config.advertise, config.peerAdvertise] : [config.advertise!];
          const listened = config.role === 'store' ? [config.listen, config.peerListen] : [config.listen];
          expect(dialled).to.deep.equal(listened.map((address) => `${pod}.${set.spec.serviceName}:${portOf(address)}`));
        }
      }
    });

    it('names the ports that its files listen on, and no other', () => {
      for (const set of rendered.sets) {
        const [container] = set.spec.template.spec.containers;
        const config = configOf(podsOf(set)[0]!, set, rendered);
        const listened = [config.listen, config.role === 'store' ? config.peerListen : config.httpListen!, config.adminListen!];
        expect(container.ports.map(({ containerPort }) => String(containerPort))).to.have.members(listened.map(portOf));
        for (const { spec } of rendered.services.filter((service) => matches(service.spec.selector, set.spec.template.metadata.labels))) {
          for (const { port, targetPort } of spec.ports) expect(container.ports).to.deep.include({ name: targetPort, containerPort: port });
        }
      }
    });

    it('asks /livez whether to end a pod and /readyz whether to send it calls, on the admin port', () => {
      for (const { spec } of rendered.sets) {
        const [container] = spec.template.spec.containers;
        const asked = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(
          ({ httpGet }) => `${httpGet.port}${httpGet.path}`,
        );
        expect(asked).to.deep.equal(['admin/livez', 'admin/livez', 'admin/readyz']);
      }
    });

    it('keeps data on a volume of the pod, and hands leadership over before a store stops', () => {
      for (const set of rendered.sets) {
        const [container] = set.spec.template.spec.containers;
        const config = configOf(podsOf(set)[0]!, set, rendered);
        const mount = container.volumeMounts.find(({ mountPath }) => config.dataDir?.startsWith(`${mountPath}/`));
        expect(set.spec.volumeClaimTemplates.map(({ metadata }) => metadata.name)).to.deep.equal([mount?.name]);
        const hook = container.lifecycle?.preStop.exec.command;
        expect(hook).to.deep.equal(config.role === 'store' ? ['node', '/opt/seqsvr/deploy/hand-over.mjs'] : undefined);
      }
    });

    it('leaves a pod the time that the hook and a clean stop take', () => {
      for (const { spec } of rendered.sets)
        expect(spec.template.spec.terminationGracePeriodSeconds * 1000).to.be.greaterThan(STOP_LIMIT_MS + HOOK_LIMIT_MS);
    });

    it('runs without root, without rights, on a file system that nobody writes to', () => {
      for (const { spec } of rendered.sets) {
        const { securityContext, automountServiceAccountToken, containers } = spec.template.spec;
        expect(securityContext).to.deep.equal({ runAsNonRoot: true, runAsUser: 65532, fsGroup: 65532 });
        expect(automountServiceAccountToken).to.equal(false);
        expect(containers[0].securityContext).to.deep.equal({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(containers[0].resources.limits, 'a process that is throttled loses its lease').not.to.have.property('cpu');
      }
    });

    it('lets one pod of a kind leave at a time', () => {
      for (const { spec } of rendered.sets) {
        const budgets = rendered.budgets.filter((one) => matches(one.spec.selector.matchLabels, spec.template.metadata.labels));
        expect(budgets.map((one) => one.spec.maxUnavailable)).to.deep.equal([1]);
      }
    });

    it('denies what no policy allows, and allows what nodes need of each other', () => {
      const denied = rendered.policies.find(({ metadata }) => metadata.name === 'default-deny');
      expect(denied?.spec).to.deep.equal({ podSelector: { matchLabels: {} }, policyTypes: ['Ingress', 'Egress'], ingress: [] });
      const [alloc, store] = ['alloc', 'store'].map(
        (name) => rendered.sets.find(({ metadata }) => metadata.name === name)!.spec.template.metadata.labels,
      );
      const isOpen = (from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>, port: number): boolean =>
        rendered.policies.some(
          ({ spec }) =>
            matches(spec.podSelector.matchLabels, to) &&
            spec.ingress.some(
              ({ from: peers, ports }) =>
                ports.some((one) => one.port === port) &&
                peers.some(({ podSelector }) => podSelector !== undefined && matches(podSelector.matchLabels, from)),
            ),
        );
      const client = { 'seqsvr/role': 'client' };
      const open = [
        isOpen(store!, store!, 7081),
        isOpen(alloc!, store!, 7071),
        isOpen(alloc!, alloc!, 7091),
        isOpen(client, alloc!, 7091),
        isOpen(client, alloc!, 7080),
      ];
      expect(open).to.deep.equal([true, true, true, true, true]);
      const shut = [isOpen(alloc!, store!, 7081), isOpen(client, store!, 7081), isOpen(client, store!, 7071), isOpen({}, alloc!, 7091)];
      expect(shut).to.deep.equal([false, false, false, false]);
    });

    it('has Prometheus name jobs and nodes as rules and dashboard do, where it scrapes', () => {
      for (const { metadata, spec } of rendered.monitors) {
        const [role = ''] = /(?:store|alloc)$/.exec(metadata.name) ?? [];
        const set = rendered.sets.find((one) => one.metadata.name === role);
        expect(matches(spec.selector.matchLabels, set!.spec.template.metadata.labels)).to.equal(true);
        const [{ port, relabelings }] = spec.podMetricsEndpoints;
        expect(port).to.equal('admin');
        const labels = Object.fromEntries(relabelings.map(({ targetLabel, replacement }) => [targetLabel, replacement]));
        expect(labels).to.deep.equal({ job: `seqsvr-${role}`, set: 'main', instance: undefined });
      }
      expect(rendered.monitors).to.have.length(overlay === 'overlays/prod' ? 2 : 0);
    });

    it('puts everything in one namespace', () => {
      for (const { kind, metadata } of rendered.all)
        expect(kind === 'Namespace' ? metadata.name : metadata.namespace, metadata.name).to.equal('seqsvr');
    });
  });
}

describe('the overlay for production', () => {
  it('never puts two stores on one machine, nor lets one zone hold a majority if there are three', function () {
    need(this, 'kubectl');
    const { spec } = render('deploy/k8s/overlays/prod').sets.find(({ metadata }) => metadata.name === 'store')!.spec.template;
    expect(Object.keys(spec.affinity.podAntiAffinity)).to.deep.equal(['requiredDuringSchedulingIgnoredDuringExecution']);
    expect(spec.topologySpreadConstraints).to.deep.equal([{ topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule' }]);
  });
});
