import type { AllocId, Incarnation } from '../model/ids.js';
import { type Brake, brakeOf } from './brake.js';
import { type Dealt, deal, type Taker } from './deal.js';
import { level } from './level.js';
import { bounded, bySection, joined, type Piece, weightOf } from './pieces.js';
import { REASONS, withNames } from './reasons.js';
import { hasMoves, isOrphan, type Situation, Survey, takersIn } from './situation.js';
import { idleOnesLast, successorsOf } from './standby.js';
import { type Move, NO_PLAN, type Plan, type SectionSpan, sectionsIn } from './view.js';

/** A plan that takes sections from runs that are over: they must not renew while it is decided. */
export interface Takeover extends Plan {
  readonly from: ReadonlySet<Incarnation>;
}

const NOTHING: Batch = { ...NO_PLAN, isPart: false };

type Cause = 'reportedDead' | 'leaseOver' | 'formerRuns' | 'noOwner';

interface Orphan {
  readonly piece: Piece;
  readonly cause: Cause;
}

/**
 * Who takes the sections that nobody can serve: whatever has no owner, or one whose lease is surely over, or that is dead.
 * Sections with a living owner do not move. What an owner gave back with its counters goes back to it when it lives: then
 * a clean restart of everything jumps nobody.
 */
export function planAssignment(situation: Situation): Takeover {
  const none = { ...NO_PLAN, from: new Set<Incarnation>() };
  if (!situation.view.holdings.some((holding) => isOrphan(situation, holding))) return none;
  const survey = new Survey(situation);
  const brake = brakeOf(situation);
  const orphans = orphansOf(situation, survey).filter((orphan) => !isWithheld(situation, brake, orphan));
  const takers = survey.takers(takersIn(situation));
  const { heirs, others } = toHeirs(orphans, takers);
  const dealt = [...heirs, ...dealToSuccessors(situation, others, takers)];
  if (dealt.length === 0) return none;
  const from = new Set(dealt.flatMap(({ piece }) => piece.holding.holder ?? []));
  return { ...planOf(dealt, assignmentReason(situation, orphans, dealt)), from };
}

/**
 * Planned moves that come to nothing, because whom they go to is lost: their living owners keep them. `isStuck`: none of
 * those under way gets on, so all are called off.
 */
export function planCancel(situation: Situation, { isStuck }: { readonly isStuck: boolean }): Plan {
  if (!hasMoves(situation.view)) return NO_PLAN;
  const owners = new Map(takersIn(situation).map((owner) => [owner.incarnation, owner]));
  const survey = new Survey(situation);
  const dealt = survey.pieces.flatMap((piece): readonly Dealt[] => {
    const { holder, next } = piece.holding;
    const to = holder === undefined || next === undefined ? undefined : owners.get(holder);
    return to === undefined || (survey.isMoving(piece.holding) && !isStuck) ? [] : [{ piece, to }];
  });
  return planOf(dealt, `${REASONS.calledOff}: ${isStuck ? 'planned moves do not get on' : 'whom the sections were to go to is lost'}`);
}

/** A plan for as many sections as may be on their way together; `isPart`: there is more to move. */
export interface Batch extends Plan {
  readonly isPart: boolean;
}

/** What an AllocSvr that is about to stop still has, to the others. */
export function planDrain(situation: Situation): Batch {
  const { view, living } = situation;
  const leaving = new Set(view.draining.map(({ incarnation }) => incarnation).filter((incarnation) => living.has(incarnation)));
  const takers = idleOnesLast(situation);
  if (leaving.size === 0 || takers.length === 0) return NOTHING;
  const survey = new Survey(situation);
  const pieces = survey.pieces.filter(({ holding }) => holding.holder !== undefined && leaving.has(holding.holder) && !survey.isMoving(holding));
  // Cut first, so that every batch is spread over all takers.
  const { batch, isPart } = batchOf(pieces, situation, survey);
  const dealt = deal(batch, survey.takers(takers));
  return { ...planOf(dealt, withNames(REASONS.draining, ownersOf(dealt))), isPart };
}

