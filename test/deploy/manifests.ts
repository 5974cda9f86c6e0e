import { parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { type NodeConfig, parseConfig } from '../../src/cli/config.js';
import type { Cluster } from './configs.js';
import { run } from './tools.js';

const labels = z.record(z.string(), z.string());
const probe = z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) });
const container = z.object({
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(z.object({ name: z.string(), value: z.string().optional() })),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })),
  startupProbe: probe,
  livenessProbe: probe,
  readinessProbe: probe,
  lifecycle: z.object({ preStop: z.object({ exec: z.object({ command: z.array(z.string()) }) }) }).optional(),
  resources: z.object({ requests: labels, limits: labels }),
  securityContext: z.object({
    allowPrivilegeEscalation: z.boolean(),
    readOnlyRootFilesystem: z.boolean(),
    capabilities: z.object({ drop: z.array(z.string()) }),
  }),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() })),
});
const podSpec = z.object({
  terminationGracePeriodSeconds: z.number(),
  automountServiceAccountToken: z.boolean(),
  securityContext: z.object({ runAsNonRoot: z.boolean(), runAsUser: z.number(), fsGroup: z.number() }),
  affinity: z.object({ podAntiAffinity: z.record(z.string(), z.unknown()) }),
  topologySpreadConstraints: z.array(z.object({ topologyKey: z.string(), whenUnsatisfiable: z.string() })),
  containers: z.tuple([container]),
  volumes: z.array(z.object({ name: z.string(), configMap: z.object({ name: z.string() }).optional() })),
});
const statefulSet = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    serviceName: z.string(),
    replicas: z.number(),
    podManagementPolicy: z.string(),
    selector: z.object({ matchLabels: labels }),
    template: z.object({ metadata: z.object({ labels }), spec: podSpec }),
    volumeClaimTemplates: z.array(z.object({ metadata: z.object({ name: z.string() }) })),
  }),
});
const service = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    clusterIP: z.string().optional(),
    publishNotReadyAddresses: z.boolean().optional(),
    selector: labels,
    ports: z.array(z.object({ name: z.string(), port: z.number(), targetPort: z.string() })),
  }),
});
const configMap = z.object({ metadata: z.object({ name: z.string() }), data: labels });
const budget = z.object({ spec: z.object({ maxUnavailable: z.number(), selector: z.object({ matchLabels: labels }) }) });
const peer = z.object({ podSelector: z.object({ matchLabels: labels }).optional() }).loose();
const policy = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    podSelector: z.object({ matchLabels: labels.default({}) }),
    policyTypes: z.array(z.string()),
    ingress: z.array(z.object({ from: z.array(peer), ports: z.array(z.object({ port: z.number() })) })).default([]),
  }),
});

const relabeling = z.object({ targetLabel: z.string(), replacement: z.string().optional() });
const monitor = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({
    selector: z.object({ matchLabels: labels }),
    podMetricsEndpoints: z.tuple([z.object({ port: z.string(), relabelings: z.array(relabeling) })]),
  }),
});

export type StatefulSet = z.infer<typeof statefulSet>;
export type Policy = z.infer<typeof policy>;

/** What one overlay comes to, with the parts that the tests look at. */
export interface Rendered {
  readonly all: readonly { readonly kind: string; readonly metadata: { readonly name: string; readonly namespace?: string | undefined } }[];
  readonly sets: readonly StatefulSet[];
  readonly services: readonly z.infer<typeof service>[];
  readonly configMaps: readonly z.infer<typeof configMap>[];
  readonly budgets: readonly z.infer<typeof budget>[];
  readonly policies: readonly Policy[];
  readonly monitors: readonly z.infer<typeof monitor>[];
}

const anything = z.object({ kind: z.string(), metadata: z.object({ name: z.string(), namespace: z.string().optional() }) });

/** Needs kubectl. Throws for what kustomize refuses, and for a part that is not as a cluster takes it. */
export function render(folder: string): Rendered {
  const { code, text } = run('kubectl', ['kustomize', folder]);
  if (code !== 0) throw new Error(`kubectl kustomize ${folder}: ${text}`);
  const raw: unknown[] = parseAllDocuments(text).map((document) => document.toJS());
  const all = z.array(anything).parse(raw);
  const of = <Part extends z.ZodType>(kind: string, part: Part): z.infer<Part>[] =>
    z.array(part).parse(raw.filter((_, at) => all[at]?.kind === kind));
  return {
    all,
    sets: of('StatefulSet', statefulSet),
    services: of('Service', service),
    configMaps: of('ConfigMap', configMap),
    budgets: of('PodDisruptionBudget', budget),
    policies: of('NetworkPolicy', policy),
    monitors: of('PodMonitor', monitor),
  };
}

/** Names of the pods that a set makes. */
export function podsOf({ metadata, spec }: StatefulSet): string[] {
  return Array.from({ length: spec.replicas }, (_, ordinal) => `${metadata.name}-${ordinal}`);
}

/** The file that a pod runs with, as its mounts and variables say, read by the program's own parser. Throws when there is none. */
export function configOf(pod: string, { spec }: StatefulSet, { configMaps }: Rendered): NodeConfig {
  const { containers, volumes } = spec.template.spec;
  const path = containers[0].env.find(({ name }) => name === 'SEQSVR_CONFIG')?.value?.replace('$(POD_NAME)', pod) ?? '';
  const mount = containers[0].volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`));
  const map = volumes.find(({ name }) => name === mount?.name)?.configMap?.name;
  const text = configMaps.find(({ metadata }) => metadata.name === map)?.data[path.slice((mount?.mountPath.length ?? 0) + 1)];
  if (text === undefined) throw new Error(`${pod}: no ConfigMap has ${path}`);
  return parseConfig(text, path);
}

/** All pods of the overlay, by name. */
export function clusterOf(rendered: Rendered): Cluster {
  const configs = rendered.sets.flatMap((set) => podsOf(set).map((pod) => [pod, configOf(pod, set, rendered)] as const));
  return {
    stores: new Map(configs.flatMap(([pod, config]) => (config.role === 'store' ? [[pod, config] as const] : []))),
    allocs: new Map(configs.flatMap(([pod, config]) => (config.role === 'alloc' ? [[pod, config] as const] : []))),
  };
}

export function matches(selector: Readonly<Record<string, string>>, given: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => given[key] === value);
}
