/**
 * The shape of a value in the JSON of the tools. A word is a plain value: 'text', 'number' (exact in a double), 'boolean',
 * 'uint64' (a decimal string, up to 2^64 - 1), 'time' (ISO 8601, UTC) or 'any'; with a '?' it may be absent. A list has items
 * of its one shape. An object with the key '*' has keys of any name; a key that ends with '?' may be absent.
 */
export type Shape = string | readonly [Shape] | { readonly [key: string]: Shape };

const VERSION = { generation: 'number', value: 'number' };
const GEOMETRY = { firstUid: 'uint64', lastUid: 'uint64', uidsPerSection: 'number' };
const RUN = { firstSection: 'number', lastSection: 'number', firstUid: 'uint64', lastUid: 'uint64' };
const LEASE = { leaseMs: 'number', driftPpm: 'number', marginMs: 'number' };
const COMMITTED_LEASE = { ...LEASE, waitMs: 'number' };
const POLICY = { placement: 'text', standbys: ['text'], isPaused: 'boolean', movesInFlightMax: 'number', silentShareMaxPercent: 'number' } as const;
const NODE = {
  name: 'text',
  role: 'text',
  address: 'text',
  state: 'text',
  term: 'uint64?',
  commitIndex: 'uint64?',
  appliedIndex: 'uint64?',
  lag: 'uint64?',
  sections: 'number?',
  version: 'text?',
  pid: 'number?',
  uptimeMs: 'number?',
  error: 'text?',
};
const ENDPOINT = {
  endpoint: 'text',
  health: 'text',
  tookMs: 'number',
  reason: 'text',
  name: 'text?',
  role: 'text?',
  state: 'text?',
  clusterId: 'text?',
  version: 'text?',
  pid: 'number?',
  uptimeMs: 'number?',
  term: 'uint64?',
  lastIndex: 'uint64?',
  commitIndex: 'uint64?',
  appliedIndex: 'uint64?',
  logEntries: 'uint64?',
  sections: 'number?',
  leaseLeftMs: 'number?',
};
const MEMBER = {
  name: 'text',
  id: 'number',
  role: 'text',
  state: 'text',
  matchIndex: 'uint64?',
  lag: 'uint64?',
  peerAddress: 'text',
  address: 'text',
  nodeUuid: 'text',
  wantsVote: 'boolean',
  replacesId: 'number?',
  reason: 'text?',
};
const ALLOC = {
  name: 'text',
  state: 'text',
  sections: 'number',
  callsPerSecond: 'number',
  heardMsAgo: 'number?',
  waitLeftMs: 'number',
  zone: 'text',
  address: 'text',
  incarnation: 'text',
};
const SECTION = { ...RUN, alloc: 'text', epoch: 'uint64', base: 'uint64', maxSeq: 'uint64', headroom: 'uint64', next: 'text' };
const MOVE = { firstSection: 'number', lastSection: 'number', sectionCount: 'number', from: 'text', to: 'text', reason: 'text' };
const LEADER = { name: 'text', id: 'number', term: 'uint64', address: 'text' };
const SET_MAP = {
  version: 'number',
  home: 'text',
  sets: [{ name: 'text', firstUid: 'uint64', lastUid: 'uint64', seeds: ['text'], clusterId: 'text' }],
} as const;
const CONTEXT = { name: 'text', isCurrent: 'boolean', endpoints: 'text?', timeout: 'text?', output: 'text?' };
const LATENCY = { p50: 'number', p90: 'number', p99: 'number', p999: 'number', max: 'number' };
const BENCH = {
  offeredPerSecond: 'number?',
  reachedPerSecond: 'number',
  callers: 'number?',
  uids: 'number',
  many: 'number',
  strict: 'boolean',
  warmUpMs: 'number',
  durationMs: 'number',
  tookMs: 'number',
  callCount: 'number',
  failedCount: 'number',
  failures: { '*': 'number' },
  lateCount: 'number',
  unmadeCount: 'number',
  latencyMs: LATENCY,
  violationCount: 'number',
  violations: [{ uid: 'uint64', seq: 'uint64', after: 'uint64' }],
  isInterrupted: 'boolean',
} as const;

