import { SeededRandom } from '../unit/seeded-random.js';
import { FAULTS, type FaultKind } from './fault-kinds.js';

/** Everything that a seed decides before its world begins. Printed with each failure; a run follows from it and the seed alone. */
export interface SimOptions {
  readonly seed: number;
  readonly storeCount: number;
  readonly allocCount: number;
  readonly clientCount: number;
  readonly sectionCount: number;
  readonly uidsPerSection: number;
  /** Uids that clients call on, spread over the set. */
  readonly uidCount: number;
  readonly raiseBy: number;
  readonly raiseAheadMs: number;
  readonly leaseMs: number;
  readonly driftPpm: number;
  readonly marginMs: number;
  readonly renewEveryMs: number;
  readonly heartbeatMs: number;
  readonly electionMinMs: number;
  readonly keepLogEntries: number;
  /** Calls of one client in a second, on average. */
  readonly callsPerSecond: number;
  /** The share of calls that are STRICT, ranges, `current` and of many uids. */
  readonly strictShare: number;
  readonly rangeShare: number;
  readonly currentShare: number;
  readonly manyShare: number;
  readonly isPrimaryStandby: boolean;
  readonly net: { readonly minMs: number; readonly meanMs: number; readonly loss: number; readonly duplicate: number; readonly replay: number };
  /** Mean time of a synced write, in ms. */
  readonly diskMs: number;
  /** How far clock rates are off, in ppm: within the drift bound, or (`isBeyondDrift`) far out of it. */
  readonly skewPpm: number;
  readonly isBeyondDrift: boolean;
  /** The kinds of faults that may happen in this run. */
  readonly faults: readonly FaultKind[];
  /** Mean time between two faults, in ms. */
  readonly faultEveryMs: number;
  /** How long faults go on, in ms. */
  readonly safetyMs: number;
  /** After it only a majority of the StoreSvrs and half of the AllocSvrs are healed; the others stay as they are. */
  readonly healsCoreOnly: boolean;
}

/** A swarm: each seed turns a random part of everything on, at random rates (Groce et al., "Swarm Testing"). */
export function drawOptions(seed: number, overrides: Partial<SimOptions> = {}): SimOptions {
  const random = new SeededRandom(seed ^ 0x5eed);
  const between = (from: number, to: number): number => from + random.below(to - from + 1);
  const oneOf = <Value>(...values: readonly Value[]): Value => random.pick(values);
  const electionMinMs = oneOf(200, 500, 500, 500, 1_000);
  const leaseMs = Math.max(electionMinMs * 4 + 100, oneOf(1_000, 3_000, 3_000, 3_000, 10_000));
  const driftPpm = oneOf(0, 10_000, 10_000, 50_000);
  const isBeyondDrift = random.chance(0.2);
  const storeCount = oneOf(1, 3, 3, 3, 5);
  const sectionCount = between(1, 16);
  const uidsPerSection = oneOf(1, 4, 100, 5_000);
  const options: SimOptions = {
    seed,
    storeCount,
    allocCount: between(2, 5),
    clientCount: oneOf(2, 5, 10, 20),
    sectionCount,
    uidsPerSection,
    uidCount: Math.min(sectionCount * uidsPerSection, oneOf(1, 5, 20, 60)),
    raiseBy: oneOf(1, 3, 20, 500, 10_000),
    raiseAheadMs: oneOf(1_000, 5_000, 60_000),
    leaseMs,
    driftPpm,
    marginMs: oneOf(0, 100, 100, 500),
    renewEveryMs: Math.floor(leaseMs / between(4, 8)),
    heartbeatMs: Math.floor(electionMinMs / between(4, 10)),
    electionMinMs,
    keepLogEntries: oneOf(1, 20, 200, 10_000),
    callsPerSecond: oneOf(0.3, 1, 1, 3),
    strictShare: oneOf(0, 0, 0.1, 0.5),
    rangeShare: oneOf(0, 0.1, 0.3),
    currentShare: oneOf(0, 0.1, 0.3),
    manyShare: oneOf(0, 0.05, 0.2),
    isPrimaryStandby: random.chance(0.15),
    net: {
      minMs: oneOf(0.05, 0.1, 1, 5),
      meanMs: oneOf(0.2, 0.5, 2, 20),
      loss: random.chance(0.5) ? 0 : oneOf(0.001, 0.01, 0.05, 0.3),
      duplicate: random.chance(0.5) ? 0 : oneOf(0.01, 0.1, 0.5),
      replay: random.chance(0.5) ? 0 : oneOf(0.01, 0.1, 0.5),
    },
    diskMs: oneOf(0.2, 0.5, 2, 10),
    // Two machines may be off in opposite directions, so each stays within the bound.
    skewPpm: isBeyondDrift ? oneOf(100_000, 300_000, 500_000) : random.below(driftPpm + 1),
    isBeyondDrift,
    faults: FAULTS.filter(() => random.chance(0.4)),
    faultEveryMs: oneOf(1_000, 3_000, 10_000),
    safetyMs: oneOf(10_000, 30_000, 90_000),
    healsCoreOnly: random.chance(0.3),
  };
  return { ...options, ...overrides };
}
