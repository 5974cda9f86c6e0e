import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import { DEFAULT_RAISE_AHEAD_MS, RAISE_AHEAD_MAX_MS, RAISE_AHEAD_MIN_MS } from '../alloc/preallocator.js';
import type { Limits } from '../alloc/quotas.js';
import { messageOf, SeqError, show } from '../base/errors.js';
import { isWildcard } from '../model/address.js';
import { checkGeometry, DEFAULT_GEOMETRY, SECTIONS_MAX, UIDS_PER_SECTION_MAX } from '../model/geometry.js';
import { parseName, UID_MAX } from '../model/ids.js';
import {
  checkElection,
  checkLeaseTerms,
  DEFAULT_LEASE_TERMS,
  DEFAULT_RENEW_EVERY_MS,
  DRIFT_MAX_PPM,
  LEASE_MAX_MS,
  LEASE_MIN_MS,
  type LeaseTerms,
  MARGIN_MAX_MS,
} from '../model/lease.js';
import { ConfigDocument, type ConfigProblem, formatProblem } from './config-document.js';
import * as fields from './config-fields.js';
import { problemsOf, ruleProblem, underKey } from './config-problems.js';
import { limitsSchema, toLimits } from './limits-config.js';
import { checkExposure } from './exposure.js';
import { allocTls, listenersOf, storeTls, type TlsConfig, toTls } from './tls-config.js';
import { checkWorkers, isSupervisor } from './worker-config.js';

/** How far one raise lifts max_seq unless configured (the article's step); more than the maximum only wastes numbers. */
export const DEFAULT_RAISE_BY = 10_000n;
const RAISE_BY_MAX = 2n ** 32n;
export const DEFAULT_HEARTBEAT_MS = 100;
/** The shortest election timeout; the longest is twice as much. */
export const DEFAULT_ELECTION_MIN_MS = 500;
/** A follower must be able to miss heartbeats without calling an election. */
const HEARTBEATS_PER_ELECTION_MIN = 3;
const NODE_ID_MAX = 2 ** 32 - 1;
/** Ids above it are drawn by stores that join (data-dir.ts). */
const FOUNDER_ID_MAX = 65_535;
/** About what a member misses while its machine restarts; beyond it gets a snapshot. */
const DEFAULT_KEEP_LOG_ENTRIES = 10_000;
const KEEP_LOG_ENTRIES_MAX = 1_000_000;
const RENEW_EVERY_MIN_MS = 10;
const RENEW_EVERY_MAX_MS = 60_000;
/** Workers of one host. */
const WORKERS_MAX = 64;
/** Stores that a joiner may list to begin with; one that answers is enough. */
const LISTED_MAX = 16;

/** A store, as the others list it: a founding voter, or for a joiner one to begin with. */
export interface StoreMemberConfig {
  readonly id: number;
  readonly name: string;
  /** `host:port` that other stores dial. */
  readonly peerAddress: string;
  /** `host:port` that AllocSvrs, clients and tools dial. */
  readonly address: string;
}

/** One StoreSvr process. */
export interface StoreConfig {
  readonly role: 'store';
  readonly name: string;
  /** The cluster's id, 32 hex digits, the same in all its stores. */
  readonly cluster: string;
  /** It joins a cluster that exists: it waits to be added and never founds one. */
  readonly join: boolean;
  /** The Raft id of a founding voter. Undefined: a joiner, which draws its own. */
  readonly nodeId: number | undefined;
  /** Absolute. */
  readonly dataDir: string;
  readonly listen: string;
  readonly peerListen: string;
  readonly advertise: string;
  readonly peerAdvertise: string;
  readonly members: readonly StoreMemberConfig[];
  readonly geometry: { readonly firstUid: bigint; readonly lastUid: bigint; readonly uidsPerSection: number };
  readonly lease: LeaseTerms;
  readonly raiseBy: bigint;
  /** Applied entries that stay in the log, for members that were away for a while. */
  readonly keepLogEntries: number;
  readonly heartbeatMs: number;
  /** An election timeout is drawn from [electionMinMs, electionMaxMs). */
  readonly electionMinMs: number;
  readonly electionMaxMs: number;
  /** Where metrics and probes are read over HTTP. Undefined: nowhere. */
  readonly adminListen: string | undefined;
  /** Its ports may be reached from other machines without protection: said by name. */
  readonly insecure: boolean;
  /** Undefined: plain, and everybody may call everything. */
  readonly tls: TlsConfig | undefined;
}

