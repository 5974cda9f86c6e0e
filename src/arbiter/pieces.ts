import { toSectionId } from '../model/ids.js';
import { appendRun } from '../model/window.js';
import type { Holding, Move, SectionSpan } from './view.js';

/** Calls per second that weigh as much as a section as such: one that nobody calls must be placed too. */
export const CALLS_PER_WEIGHT = 100;
/** No section weighs more, whatever its owner says: sums of weights stay exact. */
const WEIGHT_MAX = 1_000_000;

/** Neighbouring sections of one holding that weigh the same. */
export interface Piece extends SectionSpan {
  readonly holding: Holding;
  /** Of each of its sections: a whole number, at least 1. */
  readonly weight: number;
}

/** Weights of sections that are heavier than 1, in section order. */
export type Weights = readonly (readonly [section: number, weight: number])[];

export function weightsOf(loads: Iterable<readonly [number, number]>): Weights {
  const weights: (readonly [number, number])[] = [];
  for (const [section, callsPerSecond] of loads) {
    const weight = Math.min(WEIGHT_MAX, 1 + Math.round(callsPerSecond / CALLS_PER_WEIGHT));
    if (weight > 1) weights.push([section, weight]);
  }
  return weights.sort(([one], [other]) => one - other);
}

/** The holdings, cut where the weight of a section changes. */
export function piecesOf(holdings: readonly Holding[], weights: Weights): readonly Piece[] {
  const pieces: Piece[] = [];
  let place = 0;
  for (const holding of holdings) {
    const end = holding.firstSection + holding.sectionCount;
    const add = (from: number, to: number, weight: number): void => {
      const last = pieces.at(-1);
      if (last?.holding === holding && last.weight === weight) pieces[pieces.length - 1] = { ...last, sectionCount: last.sectionCount + to - from };
      else if (to > from) pieces.push({ holding, firstSection: toSectionId(from), sectionCount: to - from, weight });
    };
    let next: number = holding.firstSection;
    for (; ; place += 1) {
      const [section, weight] = weights[place] ?? [Number.POSITIVE_INFINITY, 1];
      if (section >= end) break;
      if (section < next) continue;
      add(next, section, 1);
      add(section, section + 1, weight);
      next = section + 1;
    }
    add(next, end, 1);
  }
  return pieces;
}

export function weightOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { sectionCount, weight }) => sum + sectionCount * weight, 0);
}

/** `sectionCount` of its sections, from `offset` on. */
export function part(piece: Piece, { offset, sectionCount }: { offset: number; sectionCount: number }): Piece {
  if (sectionCount === piece.sectionCount) return piece;
  return { holding: piece.holding, weight: piece.weight, firstSection: toSectionId(piece.firstSection + offset), sectionCount };
}

/** In section order; neighbours that go to the same run are one move, so that the table stays short. */
export function joined(moves: readonly Move[]): readonly Move[] {
  const runs: Move[] = [];
  for (const move of [...moves].sort(bySection)) appendRun(runs, move, (one, other) => one.to.incarnation === other.to.incarnation);
  return runs;
}

/** The first `sectionCountMax` sections of them. */
export function bounded<Span extends SectionSpan>(spans: readonly Span[], sectionCountMax: number): readonly Span[] {
  const first: Span[] = [];
  let left = sectionCountMax;
  for (const span of spans) {
    if (left < 1) break;
    first.push(span.sectionCount <= left ? span : { ...span, sectionCount: left });
    left -= span.sectionCount;
  }
  return first;
}

export function bySection(one: SectionSpan, other: SectionSpan): number {
  return one.firstSection - other.firstSection;
}
