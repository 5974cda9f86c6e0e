import type { Clock } from '../base/clock.js';
import { SeqError, show } from '../base/errors.js';
import { parseAllocId } from '../model/ids.js';
import { checkElection, checkLeaseTerms } from '../model/lease.js';
import { collectRuns } from '../model/window.js';
import { leaseTermsToWire, numberFromWire, policyFromWire, policyToWire, setMapFromWire, setMapToWire, versionToWire } from '../rpc/codec.js';
import type { AuditRecord } from '../rpc/gen/seqsvr/v1/log.js';
import * as wire from '../rpc/gen/seqsvr/v1/placement.js';
import type { Handlers, Service } from '../rpc/server.js';
import type { Command, Motive } from './command.js';
import type { LeaseAuthority } from './lease-authority.js';
import type { StoreNode } from './node.js';
import type { PlacementPort, PlannedMove } from './placement-port.js';
import type { Cluster, Section } from './state.js';

const HISTORY_DEFAULT = 50;
const HISTORY_MAX = 500;
const REASON_MAX = 200;

export interface PlacementParts {
  readonly node: StoreNode;
  readonly authority: Pick<LeaseAuthority, 'heardMsAgo'>;
  readonly placement: PlacementPort;
  readonly handlers: Handlers;
  readonly clock: Clock;
  /** The longest election timeout of this node, in ms: a lease must outlast two of them. */
  readonly electionMaxMs: number;
}

/**
 * What operators ask about sections, AllocSvrs and sets: parse, decide or look, answer. Only the leader does, and it looks only after a quorum
 * has confirmed it: one that is paused or cut off may be none any more, and the map of sets is changed on top of what was read.
 */
export function placementService(parts: PlacementParts): Service {
  const { handlers } = parts;
  const desk = new Desk(parts);
  return {
    definition: wire.PlacementServiceService,
    implementation: {
      getArbiter: handlers.unary<wire.GetArbiterRequest, wire.GetArbiterResponse>(() => desk.arbiter()),
      getHistory: handlers.unary<wire.GetHistoryRequest, wire.GetHistoryResponse>((request) => desk.history(request)),
      listSections: handlers.unary<wire.ListSectionsRequest, wire.ListSectionsResponse>((request) => desk.sections(request)),
      moveSections: handlers.unary<wire.MoveSectionsRequest, wire.MoveSectionsResponse>((request) => desk.move(request)),
      rebalance: handlers.unary<wire.RebalanceRequest, wire.RebalanceResponse>((request) => desk.rebalance(request)),
      setPolicy: handlers.unary<wire.SetPolicyRequest, wire.SetPolicyResponse>((request) => desk.setPolicy(request)),
      setLease: handlers.unary<wire.SetLeaseRequest, wire.SetLeaseResponse>((request) => desk.setLease(request)),
      drainAlloc: handlers.unary<wire.DrainAllocRequest, wire.DrainAllocResponse>((request) => desk.drain(request)),
      removeAlloc: handlers.unary<wire.RemoveAllocRequest, wire.RemoveAllocResponse>((request) => desk.remove(request)),
      getSets: handlers.unary<wire.GetSetsRequest, wire.GetSetsResponse>(() => desk.sets()),
      setSets: handlers.unary<wire.SetSetsRequest, wire.SetSetsResponse>((request) => desk.setSets(request)),
    },
  };
}

class Desk {
  readonly #parts: PlacementParts;

  constructor(parts: PlacementParts) {
    this.#parts = parts;
  }