/** One AllocSvr process. */
export interface AllocConfig {
  readonly role: 'alloc';
  readonly name: string;
  readonly listen: string;
  /** What clients dial. Undefined: the address it listens on. */
  readonly advertise: string | undefined;
  /** Failure domain; '' means none. */
  readonly zone: string;
  /** Addresses of stores to begin with. */
  readonly stores: readonly string[];
  readonly renewEveryMs: number;
  /** How long one raise is to last at the recent rate, in ms. */
  readonly raiseAheadMs: number;
  /** Every call is STRICT, whatever it says itself. */
  readonly strict: boolean;
  /** Of each address of clients. */
  readonly limits: Limits;
  /** Absolute: where counters survive a clean stop of everything. Undefined: they do not, and uids jump then. */
  readonly dataDir: string | undefined;
  /** Where numbers are handed out over HTTP and JSON. Undefined: nowhere. */
  readonly httpListen: string | undefined;
  /** Processes under one supervisor, each an AllocSvr of its own. Undefined: this very process is one. */
  readonly workers: number | undefined;
  /** Where metrics and probes are read over HTTP. Undefined: nowhere. */
  readonly adminListen: string | undefined;
  /** Its ports may be reached from other machines without protection: said by name. */
  readonly insecure: boolean;
  /** Undefined: plain, and everybody may call everything. */
  readonly tls: TlsConfig | undefined;
}

export type NodeConfig = StoreConfig | AllocConfig;

/** Reads and checks one config file. Throws INVALID_ARGUMENT that names file, key, value and rule. */
export function loadConfig(file: string): NodeConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new SeqError('INVALID_ARGUMENT', `the config file '${file}' cannot be read: ${messageOf(cause)}`, { cause });
  }
  return parseConfig(text, file);
}

/** `file` is only named in messages; a relative dataDir counts from the current folder. Throws INVALID_ARGUMENT that names all that is wrong. */
export function parseConfig(text: string, file: string): NodeConfig {
  const { config, problems } = examineConfig(text, file);
  if (config === undefined) throw new SeqError('INVALID_ARGUMENT', problems.map(formatProblem).join('\n'));
  return config;
}

/** The config that a text is, or else all that is wrong with it. Never throws. */
export function examineConfig(
  text: string,
  file: string,
): { readonly config: NodeConfig | undefined; readonly document: ConfigDocument; readonly problems: readonly ConfigProblem[] } {
  const document = new ConfigDocument(text, file);
  const refused = (...problems: readonly ConfigProblem[]) => ({ config: undefined, document, problems });
  const found = document.read();
  if ('problem' in found) return refused(found.problem);
  const { raw } = found;
  const role = typeof raw === 'object' && raw !== null && 'role' in raw ? raw.role : undefined;
  if (role !== 'store' && role !== 'alloc')
    return refused(document.problem(['role'], `must be 'store' or 'alloc', got ${role === undefined ? 'nothing' : show(role)}`));
  const schema = CONFIG_SCHEMAS[role];
  const parsed = schema.safeParse(raw);
  if (!parsed.success) return refused(...parsed.error.issues.flatMap((issue) => problemsOf(issue, schema, document)));
  try {
    return { config: parsed.data.role === 'store' ? toStoreConfig(parsed.data) : toAllocConfig(parsed.data), document, problems: [] };
  } catch (cause) {
    if (!(cause instanceof SeqError)) throw cause;
    return refused(ruleProblem(cause.message, schema, document));
  }
}

const memberSchema = z.strictObject({
  id: fields.integerField({ from: 1, to: NODE_ID_MAX }).describe(`Its Raft node id; at most ${FOUNDER_ID_MAX} for a founding store.`),
  name: fields.nameField.describe('Its name.'),
  peerAddress: fields.dialField.describe('What other stores dial.'),
  address: fields.dialField.describe('What AllocSvrs, clients and tools dial.'),
});

