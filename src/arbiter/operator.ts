import { SeqError } from '../base/errors.js';
import { type AllocId, type Incarnation, toSectionId } from '../model/ids.js';
import { joined } from './pieces.js';
import { batchOf, planLevelling } from './plan.js';
import { REASONS } from './reasons.js';
import { isOrphan, type Situation, Survey, takersIn } from './situation.js';
import type { Candidate, Holding, Move, SectionSpan } from './view.js';

/** A run of sections, as an operator names it. */
export interface SectionRun {
  readonly firstSection: number;
  readonly sectionCount: number;
}

/** What an operator asked for, in parts: first what nobody serves, then what its owners hand over. */
export interface OperatorStep {
  readonly kind: 'assign' | 'planMove';
  /** None: it has to wait, or is through. */
  readonly moves: readonly Move[];
  /** Runs that it takes sections from without their help. */
  readonly from: ReadonlySet<Incarnation>;
  /** There is more to come. */
  readonly isPart: boolean;
}

/** What an operator may ask for. `next` throws a SeqError when it is not to be had, or no longer. */
export interface Wish {
  /** For the audit trail, after `operator`. */
  readonly reason: string;
  /** No moves and no further part: it is fulfilled. */
  next(situation: Situation): OperatorStep;
  /** All that is left to do, as if any number could be on their way. */
  all(situation: Situation): readonly Move[];
}

/**
 * These sections to one AllocSvr. Throws INVALID_ARGUMENT, with the value and the rule, for sections outside the set, a target
 * that gets none, or one that has them all; UNAVAILABLE for an owner or a target that is silent.
 */
export function wishToMove(run: SectionRun, toId: AllocId, reason: string): Wish {
  let isBegun = false;
  const planned = (situation: Situation) => {
    const to = targetIn(situation, toId);
    const wanted = holdingsIn(situation, run).filter((holding) => !isAt(holding, to));
    // A second look at a move that is through finds everything there.
    if (wanted.length === 0 && !isBegun) throw invalid(`sections ${show(run)} are with ${toId} already`);
    return { to, wanted };
  };
  return {
    reason: reason === '' ? `sections ${show(run)} to ${toId}` : reason,
    next(situation) {
      const { to, wanted } = planned(situation);
      isBegun = true;
      const orphans = wanted.filter((holding) => isOrphan(situation, holding));
      if (orphans.length > 0) {
        const from = new Set(orphans.flatMap(({ holder }) => holder ?? []));
        return { kind: 'assign', moves: joined(movesTo(to, orphans)), from, isPart: true };
      }
      requireLiving(situation, wanted);
      return partOf(movesTo(to, wanted), situation);
    },
    all(situation) {
      const { to, wanted } = planned(situation);
      requireLiving(
        situation,
        wanted.filter((holding) => !isOrphan(situation, holding)),
      );
      return joined(movesTo(to, wanted));
    },
  };
}

/**
 * Everybody level, however little is out of it; under `primary-standby` the standbys give back what they took over. What
 * is moved is fixed at the first look: loads change all the time, and this must come to an end.
 */
export function wishToLevel(reason: string): Wish {
  let plan: readonly Move[] | undefined;
  return {
    reason: reason === '' ? REASONS.spread : reason,
    next(situation) {
      plan ??= planLevelling(situation);
      const { living } = situation;
      const takers = new Set(takersIn(situation).map(({ incarnation }) => incarnation));
      const moves = plan
        .filter(({ to }) => takers.has(to.incarnation))
        .flatMap((move) => {
          const held = holdingsIn(situation, move).filter((holding) => !isAt(holding, move.to));
          return movesTo(
            move.to,
            held.filter(({ holder }) => holder !== undefined && living.has(holder)),
          );
        });
      return partOf(moves, situation);
    },
    all: planLevelling,
  };
}

function partOf(moves: readonly Move[], situation: Situation): OperatorStep {
  const { batch, isPart } = batchOf(moves, situation, new Survey(situation));
  return { kind: 'planMove', moves: joined(batch), from: new Set(), isPart };
}

function targetIn({ view, living }: Situation, id: AllocId): Candidate {
  const to = view.allocs.find((candidate) => candidate.id === id);
  if (to === undefined) {
    if (view.draining.some((candidate) => candidate.id === id)) throw invalid(`AllocSvr ${id} is draining: it gets no sections`);
    const names = view.allocs.map((candidate) => candidate.id).join(', ');
    throw invalid(`no AllocSvr ${id} may have sections; there are ${names === '' ? 'none' : names}`);
  }
  if (!living.has(to.incarnation)) throw unavailable(`AllocSvr ${id} was not heard of within its lease: it could not serve them`);
  return to;
}

/** What is held within the run, cut at its ends. */
function holdingsIn({ view }: Situation, run: SectionRun): readonly Holding[] {
  const last = view.holdings.at(-1);
  const count = last === undefined ? 0 : last.firstSection + last.sectionCount;
  const { firstSection, sectionCount } = run;
  const end = firstSection + sectionCount;
  if (!Number.isSafeInteger(firstSection) || !Number.isSafeInteger(sectionCount) || firstSection < 0 || sectionCount < 1 || end > count)
    throw invalid(`sections ${show(run)} are not all of this set, which has 0..${count - 1}`);
  return view.holdings.flatMap((holding): readonly Holding[] => {
    const from = Math.max(firstSection, holding.firstSection);
    const till = Math.min(end, holding.firstSection + holding.sectionCount);
    return from >= till ? [] : [{ ...holding, firstSection: toSectionId(from), sectionCount: till - from }];
  });
}

/** It has them and keeps them, or is about to get them. */
function isAt({ holder, next }: Holding, to: Candidate): boolean {
  return next === undefined ? holder === to.incarnation : next === to.incarnation;
}

function requireLiving({ living }: Situation, holdings: readonly Holding[]): void {
  const silent = holdings.find(({ holder }) => holder !== undefined && !living.has(holder));
  if (silent === undefined) return;
  throw unavailable(`section ${silent.firstSection} is with ${silent.holderId}, which is silent, and its lease is not surely over; ask again`);
}

function movesTo(to: Candidate, spans: readonly SectionSpan[]): readonly Move[] {
  return spans.map(({ firstSection, sectionCount }) => ({ firstSection, sectionCount, to }));
}

function show({ firstSection, sectionCount }: SectionRun): string {
  return `${firstSection}..${firstSection + sectionCount - 1}`;
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}

function unavailable(message: string): SeqError {
  return new SeqError('UNAVAILABLE', message, { definite: true, retryAfterMs: 500 });
}