  async arbiter(): Promise<wire.GetArbiterResponse> {
    const { node, placement, authority } = this.#parts;
    await node.confirmLeadership();
    const { lease, waitMs, policy } = this.#cluster;
    const { sections, allocs } = node.state;
    const held = new Map<string, number>();
    for (const { owner } of sections) if (owner !== undefined) held.set(owner.incarnation, (held.get(owner.incarnation) ?? 0) + 1);
    return {
      term: BigInt(node.raft.term),
      policy: policyToWire(policy),
      lease: leaseTermsToWire(lease, waitMs),
      heldBackBy: placement.heldBy ?? '',
      unassignedCount: sections.filter(({ owner }) => owner === undefined).length,
      movingCount: sections.filter(({ next }) => next !== undefined).length,
      plan: placement.plan().map((move) => this.#moveToWire(move)),
      allocs: allocs.map(({ id, address, zone, state, incarnation }) => ({
        id,
        address,
        zone,
        state,
        incarnation,
        sectionCount: held.get(incarnation) ?? 0,
        heardMsAgo: BigInt(Math.round(authority.heardMsAgo(incarnation) ?? -1)),
        waitLeftMs: Math.round(placement.waitLeftMs(incarnation)),
        callsPerSecond: Math.round(placement.callsPerSecond(incarnation)),
      })),
    };
  }

  async history({ limit }: wire.GetHistoryRequest): Promise<wire.GetHistoryResponse> {
    const count = limit === 0 ? HISTORY_DEFAULT : limit;
    if (count > HISTORY_MAX) throw invalid(`limit must be at most ${HISTORY_MAX}, got ${limit}`);
    await this.#parts.node.confirmLeadership();
    const records = this.#parts.node.state.audit.slice(-count).map(
      ({ number, atMs, term, kind, reason, sectionCount, version }): AuditRecord => ({
        number: BigInt(number),
        atUnixMs: BigInt(Math.floor(atMs)),
        term: BigInt(term),
        kind,
        reason,
        sectionCount,
        version: versionToWire(version),
      }),
    );
    return { records };
  }

  async sections({ allocId }: wire.ListSectionsRequest): Promise<wire.ListSectionsResponse> {
    await this.#parts.node.confirmLeadership();
    const { state } = this.#parts.node;
    const { version, geometry } = this.#cluster;
    if (allocId !== '' && state.alloc(parseAllocId(allocId)) === undefined) throw invalid(`there is no AllocSvr ${show(allocId)}`);
    const { sections } = state;
    const runs = collectRuns({
      count: sections.length,
      isAlike: (one, other) => isAlike(sections[one], sections[other]),
      make: (first, count) => ({ first, count, section: sections[first] }),
    });
    return {
      version: versionToWire(version),
      geometry,
      sections: runs.flatMap(({ first, count, section }) =>
        section === undefined || (allocId !== '' && section.owner?.allocId !== allocId) ? [] : [viewOf(section, first, count)],
      ),
    };
  }

