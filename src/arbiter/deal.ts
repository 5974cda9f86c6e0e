import { assert } from '../base/assert.js';
import { part, type Piece, weightOf } from './pieces.js';
import type { Candidate } from './view.js';

/** One who may be given sections, and the weight of what it has or is about to get. */
export interface Taker {
  readonly to: Candidate;
  weight: number;
}

/** Sections of one piece, and who gets them. */
export interface Dealt {
  readonly piece: Piece;
  readonly to: Candidate;
}

/** A section that is heavier than an even share divided by this is placed by itself, before all others. */
const HEAVY_PER_SHARE = 8;

/**
 * Deals pieces out, so that all are as level as they can be: who has least gets most, and of equals the one whose zone has
 * least. So the share of a zone follows the number of its takers. In runs as long as can be. The takers' weights grow.
 */
export function deal(pieces: readonly Piece[], takers: readonly Taker[]): readonly Dealt[] {
  assert(takers.length > 0, 'somebody takes what is dealt');
  const share = (weightOf(pieces) + takers.reduce((sum, { weight }) => sum + weight, 0)) / takers.length;
  const isHeavy = ({ weight }: Piece): boolean => weight > 1 && weight * HEAVY_PER_SHARE >= share;
  const heavy = pieces.filter(isHeavy).flatMap(singles).sort(heaviestFirst);
  const light = pieces.filter((piece) => !isHeavy(piece));
  return [...dealHeavy(heavy, takers), ...dealLight(light, takers)];
}

/** The heaviest first, each to whoever has least then. */
function dealHeavy(sections: readonly Piece[], takers: readonly Taker[]): readonly Dealt[] {
  const zones = new Zones(takers);
  return sections.map((piece) => {
    const taker = takers.reduce((best, other) => (zones.compare(other, best) < 0 ? other : best));
    taker.weight += piece.weight;
    zones.add(taker.to.zone, piece.weight);
    return { piece, to: taker.to };
  });
}

/** In section order, each taker until its quota is full: a section goes where its middle falls, so errors do not add up. */
function dealLight(pieces: readonly Piece[], takers: readonly Taker[]): readonly Dealt[] {
  const quotas = quotasOf(takers, weightOf(pieces));
  const placed: Dealt[] = [];
  let turn = 0;
  let dealt = 0;
  let full = quotas[0]?.quota ?? 0;
  for (const piece of pieces) {
    let offset = 0;
    while (offset < piece.sectionCount) {
      const current = quotas[turn];
      assert(current !== undefined, 'the quotas add up to what is dealt');
      const left = piece.sectionCount - offset;
      const isLast = turn === quotas.length - 1;
      const fitting = isLast ? left : Math.min(left, Math.max(0, Math.floor((full - dealt) / piece.weight + 0.5)));
      if (fitting > 0) {
        placed.push({ piece: part(piece, { offset, sectionCount: fitting }), to: current.taker.to });
        current.taker.weight += fitting * piece.weight;
        dealt += fitting * piece.weight;
        offset += fitting;
      }
      if (offset < piece.sectionCount) {
        turn += 1;
        full += quotas[turn]?.quota ?? 0;
      }
    }
  }
  return placed;
}

/**
 * How much of `total` each one gets, whole numbers. Who has more than an even share keeps it and gets nothing; the others
 * share what is left. The same view always makes the same quotas: ties go by zone, then by id.
 */
export function quotasOf(takers: readonly Taker[], total: number): readonly { readonly taker: Taker; readonly quota: number }[] {
  const filled = [...takers].sort((one, other) => one.weight - other.weight || byId(one, other));
  let sum = filled.reduce((all, { weight }) => all + weight, total);
  while ((filled.at(-1)?.weight ?? 0) > Math.floor(sum / filled.length)) sum -= filled.pop()?.weight ?? 0;
  const level = Math.floor(sum / filled.length);
  const zones = new Zones(takers);
  for (const { to, weight } of filled) zones.add(to.zone, level - weight);
  const extra = zones.leastFirst(filled, sum % filled.length);
  return filled.map((taker) => ({ taker, quota: level + (extra.has(taker) ? 1 : 0) - taker.weight }));
}

/** How loaded each zone is, per taker in it. */
class Zones {
  readonly #zones = new Map<string, { weight: number; count: number }>();

  constructor(takers: readonly Taker[]) {
    for (const { to, weight } of takers) {
      const zone = this.#zones.get(to.zone) ?? { weight: 0, count: 0 };
      this.#zones.set(to.zone, { weight: zone.weight + weight, count: zone.count + 1 });
    }
  }

  add(zone: string, weight: number): void {
    const known = this.#zones.get(zone);
    if (known !== undefined) known.weight += weight;
  }

  /** The least loaded first; of equals the one in the least loaded zone. */
  compare(one: Taker, other: Taker): number {
    return one.weight - other.weight || this.#load(one.to.zone) - this.#load(other.to.zone) || byId(one, other);
  }

  /** Picks `count` of equally loaded takers for 1 each, always in the zone that has least by then. */
  leastFirst(takers: readonly Taker[], count: number): ReadonlySet<Taker> {
    const waiting = new Map<string, Taker[]>(takers.map(({ to }) => [to.zone, []]));
    for (const taker of takers) waiting.get(taker.to.zone)?.push(taker);
    const names = [...waiting.keys()].sort();
    const picked = new Set<Taker>();
    while (picked.size < count) {
      const zone = names
        .filter((name) => waiting.get(name)?.length !== 0)
        .reduce((best, name) => (this.#load(name) < this.#load(best) ? name : best));
      const taker = waiting.get(zone)?.shift();
      assert(taker !== undefined, 'there are more takers than extras');
      picked.add(taker);
      this.add(zone, 1);
    }
    return picked;
  }

  #load(zone: string): number {
    const { weight, count } = this.#zones.get(zone) ?? { weight: 0, count: 1 };
    return weight / count;
  }
}

export function byId(one: Taker, other: Taker): number {
  return one.to.id < other.to.id ? -1 : 1;
}

export function singles(piece: Piece): readonly Piece[] {
  if (piece.sectionCount === 1) return [piece];
  return Array.from({ length: piece.sectionCount }, (_, offset) => part(piece, { offset, sectionCount: 1 }));
}

/** Of equals the last one, so that what is left stays one run. */
export function heaviestFirst(one: Piece, other: Piece): number {
  return other.weight - one.weight || other.firstSection - one.firstSection;
}
