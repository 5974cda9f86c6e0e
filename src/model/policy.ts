import { SeqError, show } from '../base/errors.js';
import { type AllocId, parseAllocId } from './ids.js';

/**
 * `balanced`: every AllocSvr serves its share (the article's Disaster 2.0). `primary-standby`: the standbys idle until a
 * primary is lost, and then take over all that it had (its Disaster 1.0).
 */
export const PLACEMENTS = ['balanced', 'primary-standby'] as const;
export type Placement = (typeof PLACEMENTS)[number];

/** Where sections are placed, and when nothing is moved. Committed in the Raft log. */
export interface Policy {
  readonly placement: Placement;
  /** AllocSvrs that idle until they are needed; empty unless primary-standby. */
  readonly standbys: readonly AllocId[];
  /** The arbiter decides nothing by itself, takeovers included. */
  readonly isPaused: boolean;
  /** Sections on their way by planned moves at the same time. */
  readonly movesInFlightMax: number;
  /** When more than this share of the AllocSvrs is silent, in percent, nothing moves; 100: never. */
  readonly silentShareMaxPercent: number;
}

export const DEFAULT_POLICY: Policy = {
  placement: 'balanced',
  standbys: [],
  isPaused: false,
  movesInFlightMax: 256,
  silentShareMaxPercent: 50,
};

const STANDBYS_MAX = 1_000;
const MOVES_IN_FLIGHT_LIMIT = 20_000;

/** Throws INVALID_ARGUMENT, with the value and the rule, unless it makes sense. */
export function parsePolicy(raw: {
  readonly placement: string;
  readonly standbys: readonly string[];
  readonly isPaused: boolean;
  readonly movesInFlightMax: number;
  readonly silentShareMaxPercent: number;
}): Policy {
  const placement = PLACEMENTS.find((known) => known === raw.placement);
  if (placement === undefined) throw invalid(`placement must be one of ${PLACEMENTS.join(', ')}, got ${show(raw.placement)}`);
  const standbys = [...new Set(raw.standbys.map(parseAllocId))].sort();
  if (placement === 'primary-standby' ? standbys.length === 0 : standbys.length > 0)
    throw invalid(`standbys are named with primary-standby, at least one, and only with it, got ${standbys.length} with ${placement}`);
  if (standbys.length > STANDBYS_MAX) throw invalid(`standbys must be at most ${STANDBYS_MAX}, got ${standbys.length}`);
  return {
    placement,
    standbys,
    isPaused: raw.isPaused,
    movesInFlightMax: whole('movesInFlightMax', raw.movesInFlightMax, 1, MOVES_IN_FLIGHT_LIMIT),
    silentShareMaxPercent: whole('silentShareMaxPercent', raw.silentShareMaxPercent, 1, 100),
  };
}

function whole(what: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) throw invalid(`${what} must be a whole number in [${min}, ${max}], got ${show(value)}`);
  return value;
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