const geometrySchema = z.strictObject({
  firstUid: fields.bigintOr(DEFAULT_GEOMETRY.firstUid, { from: 0n, to: UID_MAX }).describe('First uid of the set, inclusive.'),
  lastUid: fields.bigintOr(DEFAULT_GEOMETRY.lastUid, { from: 0n, to: UID_MAX }).describe('Last uid of the set, inclusive.'),
  uidsPerSection: fields
    .integerOr(DEFAULT_GEOMETRY.uidsPerSection, { from: 1, to: UIDS_PER_SECTION_MAX })
    .describe(`Neighbouring uids that share one max_seq. A set has at most ${SECTIONS_MAX} sections.`),
});

const CLUSTER_KIND = { type: '32 hex digits', range: 'in quotes' };
const DRIFT_KIND = { type: 'share', range: `0 to ${DRIFT_MAX_PPM / 10_000}%, or as ppm` };
const adminListen = fields.listenField
  .describe('Where metrics and probes are read over HTTP. Without `tls` whoever reaches it is answered. Left out: nowhere, and nothing is measured.')
  .optional();
const insecure = fields
  .booleanOr(false)
  .describe('true: ports without TLS may listen off loopback. Then whoever reaches them can take numbers, or take part in the cluster.');

const storeSchema = z.strictObject({
  role: z.literal('store').describe('What this process is.'),
  name: fields.nameField.describe("This node's name, for logs and tools; for a founding store the one it has under `members`."),
  cluster: fields
    .field(CLUSTER_KIND, (raw) => {
      if (typeof raw !== 'string' || !/^[0-9a-f]{32}$/.test(raw)) throw fields.invalid(`must be 32 hex digits in quotes, got ${show(raw)}`);
      return raw;
    })
    .describe("The cluster's id, the same in all its stores and never changed. A data folder of another cluster is refused."),
  join: fields.booleanOr(false).describe('true: it joins a cluster that exists, waits to be added and never founds one. `nodeId` is left out then.'),
  nodeId: fields
    .optionalInteger({ from: 1, to: NODE_ID_MAX })
    .describe('Its Raft node id, one of those under `members`. Required for a founding store.'),
  dataDir: fields.pathField.describe('Where log and state are kept, on a disk that honours fsync. Two processes never share one.'),
  listen: fields.listenField.describe('Where AllocSvrs, clients and tools connect.'),
  peerListen: fields.listenField.describe('Where the other stores connect.'),
  advertise: fields.dialField
    .describe('What others dial to reach `listen`: its `address` under `members`, which it must equal. Required with `join: true`.')
    .optional(),
  peerAdvertise: fields.dialField
    .describe('What other stores dial to reach `peerListen`: its `peerAddress` under `members`, which it must equal. Required with `join: true`.')
    .optional(),
  members: z
    .array(memberSchema, 'must be a list')
    .describe(`A founding store: all 1, 3 or 5 founding voters, this one included. A joiner: 1 to ${LISTED_MAX} stores to begin with.`),
  geometry: geometrySchema.prefault({}).describe('The uids of this set and how they are cut into sections. Fixed when the cluster is founded.'),
  lease: fields
    .durationOr(DEFAULT_LEASE_TERMS.leaseMs, { fromMs: LEASE_MIN_MS, toMs: LEASE_MAX_MS })
    .describe('How long one confirmed renewal lets an AllocSvr serve. More than 4 x `election`. Fixed at the founding; later `seqctl lease set`.'),
  drift: fields
    .fieldOr(`${DEFAULT_LEASE_TERMS.driftPpm / 10_000}%`, DRIFT_KIND, fields.parsePpm)
    .describe('How far the rate of any clock may be off. Fixed at the founding; later `seqctl lease set`.'),
  leaseMargin: fields
    .durationOr(DEFAULT_LEASE_TERMS.marginMs, { fromMs: 0, toMs: MARGIN_MAX_MS })
    .describe("Added to the arbiter's wait, lease x (1 + drift) / (1 - drift). Fixed at the founding; later `seqctl lease set`."),
  raiseBy: fields
    .bigintOr(DEFAULT_RAISE_BY, { from: 1n, to: RAISE_BY_MAX })
    .describe('How far one raise lifts max_seq when nothing is known of the rate. Fixed when the cluster is founded.'),
  keepLogEntries: fields
    .integerOr(DEFAULT_KEEP_LOG_ENTRIES, { from: 1, to: KEEP_LOG_ENTRIES_MAX })
    .describe('Applied entries that stay in the log. A member that was away for longer gets a snapshot.'),
  heartbeat: fields.durationOr(DEFAULT_HEARTBEAT_MS, { fromMs: 1 }).describe('How often the Raft leader is heard from. Three fit into `election`.'),
  election: fields
    .durationOr(DEFAULT_ELECTION_MIN_MS, { fromMs: HEARTBEATS_PER_ELECTION_MIN })
    .describe('The shortest wait before a store calls an election; the longest is twice as much.'),
  adminListen,
  insecure,
  tls: storeTls,
});

