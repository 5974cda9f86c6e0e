import type { Clock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import { type Geometry, isSameGeometry, showGeometry } from '../model/geometry.js';
import { checkElection, type LeaseTerms } from '../model/lease.js';
import type { Command, Member } from './command.js';
import type { Identity } from './data-dir.js';
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

export interface MembershipOptions {
  readonly identity: Identity;
  readonly members: readonly ConfiguredMember[];
  readonly bootstrap: Bootstrap;
  /** The longest election timeout configured, in ms. */
  readonly electionMaxMs: number;
  readonly clock: Clock;
  readonly state: () => StoreState;
  /** The data directory that said hello for a member; undefined while it was not heard. */
  readonly uuidOf: (id: number) => string | undefined;
  /** Rejects with a SeqError when the command was not committed, or nobody knows. */
  readonly propose: (command: Command) => Promise<unknown>;
  readonly observe: Observer<StoreEvent>;
  readonly onFatal: (error: unknown) => void;
}

/**
 * Founds the cluster and keeps its member table: which data directory speaks for which node id, and where it is.
 *
 * A cluster is founded only when EVERY configured member has said hello, and their directories are committed in that
 * very entry. Otherwise a wiped directory and one that never ran could, while an intact one is away, make a majority
 * and found another cluster over the old one: an empty directory never counts as the old node (DESIGN 3.6).
 */
export class Membership {
  readonly #options: MembershipOptions;
  #isProposing = false;

  constructor(options: MembershipOptions) {
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
    for (const member of this.#options.members) {
      const known = state.member(member.id);
      if (known === undefined) continue;
      const isCurrent = known.address === member.address && known.peerAddress === member.peerAddress && known.name === member.name;
      if (!isCurrent) return { type: 'member', ...member, nodeUuid: known.nodeUuid };
    }
    return undefined;
  }

  #foundingCommand(): Command | undefined {
    const { bootstrap, clock, identity, uuidOf } = this.#options;
    const members: Member[] = [];
    for (const member of this.#options.members) {
      const nodeUuid = member.id === identity.nodeId ? identity.nodeUuid : uuidOf(member.id);
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
    const committed = state.members.map(({ id }) => id).join(', ');
    const configured = this.#options.members
      .map(({ id }) => id)
      .sort((one, other) => one - other)
      .join(', ');
    if (committed !== configured) throw wrong(`members do not change by editing a file: committed ${committed}, configured ${configured}`);
    const own = state.member(identity.nodeId);
    if (own !== undefined && own.nodeUuid !== identity.nodeUuid) {
      throw wrong(
        `the cluster knows node ${identity.nodeId} with data directory ${own.nodeUuid}, this one is ${identity.nodeUuid}: a wiped or replaced directory is not the old node`,
      );
    }
    checkElection({ leaseMs: cluster.lease.leaseMs, electionMaxMs });
    this.#tellIgnored('lease', show(cluster.lease), show(bootstrap.lease));
    this.#tellIgnored('raiseBy', cluster.raiseBy.toString(), bootstrap.raiseBy.toString());
  }

  /** A setting of the file that is fixed since the founding and has no effect must not be silent about it. */
  #tellIgnored(setting: string, committed: string, configured: string): void {
    if (committed !== configured) this.#options.observe({ type: 'settingIgnored', setting, committed, configured });
  }
}

function show({ leaseMs, driftPpm, marginMs }: LeaseTerms): string {
  return `${leaseMs}ms, drift ${driftPpm}ppm, margin ${marginMs}ms`;
}

function wrong(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