/** What `-o json` and `-o yaml` print, besides apiVersion and kind, by kind. A field may join one of them; none changes its meaning or leaves. */
export const JSON_SHAPES: Readonly<Record<string, Shape>> = {
  Sequence: { uid: 'uint64', seq: 'uint64', first: 'uint64?', last: 'uint64?' },
  CurrentSequence: { uid: 'uint64', seq: 'uint64', exact: 'boolean', time: 'time?' },
  ClusterStatus: { clusterId: 'text', health: 'text', problems: ['text'], routingVersion: VERSION, nodes: [NODE] },
  ClusterInfo: {
    clusterId: 'text',
    routingVersion: VERSION,
    geometry: GEOMETRY,
    sectionCount: 'number',
    'lease?': LEASE,
    storeCount: 'number',
    allocCount: 'number',
    versions: [{ version: 'text', nodes: ['text'] }],
  },
  EndpointHealth: { health: 'text', endpoints: [ENDPOINT] },
  EndpointStatus: { health: 'text', endpoints: [ENDPOINT] },
  EndpointHash: {
    endpoints: [{ name: 'text', endpoint: 'text', appliedIndex: 'uint64', stateHash: 'text', verdict: 'text', comparedAt: 'uint64?' }],
  },
  RoutingTable: {
    version: VERSION,
    geometry: GEOMETRY,
    stores: [{ id: 'number', name: 'text', address: 'text' }],
    allocs: [{ id: 'text', address: 'text', zone: 'text' }],
    routes: [{ ...RUN, alloc: 'text', address: 'text', epoch: 'number' }],
  },
  RouteExplanation: {
    uid: 'uint64',
    section: 'number',
    slot: 'number',
    firstUid: 'uint64',
    lastUid: 'uint64',
    alloc: 'text',
    address: 'text',
    epoch: 'number',
    routingVersion: VERSION,
    'leader?': { section: SECTION, 'owner?': ALLOC, heldBackBy: 'text' },
    leaderError: 'text',
  },
  MemberList: { clusterId: 'text', leader: 'text', term: 'uint64', appliedIndex: 'uint64', members: [MEMBER] },
  MemberAdded: { member: MEMBER },
  MemberPromoted: { member: MEMBER },
  MemberReplaced: { member: MEMBER },
  MemberUpdated: { member: MEMBER },
  MemberRemoved: { member: { name: 'text', id: 'number', nodeUuid: 'text' } },
  Leader: LEADER,
  LeaderTransferred: LEADER,
  Section: { section: SECTION },
  SectionList: { version: VERSION, geometry: GEOMETRY, sections: [SECTION] },
  SectionMoves: { state: 'text', moves: [MOVE] },
  AllocList: { allocs: [ALLOC] },
  AllocDrained: { alloc: ALLOC },
  AllocResumed: { alloc: ALLOC },
  AllocRemoved: { name: 'text', sections: 'number' },
  ArbiterStatus: {
    term: 'uint64',
    heldBackBy: 'text',
    unassignedCount: 'number',
    movingCount: 'number',
    policy: POLICY,
    lease: COMMITTED_LEASE,
    plan: [MOVE],
    allocs: [ALLOC],
  },
  ArbiterHistory: {
    records: [{ number: 'uint64', time: 'time', term: 'uint64', kind: 'text', sections: 'number', version: VERSION, reason: 'text' }],
  },
  Policy: { policy: POLICY },
  Lease: { lease: COMMITTED_LEASE },
  SetMap: SET_MAP,
  SetMapPlanned: { ...SET_MAP, copies: [{ name: 'text', state: 'text', error: 'text' }] },
  SetAdded: { ...SET_MAP, copies: [{ name: 'text', state: 'text', error: 'text' }] },
  ConfigCheck: {
    ok: 'boolean',
    files: [{ file: 'text', role: 'text?', name: 'text?', ok: 'boolean', problems: [{ file: 'text', line: 'number?', key: 'text', rule: 'text' }] }],
  },
  ConfigSettings: { file: 'text', role: 'text', settings: [{ key: 'text', value: 'any?', origin: 'text', line: 'number?' }] },
  ConfigWritten: { clusterId: 'text', isWritten: 'boolean', files: [{ name: 'text', role: 'text', file: 'text' }] },
  Doctor: { verdict: 'text', findings: [{ check: 'text', verdict: 'text', what: 'text', todo: 'text' }] },
  DebugBundle: { file: 'text', files: ['text'], missing: ['text'] },
  DryRun: { command: 'text', change: 'text' },
  Bench: BENCH,
  PerformanceCheck: {
    load: 'text',
    isPassed: 'boolean',
    checks: [{ name: 'text', isPassed: 'boolean', figure: 'text', rule: 'text' }],
    bench: BENCH,
  },
  Verification: {
    verdict: 'text',
    operationCount: 'number',
    uidCount: 'number',
    answeredCount: 'number',
    unknownCount: 'number',
    faultCount: 'number',
    cutOffLine: 'number?',
    violationCounts: { uniqueness: 'number', order: 'number', current: 'number', shape: 'number' },
    violations: ['any'],
    history: 'text',
    timeline: 'text?',
  },
  ContextList: { file: 'text', contexts: [CONTEXT] },
  Context: { file: 'text', context: CONTEXT },
  Settings: { file: 'text', settings: [{ option: 'text', value: 'text', source: 'text' }] },
  Version: { version: 'text', node: 'text' },
};
