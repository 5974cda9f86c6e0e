import type { AllocId, Incarnation, SectionId } from '../model/ids.js';

/** Sections that would move. */
export interface PlannedMove {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
  readonly toAllocId: AllocId;
  readonly reason: string;
}

export interface WishOptions {
  /** For the audit trail; '' is none. */
  readonly reason: string;
  readonly isDryRun: boolean;
}

/** What operators ask of the arbiter, a role of the leader. The composition root brings one; all of it throws a SeqError when this node does not lead. */
export interface PlacementPort {
  /** Why nothing is decided, in words; undefined: nothing holds it back. */
  readonly heldBy: string | undefined;
  /** What it would do now. */
  plan(): readonly PlannedMove[];
  /** Plans these moves, or only says which; resolves after commit of the first part of the plan, and the arbiter sees to the rest. */
  move(run: { readonly firstSection: number; readonly sectionCount: number }, to: AllocId, options: WishOptions): Promise<readonly PlannedMove[]>;
  rebalance(options: WishOptions): Promise<readonly PlannedMove[]>;
  /** Milliseconds until the lease of a run is surely over; 0: it is. */
  waitLeftMs(incarnation: Incarnation): number;
  callsPerSecond(incarnation: Incarnation): number;
}
