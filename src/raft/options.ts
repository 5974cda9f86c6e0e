import type { Random } from '../base/random.js';
import type { RaftCore } from './core.js';
import type { TraceEvent } from './trace.js';
import type { NodeId, Snapshot } from './types.js';

/** What a core must be told. */
interface Required {
  readonly id: NodeId;
  /** Ticks without a leader before a node campaigns: drawn from [electionTicks, 2 x electionTicks - 1]. */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** Bytes of entries in one append; one entry always goes. */
  readonly maxAppendBytes: number;
  /** Appends under way to one follower. */
  readonly maxInflightMessages: number;
  /** Bytes of commands in them; 0: no limit. */
  readonly maxInflightBytes: number;
  /** Bytes of commands in the leader's log that are not committed; proposals beyond it are refused. */
  readonly maxUncommittedBytes: number;
  /** Bytes of committed entries handed out and not applied; one entry always goes. */
  readonly maxApplyBytes: number;
  readonly random: Random;
}

/** What has a right answer for us, and another one for who compares with etcd. */
interface Modes {
  /** Ask before campaigning (thesis 9.6). */
  readonly preVote: boolean;
  /** A leader that a majority does not answer steps down, and who hears a leader does not vote (thesis 6.2, 4.2.3). */
  readonly checkQuorum: boolean;
  /** lease: a leader answers reads without a round. Needs checkQuorum, and clocks that run alike: not for us. */
  readonly readOnly: 'safe' | 'lease';
  /** A follower passes proposals on to the leader, and never hears what became of them. */
  readonly forwardsProposals: boolean;
  /** Membership changes that may not be made now become empty entries. */
  readonly validatesConfChanges: boolean;
  /** A leader that applied its own removal or demotion becomes a follower. */
  readonly stepsDownOnRemoval: boolean;
  /** Committed entries are handed out before they are on this disk: for a driver that persists each Ready before it applies it. */
  readonly appliesUnstable: boolean;
  /**
   * afterWrite: a candidate asks for votes once its term and its own vote are on disk. With the others' votes alone it
   * could win, crash, forget the term and lead it twice. atOnce: etcd's order, safe where each Ready is persisted before it is sent.
   */
  readonly voteRequests: 'afterWrite' | 'atOnce';
}

interface Hooks {
  /** The state machine as it is now, for a follower that needs what the log no longer has. Undefined: not available now. */
  readonly snapshot?: () => Snapshot | undefined;
  /** Hears everything that this core does. */
  readonly trace?: (event: TraceEvent, core: RaftCore) => void;
}

export type RaftOptions = Required & Partial<Modes> & Hooks;
export type RaftSettings = Required & Modes & Hooks;

const OURS: Modes = {
  preVote: true,
  checkQuorum: true,
  readOnly: 'safe',
  forwardsProposals: false,
  validatesConfChanges: true,
  stepsDownOnRemoval: true,
  appliesUnstable: false,
  voteRequests: 'afterWrite',
};

export function settingsOf(options: RaftOptions): RaftSettings {
  return { ...OURS, ...options };
}
