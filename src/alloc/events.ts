import type { SeqError } from '../base/errors.js';
import type { Epoch, Incarnation, SectionId, Seq } from '../model/ids.js';
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
  | { readonly type: 'sectionsSealed'; readonly sectionCount: number }
  | { readonly type: 'sectionsReleased'; readonly releasedCount: number; readonly refusedCount: number }
  /** The store could not be told that this AllocSvr is about to stop. */
  | { readonly type: 'drainFailed'; readonly error: SeqError }
  | (Thinned & { readonly type: 'releaseFailed'; readonly error: SeqError })
  /** This incarnation must not go on: the process ends. */
  | { readonly type: 'fatal'; readonly error: SeqError };
