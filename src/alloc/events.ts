import type { SeqError } from '../base/errors.js';
import type { ClockJumpKind } from '../model/clock-jump.js';
import type { AllocId, Epoch, Incarnation, SectionId, Seq } from '../model/ids.js';
import type { Version } from '../model/version.js';

/**
 * An event that can repeat several times a second is told once in NOTICE_EVERY_MS; this says how many like it were left
 * out since the last one told.
 */
interface Thinned {
  readonly leftOutCount: number;
}

/** What an AllocSvr tells the world. The log, the metrics and the simulator's checkers read the same stream. */
export type AllocEvent =
  | { readonly type: 'registered'; readonly clusterId: string; readonly incarnation: Incarnation }
  | { readonly type: 'registerFailed'; readonly error: SeqError }
  /** `leftMs`: how long the lease lasts from now, the time of the round trip taken off. */
  | { readonly type: 'leaseRenewed'; readonly leftMs: number; readonly tookMs: number }
  | (Thinned & { readonly type: 'renewalFailed'; readonly error: SeqError; readonly leftMs: number })
  /** Nothing is served from here on, until a renewal brings another lease. Told when it is noticed: calls are refused before. */
  | { readonly type: 'leaseLost' }
  | { readonly type: 'leaseRegained'; readonly afterMs: number }
  /** The committed lease is too short for the configured pace of renewals: they are sent this often instead. */
  | { readonly type: 'renewalsSpedUp'; readonly leaseMs: number; readonly everyMs: number }
  /** One clock of this machine moved without the others: nothing is served until a renewal that was sent after it is answered. */
  | { readonly type: 'clockJumped'; readonly kind: ClockJumpKind; readonly ms: number }
  /** The event loop was blocked for longer than the lease margin, or the process paused: as above. */
  | (Thinned & { readonly type: 'eventLoopLagged'; readonly ms: number })
  | (Thinned & { readonly type: 'watchEnded'; readonly error: SeqError })
  | {
      readonly type: 'tableAdopted';
      readonly version: Version;
      /** Sections with memory whose epoch is over. */
      readonly lostCount: number;
      /** Sections that this node serves from now on. */
      readonly ownedCount: number;
    }
  | { readonly type: 'maxSeqRaised'; readonly section: SectionId; readonly epoch: Epoch; readonly maxSeq: Seq; readonly tookMs: number }
  | (Thinned & { readonly type: 'raiseFailed'; readonly sectionCount: number; readonly error: SeqError })
  | { readonly type: 'raiseRefused'; readonly section: SectionId; readonly epoch: Epoch; readonly error: SeqError }
  /** A call found the window empty and waits for a raise: in steady state this never happens. */
  | (Thinned & { readonly type: 'windowEmpty'; readonly section: SectionId; readonly epoch: Epoch })
  /** A caller has seen a higher number than this owner handed out: a lie, or a second owner somewhere. */
  | (Thinned & {
      readonly type: 'floorAboveCurrent';
      readonly section: SectionId;
      readonly epoch: Epoch;
      readonly floor: bigint;
      readonly current: Seq;
    })
  /** The counters of a section came from its former owner, as they were: no uid jumps. */
  | {
      readonly type: 'handoffInstalled';
      readonly section: SectionId;
      readonly epoch: Epoch;
      readonly from: AllocId;
      readonly pageCount: number;
      readonly tookMs: number;
    }
  /** They were not to be had: every uid of the section goes on above the highest number that was handed out in it. */
  | { readonly type: 'handoffFellBack'; readonly section: SectionId; readonly epoch: Epoch; readonly from: AllocId; readonly tookMs: number }
  /** A stream of counters from another AllocSvr broke; it is tried again. */
  | (Thinned & { readonly type: 'handoffBroken'; readonly address: string; readonly error: SeqError })
  /** A clean stop with nobody to take over: the counters are in a file, for whoever opens the next epoch. */
  | { readonly type: 'countersSaved'; readonly sectionCount: number; readonly bytes: number }
  /** A former run of this AllocSvr left counters in its file. */
  | { readonly type: 'countersFound'; readonly sectionCount: number }
  /** They are not: the uids of these sections go on above the highest number that was handed out in each. */
  | { readonly type: 'countersNotSaved'; readonly sectionCount: number; readonly why: string }
  /** That file cannot be believed: uids will jump. Or it could not be removed, which does no harm. */
  | { readonly type: 'countersRefused'; readonly why: string }
  /** One round for the STRICT calls that waited. */
  | { readonly type: 'ownershipConfirmed'; readonly callCount: number; readonly sectionCount: number; readonly tookMs: number }
  /** A round failed, and with it the calls that waited for it. `callCount`: those of the rounds that were left out too. */
  | (Thinned & { readonly type: 'confirmationFailed'; readonly callCount: number; readonly error: SeqError })
  | { readonly type: 'sectionsSealed'; readonly sectionCount: number }
  | { readonly type: 'sectionsReleased'; readonly releasedCount: number; readonly refusedCount: number }
  /** The store could not be told that this AllocSvr is about to stop. */
  | { readonly type: 'drainFailed'; readonly error: SeqError }
  | (Thinned & { readonly type: 'releaseFailed'; readonly error: SeqError })
  /** This incarnation must not go on: the process ends. */
  | { readonly type: 'fatal'; readonly error: SeqError };
