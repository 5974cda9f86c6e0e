import type { Clock } from '../base/clock.js';
import type { Version } from '../model/version.js';
import type { ClusterView, Move } from './view.js';

/** A decision of the arbiter; it counts only in this term and on this version. */
export interface Decision {
  readonly arbiterTerm: number;
  readonly basedOn: Version;
  readonly moves: readonly Move[];
  /** For people, in the audit trail. It begins with one of the words of reasons.ts. */
  readonly reason: string;
}

/** What the arbiter needs of the StoreSvr that it is a role of. */
export interface ArbiterPort {
  /** The applied state; undefined while this node does not lead, or nothing is there to decide on. */
  view(): ClusterView | undefined;
  /**
   * Resolves when the entry was applied: with undefined, or with why it was refused. Rejects with a SeqError when it was not
   * taken here or the term is over. Whatever it is, then its fate is known.
   */
  assign(decision: Decision): Promise<string | undefined>;
  planMove(decision: Decision): Promise<string | undefined>;
  /** The wait may follow the lease, which was lowered: this leader has waited the former one out. Fates as above. */
  settleWait(settled: { readonly arbiterTerm: number; readonly leaseNumber: number }): Promise<string | undefined>;
}

export interface ArbiterOptions {
  readonly port: ArbiterPort;
  readonly clock: Clock;
  /** Hears what a decision failed with that is no SeqError: a bug, and the process must end. */
  readonly onFatal: (error: unknown) => void;
  /** Hears each time that something holds decisions back, again every minute of it, and when nothing does any more. */
  readonly onHeld?: (why: string | undefined) => void;
}
