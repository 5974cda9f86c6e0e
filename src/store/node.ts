import { every, type Clock } from '../base/clock.js';
import { optional, SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import { sectionCountOf } from '../model/geometry.js';
import { showVersion } from '../model/version.js';
import { type Applied, RaftDriver } from '../raft/driver.js';
import type { RaftEvent } from '../raft/ports.js';
import { type Command, encodeCommand } from './command.js';
import type { Identity } from './data-dir.js';
import type { StoreEvent } from './events.js';
import type { Opened } from './level-storage.js';
import { type Bootstrap, type ConfiguredMember, Membership } from './membership.js';
import { PeerTransport } from './peer-transport.js';
import { type AppliedCommand, Replica } from './replica.js';
import type { StoreState } from './state.js';
import type { Result } from './state-machine.js';

/** How often the leader looks whether the cluster is to be founded or a member has moved, in ms. */
const MEMBER_CHECK_EVERY_MS = 1_000;

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
  readonly members: readonly ConfiguredMember[];
  readonly bootstrap: Bootstrap;
  readonly heartbeatMs: number;
  /** Shortest election timeout, in ms; the longest is twice as long. */
  readonly electionMinMs: number;
  readonly opened: Opened;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<StoreEvent>;
  readonly onFatal: (error: unknown) => void;
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
  readonly #options: StoreNodeOptions;
  readonly #replica: Replica;
  readonly #driver: RaftDriver<Result>;
  readonly #membership: Membership;
  readonly #listeners = new Set<StoreNodeListener>();
  #cancelMemberCheck: () => void = () => undefined;

  constructor(options: StoreNodeOptions) {
    this.#options = options;
    this.identity = options.identity;
    const { identity, members, opened, clock, random, observe } = options;
    this.#replica = new Replica(opened.state, (applied) => this.#onApplied(applied));
    this.transport = new PeerTransport({
      identity,
      peers: members.filter(({ id }) => id !== identity.nodeId),
      knownUuid: (id) => this.state.member(id)?.nodeUuid,
      receive: (message) => this.#driver.receive(message),
      onHello: () => this.#tendMembers(),
      clock,
      random,
      observe,
    });
    this.#driver = new RaftDriver<Result>({
      raft: { id: identity.nodeId, voters: members.map(({ id }) => id), ...ticksOf(options), ...RAFT_LIMITS, random },
      tickMs: tickMsOf(options),
      hardState: opened.hardState,
      appliedIndex: opened.appliedIndex,
      storage: opened.storage,
      transport: this.transport,
      machine: this.#replica,
      clock,
      observe: (event) => this.#onRaft(event),
      onFatal: options.onFatal,
    });
    this.#membership = new Membership({
      identity,
      members,
      bootstrap: options.bootstrap,
      electionMaxMs: options.electionMinMs * 2,
      clock,
      state: () => this.state,
      uuidOf: (id) => this.transport.uuidOf(id),
      propose: (command) => this.propose(command),
      observe,
      onFatal: options.onFatal,
    });
  }

  start(): void {
    this.#membership.check();
    this.transport.start();
    this.#driver.start();
    this.#cancelMemberCheck = every(this.#options.clock, MEMBER_CHECK_EVERY_MS, () => this.#tendMembers());
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

  /** For status and tools; never write to it. */
  get raft() {
    return this.#driver.core;
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
      await this.#driver.readIndex();
    } catch (error) {
      throw SeqError.is(error, 'NOT_LEADER') ? this.#notLeader() : error;
    }
  }

  #notLeader(): SeqError {
    const { leaderId } = this.#driver.core;
    const leader = leaderId === this.identity.nodeId ? undefined : this.#options.members.find(({ id }) => id === leaderId);
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

  #onApplied({ command, result }: AppliedCommand): void {
    this.#tell(command, result);
    if (command.type === 'init' || command.type === 'member') this.#membership.check();
    if (command.type === 'init' && result.type === 'done' && this.isLeading) for (const listener of this.#listeners) listener.onLead();
    if (command.type !== 'raise' && result.type !== 'refused') for (const listener of this.#listeners) listener.onVersion();
  }

  /** A leader founds the cluster, and keeps the member table as configured. */
  #tendMembers(): void {
    if (this.#driver.isReadyLeader) this.#membership.tend();
  }

  #tell(command: Command, result: Result): void {
    const { observe } = this.#options;
    if (result.type === 'refused') return observe({ type: 'commandRefused', command: command.type, code: result.code, why: result.why });
    const version = showVersion(this.state.version);
    if (command.type === 'init') observe({ type: 'initialised', clusterId: command.clusterId, sectionCount: sectionCountOf(command.geometry) });
    if (command.type === 'register')
      observe({ type: 'allocRegistered', allocId: command.allocId, incarnation: command.incarnation, address: command.address });
    if (command.type === 'assign' && result.type === 'decided')
      observe({ type: 'sectionsAssigned', sectionCount: result.sectionCount, reason: command.reason, version });
    if (command.type === 'planMove' && result.type === 'decided')
      observe({ type: 'movePlanned', sectionCount: result.sectionCount, reason: command.reason, version });
    if (command.type === 'member') observe({ type: 'memberKnown', nodeId: command.id, nodeUuid: command.nodeUuid, peerAddress: command.peerAddress });
    if (command.type === 'drain') observe({ type: 'allocDraining', allocId: command.allocId, incarnation: command.incarnation });
    if (command.type === 'release' && result.type === 'released') {
      observe({ type: 'sectionsReleased', allocId: command.allocId, releasedCount: result.releasedCount, refusedCount: result.refusedCount });
    }
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
