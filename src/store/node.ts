import { every, type Clock, sleep } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import type { ConfChange } from '../raft/conf-change.js';
import { type Applied, mostCaughtUp, RaftDriver } from '../raft/driver.js';
import { LogLostError } from '../raft/log.js';
import type { RaftEvent } from '../raft/ports.js';
import type { NodeId } from '../raft/types.js';
import type { Command, Member } from './command.js';
import { encodeCommand } from './command-codec.js';
import { type Identity, isJoiner } from './data-dir.js';
import type { StoreEvent } from './events.js';
import type { Opened } from './level-storage.js';
import type { Wire } from '../rpc/wire.js';
import { DamageError } from './damage.js';
import { Divergence } from './divergence.js';
import { GrowthMeter } from './growth.js';
import { type Bootstrap, checkMembers, type ConfiguredMember, Founding } from './founding.js';
import type { MembershipAdmin } from './member-view.js';
import { GroupAdmin } from './membership-admin.js';
import type { PeerMember } from './peer-admission.js';
import { PeerTransport } from './peer-transport.js';
import { type AppliedEntry, Replica } from './replica.js';
import type { StateCopy } from './snapshot-source.js';
import type { StoreState } from './state.js';
import type { Result } from './state-machine.js';
import { tell } from './telling.js';

/** How often the leader looks after its members, and every node tells the hash of its state, in ms. */
const MEMBER_CHECK_EVERY_MS = 1_000;
/** How often a transfer of leadership looks whether it is done, in ms; after so many election timeouts it was given up. */
const TRANSFER_LOOK_EVERY_MS = 20;
const TRANSFER_ELECTIONS_MAX = 4;

/** Raft's limits; each says what happens at it in raft/core.ts. */
const RAFT_LIMITS = {
  maxAppendBytes: 1024 * 1024,
  maxInflightMessages: 256,
  maxInflightBytes: 16 * 1024 * 1024,
  maxUncommittedBytes: 64 * 1024 * 1024,
  maxApplyBytes: 1024 * 1024,
};

export interface StoreNodeOptions {
  readonly name: string;
  readonly identity: Identity;
  /** `host:port` that others dial to reach the store API, and the peer listener. */
  readonly advertise: string;
  readonly peerAdvertise: string;
  /** The founders, or for one who joins the members that it knows of. */
  readonly members: readonly ConfiguredMember[];
  /** Applied entries that stay in the log. */
  readonly keepLogEntries: number;
  readonly bootstrap: Bootstrap;
  readonly heartbeatMs: number;
  /** Shortest election timeout, in ms; the longest is twice as long. */
  readonly electionMinMs: number;
  readonly opened: Opened;
  readonly clock: Clock;
  /** How calls travel. Default: gRPC. */
  readonly wire?: Wire | undefined;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
  /** Hears a broken invariant, a storage error, or damage: then the data is not to be believed any more. */
  readonly onFatal: (error: unknown) => void;
  /** The cluster has removed this node: it stops. */
  readonly onRemoved: () => void;
}

/** What a StoreSvr tells the roles that live on it. */
export interface StoreNodeListener {
  /** This node leads, and has applied an entry of its own term. */
  onLead(): void;
  onFollow(): void;
  /** The applied state has a new routing version. */
  onVersion(): void;
}

/** One StoreSvr without its network services: Raft, the replicated state, and the way to both. */
export class StoreNode {
  readonly identity: Identity;
  readonly transport: PeerTransport;
  readonly members: MembershipAdmin;
  readonly #options: StoreNodeOptions;
  readonly #replica: Replica;
  readonly #driver: RaftDriver<Result>;
  readonly #founding: Founding;
  readonly #group: GroupAdmin;
  readonly #divergence = new Divergence();
  readonly #growth = new GrowthMeter();
  readonly #listeners = new Set<StoreNodeListener>();
  #isRemoved = false;
  #isDivergenceTold = false;
  #cancelMemberCheck: () => void = () => undefined;