/** What makes the living level. Nothing, when it is not worth it or when a section has no living owner. */
export function planRebalance(situation: Situation): Batch {
  const survey = new Survey(situation);
  const { batch, isPart } = batchOf(planLevel(situation, survey, false), situation, survey);
  return { moves: batch, reason: batch.length === 0 ? '' : REASONS.spread, isPart };
}

/** All that makes the living level for an operator: small differences count, and standbys give back what they took over. */
export function planLevelling(situation: Situation): readonly Move[] {
  return planLevel(situation, new Survey(situation), true);
}

/** The first part of it that may be on its way now; none while more than half of what may be still is, so that batches are few. */
export function batchOf<Span extends SectionSpan>(
  spans: readonly Span[],
  { view: { policy } }: Situation,
  { movingCount }: Survey,
): { readonly batch: readonly Span[]; readonly isPart: boolean } {
  const room = policy.movesInFlightMax - movingCount;
  const isRoomy = room * 2 >= policy.movesInFlightMax;
  return { batch: isRoomy ? bounded(spans, room) : [], isPart: sectionsIn(spans) > (isRoomy ? room : 0) };
}

function planLevel(situation: Situation, survey: Survey, isForced: boolean): readonly Move[] {
  const { view, living } = situation;
  // Nothing goes back from a standby by itself: one switch is enough (article, "Disaster 1.0").
  if (view.policy.placement === 'primary-standby' && !isForced) return [];
  const isServed = view.holdings.every(({ holder }) => holder !== undefined && living.has(holder));
  const takers = idleOnesLast(situation);
  if (takers.length === 0 || (!isForced && !isServed)) return [];
  const joinedIn = new Set(takersIn(situation).map(({ incarnation }) => incarnation));
  const pieces = survey.pieces.filter(({ holding }) => holding.holder !== undefined && joinedIn.has(holding.holder) && !survey.isMoving(holding));
  const fixed = new Map(survey.takers(takers).map(({ to, weight }) => [to.incarnation, weight]));
  for (const { holding, sectionCount, weight } of pieces) {
    const all = holding.holder === undefined ? undefined : fixed.get(holding.holder);
    if (holding.holder !== undefined && all !== undefined) fixed.set(holding.holder, all - sectionCount * weight);
  }
  return level({ pieces, fixed, takers, isForced });
}

function orphansOf({ view, expired }: Situation, { pieces }: Survey): readonly Orphan[] {
  const newest = new Set([...view.allocs, ...view.draining].map(({ incarnation }) => incarnation));
  return pieces.flatMap((piece): readonly Orphan[] => {
    const { holder } = piece.holding;
    if (holder === undefined) return [{ piece, cause: 'noOwner' }];
    if (!expired.has(holder)) return [];
    if (view.dead.has(holder)) return [{ piece, cause: 'reportedDead' }];
    return [{ piece, cause: newest.has(holder) ? 'leaseOver' : 'formerRuns' }];
  });
}

/**
 * The brake takes nothing from the silent, who may come back. What has no owner, a dead one, or one that its own successor
 * has replaced, nobody comes back to.
 */
function isWithheld({ view, living, isSettled, awaitsHeirs }: Situation, brake: Brake | undefined, { piece: { holding }, cause }: Orphan): boolean {
  if (cause !== 'noOwner') return cause === 'leaseOver' && brake !== undefined;
  const { heir } = holding;
  if (heir === undefined) return !isSettled;
  if (!awaitsHeirs || view.allocs.some(({ id, incarnation }) => id === heir && living.has(incarnation))) return false;
  // While it still gives other sections away it can hand over the counters of these too.
  const leaving = view.draining.find(({ id, incarnation }) => id === heir && living.has(incarnation));
  return leaving === undefined || !view.holdings.some(({ holder }) => holder === leaving.incarnation);
}