const allocSchema = z.strictObject({
  role: z.literal('alloc').describe('What this process is.'),
  name: fields.nameField.describe("This AllocSvr's name, unique in its set. A second process with the same name supersedes the first."),
  listen: fields.listenField.describe('Where clients connect.'),
  advertise: fields.dialField.describe('What clients dial to reach `listen`. Default: `listen`. Required when that is a wildcard.').optional(),
  zone: fields
    .fieldOr('', fields.NAME_KIND, (raw) => (raw === '' ? '' : parseName(fields.text(raw), 'zone')))
    .describe('The failure domain it lives in. Clients see it; placement does not look at it yet.'),
  stores: z
    .array(fields.dialField, 'must be a list of addresses')
    .min(1, 'must name at least one store, got none')
    .describe('Stores to begin with, as they advertise themselves; one that lives is enough.'),
  renewEvery: fields
    .durationOr(DEFAULT_RENEW_EVERY_MS, { fromMs: RENEW_EVERY_MIN_MS, toMs: RENEW_EVERY_MAX_MS })
    .describe("How often the lease is renewed. Four fit into the cluster's lease."),
  raiseAhead: fields
    .durationOr(DEFAULT_RAISE_AHEAD_MS, { fromMs: RAISE_AHEAD_MIN_MS, toMs: RAISE_AHEAD_MAX_MS })
    .describe("How long one raise of max_seq is to last at the section's recent rate. Longer: a crash lets counters jump further."),
  strict: fields.booleanOr(false).describe('Every call is confirmed by a quorum of stores (STRICT): order then holds whatever clocks do.'),
  limits: limitsSchema
    .prefault({})
    .describe('What one address of clients may do, on this AllocSvr. The HTTP gateway counts as one address, its own.'),
  dataDir: fields.pathField
    .describe('Where counters go at a clean stop when nobody takes over. Left out: uids then go on from the highest number of their section.')
    .optional(),
  httpListen: fields.listenField.describe('Where numbers are handed out over HTTP and JSON, for every uid. Left out: nowhere.').optional(),
  workers: fields
    .optionalInteger({ from: 1, to: WORKERS_MAX })
    .describe(
      'Processes under one supervisor, each an AllocSvr of its own: names NAME-1 and on, ports from those given on. Left out: this very process.',
    ),
  adminListen,
  insecure,
  tls: allocTls,
});

/** By role, what a config file may have. docs/config.md is printed from it. */
export const CONFIG_SCHEMAS = { store: storeSchema, alloc: allocSchema } as const;

/** The rules that tie several keys together. Every message begins with the key to look at first, for config-problems.ts finds its line. */
function toStoreConfig(raw: z.infer<typeof storeSchema>): StoreConfig {
  const own = raw.join ? checkJoiner(raw) : checkFounder(raw);
  underKey('geometry', () => checkGeometry(raw.geometry));
  const lease: LeaseTerms = { leaseMs: raw.lease, driftPpm: raw.drift, marginMs: raw.leaseMargin };
  checkLeaseTerms(lease);
  if (raw.heartbeat < 1 || raw.heartbeat * HEARTBEATS_PER_ELECTION_MIN > raw.election) {
    throw fields.invalid(
      `heartbeat: must be at least 1ms, and ${HEARTBEATS_PER_ELECTION_MIN} of them must fit in election: ` +
        `${raw.heartbeat}ms x ${HEARTBEATS_PER_ELECTION_MIN} > ${raw.election}ms`,
    );
  }
  const electionMaxMs = raw.election * 2;
  underKey('lease', () => checkElection({ leaseMs: raw.lease, electionMaxMs }));
  checkExposure(listenersOf(raw), raw.insecure);
  const { role, name, cluster, join, nodeId, listen, peerListen, members, geometry, raiseBy } = raw;
  return {
    role,
    name,
    cluster,
    join,
    nodeId,
    listen,
    peerListen,
    members,
    geometry,
    lease,
    raiseBy,
    dataDir: resolve(raw.dataDir),
    advertise: own.address,
    peerAdvertise: own.peerAddress,
    keepLogEntries: raw.keepLogEntries,
    heartbeatMs: raw.heartbeat,
    electionMinMs: raw.election,
    electionMaxMs,
    adminListen: raw.adminListen,
    insecure: raw.insecure,
    tls: toTls(raw.tls),
  };
}

