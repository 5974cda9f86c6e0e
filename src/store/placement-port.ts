import type { AllocId, Incarnation, SectionId } from '../model/ids.js';

/** Sections that would move. */
export interface PlannedMove {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
  readonly toAllocId: AllocId;
  /** The run that is to have them. */
  readonly incarnation: Incarnation;
  readonly reason: string;
}

/** What operators ask of the arbiter, a role of the leader. The composition root brings one; all of it throws a SeqError when this node does not lead. */
export interface PlacementPort {
  /** Why nothing is decided, in words; undefined: nothing holds it back. */
  readonly heldBy: string | undefined;
  /** What it would do now. */
  plan(): readonly PlannedMove[];
  planMove(run: { readonly firstSection: number; readonly sectionCount: number }, to: AllocId): readonly PlannedMove[];
  planRebalance(): readonly PlannedMove[];
  /** Milliseconds until the lease of a run is surely over; 0: it is. */
  waitLeftMs(incarnation: Incarnation): number;
  callsPerSecond(incarnation: Incarnation): number;
}