  constructor(options: StoreNodeOptions) {
    this.#options = options;
    this.identity = options.identity;
    const { identity, opened, clock, random, observe } = options;
    this.#replica = new Replica(opened.state, (applied) => this.#onApplied(applied));
    if (this.state.cluster !== undefined) checkMembers(this.state, opened.confState);
    this.transport = this.#makeTransport();
    this.#driver = new RaftDriver<Result>({
      raft: { id: identity.nodeId, ...ticksOf(options), ...RAFT_LIMITS, random },
      tickMs: tickMsOf(options),
      hardState: opened.hardState,
      appliedIndex: opened.appliedIndex,
      confState: opened.confState,
      keptEntries: options.keepLogEntries,
      storage: opened.storage,
      transport: this.transport,
      machine: this.#replica,
      clock,
      observe: (event) => this.#onRaft(event),
      // A leader that knows more of this disk than the disk itself: it was lost, or is an old copy (DESIGN 3.6).
      onFatal: (error) => this.#fail(error instanceof LogLostError ? new DamageError(error.message, { cause: error }) : error),
    });
    this.#founding = new Founding({
      identity,
      members: options.members,
      bootstrap: options.bootstrap,
      electionMaxMs: options.electionMinMs * 2,
      clock,
      state: () => this.state,
      heardOf: (id) => this.#heardOf(id),
      confState: () => this.#driver.core.confState,
      propose: (command) => this.propose(command),
      observe,
      onFatal: (error) => this.#fail(error),
    });
    this.#group = new GroupAdmin(this, (error) => this.#fail(error));
    this.members = this.#group;
  }

  start(): void {
    this.#founding.check();
    this.transport.start();
    this.#driver.start();
    this.#cancelMemberCheck = every(this.#options.clock, MEMBER_CHECK_EVERY_MS, () => {
      this.#tendMembers();
      this.#tellCheckpoint();
      this.#growth.look(this.state.sections, this.#options.clock.nowMs());
    });
  }

  async stop(): Promise<void> {
    this.#cancelMemberCheck();
    this.transport.close();
    await this.#driver.stop();
    await this.#options.opened.storage.close();
  }

  listen(listener: StoreNodeListener): void {
    this.#listeners.add(listener);
  }

  /** The state as applied here; on a follower it may be old. */
  get state(): StoreState {
    return this.#replica.state;
  }

  /** Equal on all nodes at an equal applied index. */
  get stateHash(): string {
    return this.#replica.hash;
  }

  /** All that is applied here, as it is now. */
  copyState(): StateCopy {
    const { index, data } = this.#driver.snapshot();
    return { index, term: this.raft.term, data, stateHash: this.stateHash, growth: this.#growth.seen };
  }

  /** For status and tools; never write to it. */
  get raft() {
    return this.#driver.core;
  }

  /** The others have told it that it is no member any more. */
  get isRemoved(): boolean {
    return this.#isRemoved;
  }

  /** This node leads, and has applied an entry of its own term: it may answer and plan. */
  get isLeading(): boolean {
    return this.#driver.isReadyLeader && this.state.cluster !== undefined;
  }

  /** Throws NOT_LEADER, with the leader to go to when one is known, unless this node leads. */
  requireLeading(): void {
    if (!this.isLeading) throw this.#notLeader();
  }

  /** Resolves once the command is committed and applied here. Rejects as RaftDriver.propose does. */
  async propose(command: Command): Promise<Applied<Result>> {
    try {
      return await this.#driver.propose(encodeCommand(command));
    } catch (error) {
      throw SeqError.is(error, 'NOT_LEADER') ? this.#notLeader() : error;
    }
  }

  /** Resolves when a quorum has confirmed this leader since the call and all that was committed then is applied here. */
  async confirmLeadership(): Promise<void> {
    try {
      await this.#driver.confirmLeadership();
    } catch (error) {
      throw SeqError.is(error, 'NOT_LEADER') ? this.#notLeader() : error;
    }
  }

  /** Resolves once the change is committed and applied here. Rejects as RaftDriver.changeMembers does. */
  async changeMembers(change: ConfChange): Promise<Applied<Result>> {
    try {
      return await this.#driver.changeMembers(change);
    } catch (error) {
      throw SeqError.is(error, 'NOT_LEADER') ? this.#notLeader() : error;
    }
  }

  /**
   * Resolves once another one leads: `name`, or without it the most caught-up voter that answers. Rejects with NOT_LEADER,
   * INVALID_ARGUMENT, or UNAVAILABLE when it was given up.
   */
  async transferLeader(name: string | undefined): Promise<{ readonly name: string }> {
    this.requireLeading();
    const to = this.#successor(name);
    const { term } = this.raft;
    this.#driver.transferLeader(to.id);
    const limitMs = TRANSFER_ELECTIONS_MAX * this.#options.electionMinMs;
    for (let waitedMs = 0; waitedMs < limitMs; waitedMs += TRANSFER_LOOK_EVERY_MS) {
      await sleep(this.#options.clock, TRANSFER_LOOK_EVERY_MS);
      const { leaderId } = this.raft;
      if (this.raft.term > term && leaderId !== undefined && leaderId !== this.identity.nodeId)
        return { name: this.state.member(leaderId)?.name ?? String(leaderId) };
      if (this.raft.role === 'leader' && this.raft.transferee === undefined && waitedMs > 0) break;
    }
    throw new SeqError('UNAVAILABLE', `leadership was not taken over by ${to.name} in time`, { definite: false });
  }

  #successor(name: string | undefined): { readonly id: NodeId; readonly name: string } {
    const [voters] = this.raft.voters;
    const found = this.state.members.find((member) => (name === undefined ? member.id === mostCaughtUp(this.raft) : member.name === name));
    if (found === undefined)
      throw new SeqError(
        name === undefined ? 'UNAVAILABLE' : 'INVALID_ARGUMENT',
        name === undefined ? 'no other voter answers' : `no member is called ${name}`,
        {
          definite: true,
        },
      );
    if (!voters.includes(found.id) || found.id === this.identity.nodeId)
      throw new SeqError('INVALID_ARGUMENT', `${found.name} ${found.id === this.identity.nodeId ? 'leads already' : 'is no voter'}`);
    return found;
  }

  #makeTransport(): PeerTransport {
    const { identity, name, advertise, peerAdvertise, clock, wire, random, observe, onRemoved } = this.#options;
    return new PeerTransport({
      identity,
      self: { name, address: advertise, peerAddress: peerAdvertise },
      peers: () => this.#peers(),
      isRemoved: (uuid) => this.state.removed.some(({ nodeUuid }) => nodeUuid === uuid),
      isJoining: () => isJoiner(identity) && this.state.cluster === undefined,
      receive: (message) => this.#driver.receive(message),
      onHello: () => this.#tendMembers(),
      onCheckpoint: (from, { appliedIndex, stateHash }) => this.#onCheckpoint(from, { index: appliedIndex, stateHash }),
      onUnreachable: (id) => this.#driver.reportUnreachable(id),
      onSnapshotSent: (id, ok) => this.#driver.reportSnapshot(id, ok),
      onRemoved: () => {
        this.#isRemoved = true;
        onRemoved();
      },
      clock,
      wire,
      random,
      observe,
    });
  }

  /** The committed table, or before there is one the configuration. Where a member is, it knows best itself; then the file, which may be newer than the table. */
  #peers(): readonly PeerMember[] {
    const { members: configured } = this.#options;
    const committed = this.state.members;
    // Nobody would believe one who joins before it is added; who adds it dials it.
    const founders = isJoiner(this.identity) ? [] : configured.map((member) => ({ ...member, nodeUuid: undefined }));
    const all = committed.length > 0 ? committed : founders;
    return all.map(({ id, nodeUuid, peerAddress }) => {
      const heard = this.transport.heardOf(id);
      const own = heard !== undefined && (nodeUuid === undefined || heard.nodeUuid === nodeUuid) ? heard : undefined;
      return { id, nodeUuid, peerAddress: own?.peerAddress ?? configured.find((member) => member.id === id)?.peerAddress ?? peerAddress };
    });
  }

  #heardOf(id: NodeId): Member | undefined {
    const { identity, name, advertise, peerAdvertise } = this.#options;
    if (id === identity.nodeId) return { id, name, nodeUuid: identity.nodeUuid, peerAddress: peerAdvertise, address: advertise };
    const heard = this.transport.heardOf(id);
    return heard && { id, ...heard };
  }

  #notLeader(): SeqError {
    const { leaderId } = this.#driver.core;
    const known = this.state.members.length > 0 ? this.state.members : this.#options.members;
    const leader = leaderId === this.identity.nodeId ? undefined : known.find(({ id }) => id === leaderId);
    const message = leader === undefined ? 'no leader is known' : `${this.#options.name} does not lead, ${leader.name} does`;
    return new SeqError('NOT_LEADER', message, optional('redirect', leader && { id: leader.name, address: leader.address }));
  }

  #onRaft(event: RaftEvent): void {
    this.#options.observe(event);
    if (event.type === 'leaderReady') {
      if (this.isLeading) for (const listener of this.#listeners) listener.onLead();
      this.#tendMembers();
    } else if (event.type === 'roleChanged' && event.role !== 'leader') {
      for (const listener of this.#listeners) listener.onFollow();
    }
  }

  #onApplied(applied: AppliedEntry): void {
    if (applied.type === 'restored') {
      this.#founding.check();
      this.#membersChanged();
      return this.#versionChanged();
    }
    tell(applied, this.state.version, this.#options.observe);
    const { result } = applied;
    if (applied.type === 'membership') {
      this.#membersChanged();
      if (result.type !== 'refused') this.#versionChanged();
      return;
    }
    const { command } = applied;
    if (command.type === 'init' || command.type === 'member') {
      this.#founding.check();
      this.#membersChanged();
    }
    if (command.type === 'init' && result.type === 'done' && this.isLeading) for (const listener of this.#listeners) listener.onLead();
    if (command.type !== 'raise' && result.type !== 'refused') this.#versionChanged();
  }

  #versionChanged(): void {
    for (const listener of this.#listeners) listener.onVersion();
  }

  /** Deferred: streams are cut and opened, and this is the middle of applying an entry. */
  #membersChanged(): void {
    this.#options.clock.defer(() => this.transport.refresh());
  }

  /** A leader founds the cluster, keeps the member table as the members say, and promotes who has caught up. */
  #tendMembers(): void {
    if (!this.#driver.isReadyLeader) return;
    this.#founding.tend();
    if (this.state.cluster !== undefined) this.#group.tend();
  }

  #tellCheckpoint(): void {
    const latest = this.#replica.checkpoints.latest;
    if (latest !== undefined) this.transport.sendCheckpoint({ appliedIndex: latest.index, stateHash: latest.stateHash });
  }

  /** Replicas that applied the same hold the same (invariant 6). Who is alone with what it holds stops, and counts for nothing. */
  #onCheckpoint(from: NodeId, checkpoint: { readonly index: number; readonly stateHash: string }): void {
    this.#divergence.note(from, checkpoint);
    const [voters] = this.raft.voters;
    const verdict = this.#divergence.verdict(voters, (index) => this.#replica.checkpoints.at(index));
    if (verdict.type === 'alone')
      return this.#fail(new DamageError(`a majority of the voters holds another state after entry ${verdict.index} than this node`));
    if (verdict.type === 'differs' && !this.#isDivergenceTold)
      this.#options.observe({ type: 'stateDiffers', from: verdict.from, index: verdict.index });
    this.#isDivergenceTold = verdict.type === 'differs';
  }

  #fail(error: unknown): void {
    this.#options.onFatal(error);
  }
}

/** Half a heartbeat, so that a late tick costs little. */
function tickMsOf({ heartbeatMs }: { readonly heartbeatMs: number }): number {
  return Math.max(1, Math.floor(heartbeatMs / 2));
}

function ticksOf(options: { readonly heartbeatMs: number; readonly electionMinMs: number }): {
  readonly heartbeatTicks: number;
  readonly electionTicks: number;
} {
  return { heartbeatTicks: 2, electionTicks: Math.max(3, Math.ceil(options.electionMinMs / tickMsOf(options))) };
}