  async move({ firstSection, sectionCount, toAllocId, isDryRun, reason }: wire.MoveSectionsRequest): Promise<wire.MoveSectionsResponse> {
    const { node, placement } = this.#parts;
    node.requireLeading();
    const run = { firstSection, sectionCount };
    const moves = await placement.move(run, parseAllocId(toAllocId), { isDryRun, reason: this.#motive(reason).reason });
    return { moves: moves.map((move) => this.#moveToWire(move)) };
  }

  async rebalance({ isDryRun, reason }: wire.RebalanceRequest): Promise<wire.RebalanceResponse> {
    const { node, placement } = this.#parts;
    node.requireLeading();
    const moves = await placement.rebalance({ isDryRun, reason: this.#motive(reason).reason });
    return { moves: moves.map((move) => this.#moveToWire(move)) };
  }

  async setPolicy({ policy, reason }: wire.SetPolicyRequest): Promise<wire.SetPolicyResponse> {
    this.#parts.node.requireLeading();
    const parsed = policyFromWire(policy);
    for (const id of parsed.standbys)
      if (this.#parts.node.state.alloc(id) === undefined) throw invalid(`standby ${id} is not registered in this set`);
    await this.#propose({ type: 'setPolicy', policy: parsed, ...this.#motive(reason) });
    return { policy: policyToWire(this.#cluster.policy) };
  }

  async setLease({ lease, reason }: wire.SetLeaseRequest): Promise<wire.SetLeaseResponse> {
    this.#parts.node.requireLeading();
    if (lease === undefined) throw invalid('a lease is missing');
    const { leaseMs, driftPpm, marginMs } = lease;
    const terms = { leaseMs, driftPpm, marginMs };
    checkLeaseTerms(terms);
    checkElection({ leaseMs, electionMaxMs: this.#parts.electionMaxMs });
    await this.#propose({ type: 'setLease', lease: terms, ...this.#motive(reason) });
    const { lease: committed, waitMs } = this.#cluster;
    return { lease: leaseTermsToWire(committed, waitMs) };
  }

  async drain({ allocId, isOver, reason }: wire.DrainAllocRequest): Promise<wire.DrainAllocResponse> {
    const { node } = this.#parts;
    node.requireLeading();
    const { state } = node;
    const id = parseAllocId(allocId);
    const alloc = state.alloc(id);
    if (alloc === undefined) throw invalid(`there is no AllocSvr ${show(allocId)}`);
    const motive = this.#motive(reason);
    await this.#propose(
      isOver ? { type: 'resume', allocId: id, ...motive } : { type: 'drain', allocId: id, incarnation: alloc.incarnation, ...motive },
    );
    return {};
  }

  async remove({ allocId, reason }: wire.RemoveAllocRequest): Promise<wire.RemoveAllocResponse> {
    this.#parts.node.requireLeading();
    await this.#propose({ type: 'removeAlloc', allocId: parseAllocId(allocId), ...this.#motive(reason) });
    return {};
  }

  async sets(): Promise<wire.GetSetsResponse> {
    await this.#parts.node.confirmLeadership();
    return { sets: setMapToWire(this.#cluster.sets) };
  }

  async setSets({ basedOn, sets, isCopy, reason }: wire.SetSetsRequest): Promise<wire.SetSetsResponse> {
    this.#parts.node.requireLeading();
    await this.#propose({
      type: 'setSets',
      basedOn: numberFromWire(basedOn, 'based_on'),
      sets: setMapFromWire(sets),
      isCopy,
      ...this.#motive(reason),
    });
    return { sets: setMapToWire(this.#cluster.sets) };
  }

  get #cluster(): Cluster {
    const { node } = this.#parts;
    node.requireLeading();
    const { cluster } = node.state;
    if (cluster === undefined) throw new SeqError('UNAVAILABLE', 'the cluster is not initialised yet', { definite: true });
    return cluster;
  }

  #moveToWire({ firstSection, sectionCount, toAllocId, reason }: PlannedMove): wire.PlannedMove {
    const from = this.#parts.node.state.sections[firstSection]?.owner?.allocId ?? '';
    return { firstSection, sectionCount, fromAllocId: from, toAllocId, reason };
  }

  #motive(reason: string): Motive {
    if (reason.length > REASON_MAX) throw invalid(`a reason has at most ${REASON_MAX} characters, got ${reason.length}`);
    return { reason, atMs: this.#parts.clock.wallMs() };
  }

  async #propose(command: Command): Promise<void> {
    const { node } = this.#parts;
    node.requireLeading();
    const { result } = await node.propose(command);
    if (result.type === 'refused') throw new SeqError(result.code, result.why, { definite: true });
  }
}

function isAlike(one: Section | undefined, other: Section | undefined): boolean {
  return (
    one === other ||
    (one?.owner?.incarnation === other?.owner?.incarnation &&
      one?.epoch === other?.epoch &&
      one?.base === other?.base &&
      one?.maxSeq === other?.maxSeq &&
      one?.next?.incarnation === other?.next?.incarnation)
  );
}

function viewOf({ owner, epoch, base, maxSeq, next }: Section, firstSection: number, sectionCount: number): wire.SectionView {
  return { firstSection, sectionCount, allocId: owner?.allocId ?? '', epoch: BigInt(epoch), base, maxSeq, nextAllocId: next?.allocId ?? '' };
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
