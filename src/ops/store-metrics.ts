import type { Version } from '../model/version.js';
import { bit, type Counts, type Distribution, type Meter, type Metrics } from './metrics.js';

/** Sections or entries of one batch; 0 is a write of the hard state alone. */
const ENTRY_BUCKETS = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/** What the arbiter says of a decision begins with one of these; `other` is for words that are newer than this table. */
const MOVE_REASONS = {
  'lease over': 'lease_over',
  'former runs are over': 'former_run',
  'sections without an owner': 'no_owner',
  'spread evenly': 'spread',
  'reported dead': 'reported_dead',
  draining: 'draining',
  operator: 'operator',
  'called off': 'called_off',
  'standby takes over': 'standby',
} as const;
type MoveReason = (typeof MOVE_REASONS)[keyof typeof MOVE_REASONS] | 'other';

/** What became of a whole snapshot on its way between members. */
type SnapshotResult = 'sent' | 'failed' | 'received';

/** A StoreSvr as it is now. */
export interface StoreReading {
  /** Some node is known to lead: this one or another. */
  readonly hasLeader: boolean;
  readonly isLeader: boolean;
  /** It gets the log and has no vote. */
  readonly isLearner: boolean;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  /** Entries that the log holds. */
  readonly logEntryCount: number;
  readonly members: MembersReading;
  /** AllocSvrs that the cluster knows, by what they are, as applied here. */
  readonly allocs: Readonly<Record<'joined' | 'draining' | 'gone', number>>;
  /** This node leads, and may decide. */
  readonly isArbiter: boolean;
  /** As applied here. */
  readonly unassignedCount: number;
  readonly version: Version;
  readonly peers: PeerReading;
}

/** The members of the group, as applied here; what only a leader knows is 0 elsewhere. */
export interface MembersReading {
  readonly count: number;
  /** On the leader: those that answered within the last election timeout, itself included. */
  readonly activeCount: number;
  /** On the leader: entries that the slowest member is behind, as far as that is known. */
  readonly lagMax: number;
}

/** What peers did wrong and what could not be sent to them, since the start. */
export interface PeerReading {
  /** Connections and streams that were not believed, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Messages of believed peers that broke a rule. */
  readonly badMessages: number;
  /** Messages not sent, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly snapshotsRefused: number;
}

/** The metrics of a StoreSvr. `read` gives undefined until the node runs: everything is 0 then. */
export class StoreMetrics {
  readonly #leaderChanges: Meter;
  readonly #fsyncSeconds: Distribution;
  readonly #batchEntries: Distribution;
  readonly #moves: Counts<MoveReason>;
  readonly #snapshots: Counts<SnapshotResult>;
  readonly #diskStalls: Meter;
  readonly #stateDiffers: Meter;
  #isHeld = false;
  #leaderTerm = 0;