function toHeirs(orphans: readonly Orphan[], takers: readonly Taker[]): { readonly heirs: readonly Dealt[]; readonly others: readonly Piece[] } {
  const takerOf = new Map(takers.map((taker) => [taker.to.id, taker]));
  const heirs: Dealt[] = [];
  const others: Piece[] = [];
  for (const { piece } of orphans) {
    const taker = piece.holding.heir === undefined ? undefined : takerOf.get(piece.holding.heir);
    if (taker === undefined) {
      others.push(piece);
      continue;
    }
    taker.weight += weightOf([piece]);
    heirs.push({ piece, to: taker.to });
  }
  return { heirs, others };
}

/** Each owner's pieces to those who may take them over; owners with the same successors are dealt out together. */
function dealToSuccessors(situation: Situation, pieces: readonly Piece[], takers: readonly Taker[]): readonly Dealt[] {
  const takerOf = new Map(takers.map((taker) => [taker.to.id, taker]));
  const groups = new Map<string, { readonly takers: readonly Taker[]; readonly pieces: Piece[] }>();
  const groupOf = (owner: AllocId | undefined): { readonly pieces: Piece[] } => {
    const successors = successorsOf(situation, owner);
    const key = successors.map(({ id }) => id).join();
    const group = groups.get(key) ?? { takers: successors.flatMap(({ id }) => takerOf.get(id) ?? []), pieces: [] };
    groups.set(key, group);
    return group;
  };
  const byOwner = new Map<AllocId | undefined, { readonly pieces: Piece[] }>();
  for (const piece of pieces) {
    const { holderId: owner } = piece.holding;
    const group = byOwner.get(owner) ?? groupOf(owner);
    byOwner.set(owner, group);
    group.pieces.push(piece);
  }
  return [...groups.values()].flatMap((group) => (group.takers.length === 0 ? [] : deal(group.pieces, group.takers)));
}

function assignmentReason({ view }: Situation, orphans: readonly Orphan[], dealt: readonly Dealt[]): string {
  const given = new Set(dealt.map(({ piece }) => piece.holding));
  const ownersFor = (wanted: Cause): AllocId[] =>
    orphans.flatMap(({ piece: { holding }, cause }) => (cause === wanted && given.has(holding) ? (holding.holderId ?? []) : []));
  const hasCause = (wanted: Cause): boolean => orphans.some(({ piece, cause }) => cause === wanted && given.has(piece.holding));
  const causes = (['reportedDead', 'leaseOver', 'formerRuns', 'noOwner'] as const).filter(hasCause);
  const { standbys } = view.policy;
  // Its own sections are nothing that it takes over.
  const takingOver = dealt.filter(
    ({ piece: { holding }, to }) => standbys.includes(to.id) && holding.holderId !== undefined && holding.holderId !== to.id,
  );
  const named = causes.map((cause) => (cause === 'formerRuns' ? REASONS[cause] : withNames(REASONS[cause], ownersFor(cause))));
  const standby = takingOver.length === 0 ? [] : [withNames(REASONS.standbyTakesOver, idsOf(takingOver))];
  return [...standby, ...named].join('; ');
}

function planOf(dealt: readonly Dealt[], reason: string): Plan {
  if (dealt.length === 0) return NO_PLAN;
  const moves = [...dealt].sort((one, other) => bySection(one.piece, other.piece));
  return { moves: joined(moves.map(({ piece: { firstSection, sectionCount }, to }) => ({ firstSection, sectionCount, to }))), reason };
}

function ownersOf(dealt: readonly Dealt[]): readonly AllocId[] {
  return dealt.flatMap(({ piece }) => piece.holding.holderId ?? []);
}

function idsOf(dealt: readonly Dealt[]): readonly AllocId[] {
  return dealt.map(({ to }) => to.id);
}
