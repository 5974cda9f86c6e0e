import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { type Geometry, isSameGeometry, showGeometry } from '../model/geometry.js';
import { checkElection, type LeaseTerms } from '../model/lease.js';
import type { ConfState } from '../raft/types.js';
import type { Command, Member } from './command.js';
import type { Identity } from './data-dir.js';
import { DamageError } from './damage.js';
import type { StoreEvent } from './events.js';
import type { StoreState } from './state.js';

/** A member as the configuration names it: which data directory speaks for it is learnt from its hello. */
export type ConfiguredMember = Omit<Member, 'nodeUuid'>;

/** What the first leader of a new cluster commits. */
export interface Bootstrap {
  readonly geometry: Geometry;
  readonly lease: LeaseTerms;
  readonly raiseBy: bigint;
}

export interface FoundingOptions {
  readonly identity: Identity;
  readonly members: readonly ConfiguredMember[];
  readonly bootstrap: Bootstrap;
  /** The longest election timeout configured, in ms. */
  readonly electionMaxMs: number;
  readonly clock: Clock;
  readonly state: () => StoreState;
  /** What a member said of itself in its hello; undefined while it was not heard. This node's own is its configuration. */
  readonly heardOf: (id: number) => Member | undefined;
  /** The members as Raft has them. */
  readonly confState: () => ConfState;
  /** Rejects with a SeqError when the command was not committed, or nobody knows. */
  readonly propose: (command: Command) => Promise<unknown>;
  readonly observe: Observer<StoreEvent>;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Founds the cluster, and keeps what its member table says of where each member is: that is each one's own to say.
 *
 * A cluster is founded only when EVERY configured member has said hello, and their directories are committed in that
 * very entry. Otherwise a wiped directory and one that never ran could, while an intact one is away, make a majority
 * and found another cluster over the old one: an empty directory never counts as the old node (DESIGN 3.6).
 */
export class Founding {
  readonly #options: FoundingOptions;
  #isProposing = false;

  constructor(options: FoundingOptions) {
    this.#options = options;
  }

  /** For a leader, again and again: does what is due now. What fails is due again next time. */
  tend(): void {
    const command = this.#dueCommand();
    if (command === undefined || this.#isProposing) return;
    this.#isProposing = true;
    this.#options.propose(command).then(
      () => (this.#isProposing = false),
      (error: unknown) => {
        this.#isProposing = false;
        if (!(error instanceof SeqError)) this.#options.onFatal(error);
      },
    );
  }

  /** The committed cluster must be the one this node is configured for, and this directory the one it knows. Ends the process otherwise. */
  check(): void {
    try {
      this.#check();
    } catch (error) {
      this.#options.onFatal(error);
    }
  }

  #dueCommand(): Command | undefined {
    const state = this.#options.state();
    if (state.cluster === undefined) return this.#foundingCommand();
    for (const known of state.members) {
      const heard = this.#options.heardOf(known.id);
      if (heard === undefined || heard.nodeUuid !== known.nodeUuid) continue;
      const isCurrent = known.address === heard.address && known.peerAddress === heard.peerAddress && known.name === heard.name;
      if (!isCurrent) return { type: 'member', ...heard };
    }
    return undefined;
  }

  #foundingCommand(): Command | undefined {
    const { bootstrap, clock, identity, heardOf } = this.#options;
    const members: Member[] = [];
    for (const member of this.#options.members) {
      const nodeUuid = heardOf(member.id)?.nodeUuid;
      if (nodeUuid === undefined) return undefined;
      members.push({ ...member, nodeUuid });
    }
    const generation = Math.floor(clock.now().wallMs / 1000);
    return { type: 'init', clusterId: identity.clusterId, generation, ...bootstrap, members };
  }

  #check(): void {
    const { bootstrap, identity, electionMaxMs } = this.#options;
    const state = this.#options.state();
    const { cluster } = state;
    if (cluster === undefined) return;
    if (cluster.clusterId !== identity.clusterId) throw wrong(`the log is of cluster ${cluster.clusterId}, this node is of ${identity.clusterId}`);
    if (!isSameGeometry(cluster.geometry, bootstrap.geometry)) {
      throw wrong(`geometry is fixed at bootstrap: committed ${showGeometry(cluster.geometry)}, configured ${showGeometry(bootstrap.geometry)}`);
    }
    checkMembers(state, this.#options.confState());
    const own = state.member(identity.nodeId);
    if (own !== undefined && own.nodeUuid !== identity.nodeUuid) {
      throw wrong(
        `the cluster knows node ${identity.nodeId} with data directory ${own.nodeUuid}, this one is ${identity.nodeUuid}: a wiped or replaced directory is not the old node`,
      );
    }
    checkElection({ leaseMs: cluster.lease.leaseMs, electionMaxMs });
    this.#tellIgnored('lease', show(cluster.lease), show(bootstrap.lease));
    this.#tellIgnored('raiseBy', cluster.raiseBy.toString(), bootstrap.raiseBy.toString());
    // They help to find the others at first, and no more.
    this.#tellIgnored('members', showIds(state.members), showIds(this.#options.members));
  }

  /** A setting of the file that is fixed since the founding and has no effect must not be silent about it. */
  #tellIgnored(setting: string, committed: string, configured: string): void {
    if (committed !== configured) this.#options.observe({ type: 'settingIgnored', setting, committed, configured });
  }
}

/** The member table and Raft's members change in the same entries: what says otherwise is not as it was written (raft.md hazard 27). */
export function checkMembers(state: StoreState, { voters, votersOutgoing, learners }: ConfState): void {
  const ids = new Set([...voters, ...votersOutgoing, ...learners]);
  const inRaft = [...ids].sort((one, other) => one - other).join(', ');
  const inTable = state.members.map(({ id }) => id).join(', ');
  if (inRaft !== inTable)
    throw new DamageError(`the members are ${inRaft || 'nobody'} by the Raft group and ${inTable || 'nobody'} by the member table`);
}

function showIds(members: readonly { readonly id: number }[]): string {
  return members
    .map(({ id }) => id)
    .sort((one, other) => one - other)
    .join(', ');
}

function show({ leaseMs, driftPpm, marginMs }: LeaseTerms): string {
  return `${leaseMs}ms, drift ${driftPpm}ppm, margin ${marginMs}ms`;
}

function wrong(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