  constructor(metrics: Metrics, read: () => StoreReading | undefined) {
    const gauge = (name: string, help: string, of: (reading: StoreReading) => number): void =>
      metrics.gauge(name, help, () => {
        const reading = read();
        return reading === undefined ? 0 : of(reading);
      });
    gauge('seqsvr_raft_has_leader', 'Whether this node knows a leader (1) or not (0).', ({ hasLeader }) => bit(hasLeader));
    gauge('seqsvr_raft_is_leader', 'Whether this node is the leader (1) or not (0).', ({ isLeader }) => bit(isLeader));
    gauge('seqsvr_raft_is_learner', 'Whether this node gets the log and has no vote (1) or not (0).', ({ isLearner }) => bit(isLearner));
    gauge('seqsvr_raft_term', 'The Raft term that this node is in.', ({ term }) => term);
    gauge('seqsvr_raft_commit_index', 'Index of the last entry that this node knows to be committed.', ({ commitIndex }) => commitIndex);
    gauge('seqsvr_raft_applied_index', 'Index of the last entry that this node has applied.', ({ appliedIndex }) => appliedIndex);
    gauge('seqsvr_raft_members', 'Members of the group, learners too, as applied here.', ({ members }) => members.count);
    gauge(
      'seqsvr_raft_members_active',
      'On the leader: members that answer it, itself included; 0 on the others.',
      ({ members }) => members.activeCount,
    );
    gauge(
      'seqsvr_raft_lag_entries_max',
      'On the leader: entries that the slowest member is behind; 0 on the others.',
      ({ members }) => members.lagMax,
    );
    gauge('seqsvr_store_log_entries', 'Entries that the log on disk holds.', ({ logEntryCount }) => logEntryCount);
    metrics.gaugesOf('seqsvr_arbiter_allocs', 'AllocSvrs that the cluster knows, by what they are, as applied here.', 'state', () => {
      return read()?.allocs ?? { joined: 0, draining: 0, gone: 0 };
    });
    metrics.gauge(
      'seqsvr_arbiter_held',
      'Whether this node, as the arbiter, holds back for too many AllocSvrs are silent at once (1) or not (0).',
      () => bit(this.#isHeld && read()?.isArbiter === true),
    );
    gauge('seqsvr_arbiter_active', 'Whether this node plays the arbiter (1) or not (0).', ({ isArbiter }) => bit(isArbiter));
    gauge('seqsvr_arbiter_sections_unassigned', 'Sections that nobody serves, as applied here.', ({ unassignedCount }) => unassignedCount);
    gauge('seqsvr_route_generation', 'Generation of the routing table, as applied here.', ({ version }) => version.generation);
    gauge('seqsvr_route_version', 'Version of the routing table within its generation, as applied here.', ({ version }) => version.value);

    const peers = (): Partial<PeerReading> => read()?.peers ?? {};
    metrics.countersOf(
      'seqsvr_peer_refused_total',
      'Peers, or streams of them, that were not believed, by reason.',
      'reason',
      () => peers().refused ?? {},
    );
    metrics.countersOf('seqsvr_peer_dropped_total', 'Messages to peers that were not sent, by reason.', 'reason', () => peers().dropped ?? {});
    metrics.counterOf('seqsvr_peer_bad_messages_total', 'Messages of believed peers that broke a rule, dropped.', () => peers().badMessages ?? 0);
    metrics.counterOf(
      'seqsvr_peer_snapshots_refused_total',
      'Snapshots of peers that were not what they should be.',
      () => peers().snapshotsRefused ?? 0,
    );

    this.#leaderChanges = metrics.counter('seqsvr_raft_leader_changes_total', 'Terms in which this node came to know a leader.');
    this.#fsyncSeconds = metrics.histogram('seqsvr_store_fsync_duration_seconds', 'Time of one synced write of the log and what rides along.');
    this.#batchEntries = metrics.histogram('seqsvr_store_batch_entries', 'Log entries in one synced write.', ENTRY_BUCKETS);
    this.#snapshots = metrics.counterBy('seqsvr_raft_snapshots_total', 'Snapshots to and from other members, by what became of them.', {
      label: 'result',
      values: ['sent', 'failed', 'received'],
    });
    this.#diskStalls = metrics.counter('seqsvr_store_disk_stalls_total', 'Times that a write was under way for longer than an election timeout.');
    this.#stateDiffers = metrics.counter(
      'seqsvr_store_state_differs_total',
      'Times that another replica held another state after the same entry, and it was not clear who is wrong.',
    );
    this.#moves = metrics.counterBy('seqsvr_arbiter_moves_total', 'Sections that this node, as the arbiter, gave or planned to give to an owner.', {
      label: 'reason',
      values: [...Object.values(MOVE_REASONS), 'other'],
    });
  }

  /** A role, a term or a leader changed: a term has one leader at most, so a term counts once. */
  roleChanged({ term, leaderId }: { readonly term: number; readonly leaderId: number | undefined }): void {
    if (leaderId === undefined || term <= this.#leaderTerm) return;
    this.#leaderTerm = term;
    this.#leaderChanges.add(1);
  }

  written({ entryCount, tookMs }: { readonly entryCount: number; readonly tookMs: number }): void {
    this.#fsyncSeconds.observe(tookMs / 1000);
    this.#batchEntries.observe(entryCount);
  }

  snapshot(result: SnapshotResult): void {
    this.#snapshots.add(result, 1);
  }

  diskStalled(): void {
    this.#diskStalls.add(1);
  }

  stateDiffers(): void {
    this.#stateDiffers.add(1);
  }

  /** The brake of the arbiter is on, or off again. It means something only while this node is the arbiter. */
  arbiterHeld(isHeld: boolean): void {
    this.#isHeld = isHeld;
  }

  /** A decision was applied. Call only on the node that made it: then the sum over all stores is right. */
  decided({ sectionCount, reason }: { readonly sectionCount: number; readonly reason: string }): void {
    this.#moves.add(moveReason(reason), sectionCount);
  }
}

/** The kind of a reason, without the names in it: those would be labels without end. */
export function moveReason(reason: string): MoveReason {
  for (const [start, kind] of Object.entries(MOVE_REASONS)) if (reason.startsWith(start)) return kind;
  return 'other';
}