/** What others dial to reach a node. */
type Reach = Pick<StoreMemberConfig, 'peerAddress' | 'address'>;

/** Throws unless the voters make a Raft group and this node is the one among them that it says it is. */
function checkFounder(raw: z.infer<typeof storeSchema>): Reach {
  if (raw.nodeId === undefined) throw fields.invalid('nodeId: is required, unless this store joins a cluster that exists (join: true)');
  if (![1, 3, 5].includes(raw.members.length)) throw fields.invalid(`members: a set has 1, 3 or 5 voters, got ${raw.members.length}`);
  checkDistinct(raw.members);
  const large = raw.members.find(({ id }) => id > FOUNDER_ID_MAX);
  if (large !== undefined)
    throw fields.invalid(`members: the id of a founder is at most ${FOUNDER_ID_MAX}, got ${large.id}; larger ones belong to stores that join`);
  const own = raw.members.find(({ id }) => id === raw.nodeId);
  if (own === undefined) throw fields.invalid(`nodeId: must be the id of one of the members, got ${raw.nodeId}`);
  if (own.name !== raw.name) throw fields.invalid(`name: must be that of member ${own.id}, '${own.name}', got '${raw.name}'`);
  checkAdvertised('advertise', raw.advertise, own.address);
  checkAdvertised('peerAdvertise', raw.peerAdvertise, own.peerAddress);
  return own;
}

/** Throws unless a joiner says where it is reached, and has somebody to ask. */
function checkJoiner(raw: z.infer<typeof storeSchema>): Reach {
  if (raw.nodeId !== undefined) throw fields.invalid(`nodeId: a store with join: true draws its own, so leave the key out, got ${raw.nodeId}`);
  if (raw.advertise === undefined) throw fields.invalid('advertise: is required with join: true, for no list says where this store is reached');
  if (raw.peerAdvertise === undefined)
    throw fields.invalid('peerAdvertise: is required with join: true, for no list says where this store is reached');
  const count = raw.members.length;
  if (count < 1 || count > LISTED_MAX) throw fields.invalid(`members: with join: true 1 to ${LISTED_MAX} stores of the cluster, got ${count}`);
  checkDistinct(raw.members);
  return { address: raw.advertise, peerAddress: raw.peerAdvertise };
}

function checkDistinct(members: readonly StoreMemberConfig[]): void {
  for (const key of ['id', 'name', 'peerAddress', 'address'] as const) {
    const values = members.map((member) => member[key]);
    const twice = values.find((value, index) => values.indexOf(value) !== index);
    if (twice !== undefined) throw fields.invalid(`members: every ${key} must be there once, got ${twice} twice`);
  }
}

function checkAdvertised(key: string, given: string | undefined, listed: string): void {
  if (given !== undefined && given !== listed)
    throw fields.invalid(`${key}: must be what the members list has for this node, ${listed}, got ${given}`);
}

function toAllocConfig(raw: z.infer<typeof allocSchema>): AllocConfig {
  if (raw.advertise === undefined && isWildcard(raw.listen)) {
    throw fields.invalid(`advertise: is required when listen is a wildcard, got listen ${raw.listen}`);
  }
  checkExposure(listenersOf(raw), raw.insecure);
  const config: AllocConfig = {
    role: 'alloc',
    name: raw.name,
    listen: raw.listen,
    advertise: raw.advertise,
    zone: raw.zone,
    stores: raw.stores,
    renewEveryMs: raw.renewEvery,
    raiseAheadMs: raw.raiseAhead,
    strict: raw.strict,
    limits: toLimits(raw.limits),
    dataDir: raw.dataDir === undefined ? undefined : resolve(raw.dataDir),
    httpListen: raw.httpListen,
    workers: raw.workers,
    adminListen: raw.adminListen,
    insecure: raw.insecure,
    tls: toTls(raw.tls),
  };
  if (isSupervisor(config)) checkWorkers(config);
  return config;
}
