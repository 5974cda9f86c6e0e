import type { Incarnation } from '../model/ids.js';
import { byId, deal, heaviestFirst, singles, type Taker } from './deal.js';
import { bySection, joined, part, type Piece, weightOf } from './pieces.js';
import type { Candidate, Move } from './view.js';

/** The heaviest and the lightest may differ by this part of an even share before a planned move is worth its pause. */
export const IMBALANCE_MAX = 0.1;
/** A plan is made better at most this often before it is carried out; mostly once is enough. */
const ROUNDS_MAX = 8;
/** Sections that make up at least this part of what one has too much go first: few moves instead of many. */
const BIG_PER_SURPLUS = 8;

export interface Board {
  /** What may move; it is where its holding says. */
  readonly pieces: readonly Piece[];
  /** What each one has besides, or is about to get. */
  readonly fixed: ReadonlyMap<Incarnation, number>;
  /** Who is to have even shares. Whoever else holds pieces is to have none of them. */
  readonly takers: readonly Candidate[];
  /** Level what is worth it only for an operator. */
  readonly isForced: boolean;
}

/** Who has which pieces. */
type Placement = ReadonlyMap<Incarnation, readonly Piece[]>;

/** A big section goes when most of it is too much (nearest), or only when all of it is (within). */
type Fit = 'nearest' | 'within';

/**
 * Which pieces should move, so that all have about the same weight; empty when it is not worth it. Without loads these are
 * as few sections as there are. Carried out as a whole it is followed by an empty plan: the last round here has found none.
 */
export function level(board: Board): readonly Move[] {
  let placement = startOf(board);
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const better = levelOnce(board, placement, 'nearest') ?? levelOnce(board, placement, 'within');
    if (better === undefined) break;
    placement = better;
  }
  return joined(
    board.takers.flatMap((to) =>
      (placement.get(to.incarnation) ?? [])
        .filter(({ holding }) => holding.holder !== to.incarnation)
        .map(({ firstSection, sectionCount }) => ({ firstSection, sectionCount, to })),
    ),
  );
}

function startOf({ pieces, takers }: Board): Placement {
  const placement = new Map<Incarnation, Piece[]>(takers.map(({ incarnation }) => [incarnation, []]));
  for (const piece of pieces) {
    const { holder } = piece.holding;
    if (holder === undefined) continue;
    const own = placement.get(holder);
    if (own === undefined) placement.set(holder, [piece]);
    else own.push(piece);
  }
  return placement;
}

/** Undefined: nothing is gained. */
function levelOnce({ takers: candidates, fixed, isForced }: Board, placement: Placement, fit: Fit): Placement | undefined {
  const weights = new Map([...placement].map(([at, pieces]) => [at, (fixed.get(at) ?? 0) + weightOf(pieces)]));
  const takers = candidates.map((to): Taker => ({ to, weight: weights.get(to.incarnation) ?? 0 }));
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const shares = sharesOf(takers, total);
  const isMisplaced = [...placement].some(([at, pieces]) => !shares.has(at) && pieces.length > 0);
  const worthMore = Math.max(1, isForced ? 0 : (total / takers.length) * IMBALANCE_MAX);
  const before = spreadOf(takers);
  if (!isMisplaced && before.spread <= worthMore) return undefined;

  const next = new Map<Incarnation, Piece[]>();
  const surplus: Piece[] = [];
  for (const [at, pieces] of placement) {
    const split = shed(pieces, (weights.get(at) ?? 0) - (shares.get(at) ?? 0), fit);
    for (const piece of split.surplus) surplus.push(piece);
    next.set(at, [...split.kept]);
    weights.set(at, (weights.get(at) ?? 0) - weightOf(split.surplus));
  }
  if (surplus.length === 0) return undefined;
  for (const taker of takers) taker.weight = weights.get(taker.to.incarnation) ?? 0;
  for (const { piece, to } of deal(surplus.sort(bySection), takers)) next.get(to.incarnation)?.push(piece);
  const after = spreadOf(takers);
  const isBetter = isMisplaced || (after.most <= before.most && before.spread - after.spread >= Math.max(1, worthMore / 2));
  return isBetter ? next : undefined;
}

/** An even share of `total` for each; what does not divide stays with those who have the most, of equals in turn by zone. */
function sharesOf(takers: readonly Taker[], total: number): ReadonlyMap<Incarnation, number> {
  const rankInZone = new Map<Taker, number>();
  const zoneSizes = new Map<string, number>();
  const inOrder = [...takers].sort(byId);
  for (const taker of inOrder) {
    const rank = zoneSizes.get(taker.to.zone) ?? 0;
    zoneSizes.set(taker.to.zone, rank + 1);
    rankInZone.set(taker, rank);
  }
  const rank = (taker: Taker): number => rankInZone.get(taker) ?? 0;
  const heaviest = inOrder.sort((one, other) => other.weight - one.weight || rank(one) - rank(other) || byId(one, other));
  const share = Math.floor(total / heaviest.length);
  return new Map(heaviest.map(({ to }, place) => [to.incarnation, share + (place < total % heaviest.length ? 1 : 0)]));
}

/** Takes a surplus from one owner's pieces: the biggest that fit, then from its end, so that the rest stays long runs. */
function shed(pieces: readonly Piece[], surplusMax: number, fit: Fit): { readonly kept: readonly Piece[]; readonly surplus: readonly Piece[] } {
  if (surplusMax <= 0) return { kept: pieces, surplus: [] };
  const isBig = ({ weight }: Piece): boolean => weight > 1 && weight * BIG_PER_SURPLUS >= surplusMax;
  const kept: Piece[] = [];
  const surplus: Piece[] = [];
  let left = surplusMax;
  const take = (piece: Piece, rest = 0): void => {
    const taken = Math.max(0, Math.min(piece.sectionCount, Math.floor(left / piece.weight + rest)));
    const stays = piece.sectionCount - taken;
    if (taken > 0) surplus.push(part(piece, { offset: stays, sectionCount: taken }));
    if (stays > 0) kept.push(part(piece, { offset: 0, sectionCount: stays }));
    left -= taken * piece.weight;
  };
  const inOrder = [...pieces].sort(bySection);
  for (const piece of inOrder.filter(isBig).flatMap(singles).sort(heaviestFirst)) take(piece, fit === 'nearest' ? 0.5 : 0);
  for (const piece of inOrder.filter((each) => !isBig(each)).toReversed()) take(piece);
  return { kept, surplus };
}

function spreadOf(takers: readonly Taker[]): { readonly most: number; readonly spread: number } {
  const weights = takers.map(({ weight }) => weight);
  const most = Math.max(...weights);
  return { most, spread: most - Math.min(...weights) };
}
