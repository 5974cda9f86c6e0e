import type { ClockJumpKind } from '../model/clock-jump.js';
import type { Version } from '../model/version.js';
import { bit, type Counts, type Distribution, type Meter, type Metrics } from './metrics.js';

/** An AllocSvr as it is now. */
export interface AllocReading {
  readonly handedOutCount: number;
  readonly sectionCount: number;
  /** 0: no lease. */
  readonly leaseLeftMs: number;
  readonly isServing: boolean;
  readonly residentUidCount: number;
  /** 1 while no section is in use. */
  readonly headroomRatioMin: number;
  /** Undefined before the first table. */
  readonly version: Version | undefined;
  /** Exchange streams that are open, and what they have carried. */
  readonly streamCount: number;
  readonly frameCount: number;
  readonly opCount: number;
  readonly lateOpCount: number;
  /** Refused by the limits of their callers, unary calls included. */
  readonly overQuotaCount: number;
}

/** An event of which repeats are left out says how many were since the last one told. */
interface Thinned {
  readonly leftOutCount: number;
}

/**
 * The metrics of an AllocSvr. `read` gives undefined until it holds its first lease: everything is 0 then. What comes
 * from thinned events is counted in full, but as late as the event is told.
 */
export class AllocMetrics {
  readonly #renewals: Counts<'ok' | 'failed'>;
  readonly #leaseLosses: Meter;
  readonly #clockJumps: Counts<ClockJumpKind>;
  readonly #lags: Meter;
  readonly #advances: Meter;
  readonly #advanceSeconds: Distribution;
  readonly #advanceWaits: Meter;
  readonly #floorAlarms: Meter;
  readonly #handedOver: Meter;
  readonly #handoffs: Counts<'exact' | 'fell_back'>;
  readonly #strictCalls: Counts<'ok' | 'failed'>;
  readonly #strictSeconds: Distribution;

  constructor(metrics: Metrics, read: () => AllocReading | undefined) {
    const zeroOr = (of: (reading: AllocReading) => number) => (): number => {
      const reading = read();
      return reading === undefined ? 0 : of(reading);
    };
    const gauge = (name: string, help: string, of: (reading: AllocReading) => number): void => metrics.gauge(name, help, zeroOr(of));
    const counter = (name: string, help: string, of: (reading: AllocReading) => number): void => metrics.counterOf(name, help, zeroOr(of));
    counter('seqsvr_alloc_sequences_total', 'Numbers handed out since the process started.', ({ handedOutCount }) => handedOutCount);
    gauge('seqsvr_alloc_streams_open', 'Exchange streams that are open.', ({ streamCount }) => streamCount);
    counter('seqsvr_alloc_frames_total', 'Frames of Exchange streams that were taken in.', ({ frameCount }) => frameCount);
    counter('seqsvr_alloc_frame_operations_total', 'Operations of those frames.', ({ opCount }) => opCount);
    counter(
      'seqsvr_alloc_frame_operations_late_total',
      'Those of them that were not answered with their frame: they waited for a raise, or for a section on its way.',
      ({ lateOpCount }) => lateOpCount,
    );
    counter(
      'seqsvr_alloc_over_quota_operations_total',
      'Operations that were refused because their caller had used up what `limits` lets it take.',
      ({ overQuotaCount }) => overQuotaCount,
    );
    gauge('seqsvr_alloc_sections_owned', 'Sections that this AllocSvr owns.', ({ sectionCount }) => sectionCount);
    gauge('seqsvr_alloc_lease_remaining_seconds', 'What is left of the lease; 0: none.', ({ leaseLeftMs }) => leaseLeftMs / 1000);
    gauge('seqsvr_alloc_serving', 'Whether this AllocSvr may hand out numbers (1) or not (0).', ({ isServing }) => bit(isServing));
    gauge('seqsvr_alloc_users_resident', 'Uids that have memory, counted by page.', ({ residentUidCount }) => residentUidCount);
    gauge(
      'seqsvr_alloc_headroom_ratio_min',
      'What is left of the window of the section that is closest to its end: below 1 a raise is due, 0 means that calls wait.',
      ({ headroomRatioMin }) => headroomRatioMin,
    );
    gauge('seqsvr_route_generation', 'Generation of the newest routing table seen.', ({ version }) => version?.generation ?? 0);
    gauge('seqsvr_route_version', 'Version of the newest routing table seen, within its generation.', ({ version }) => version?.value ?? 0);

    this.#renewals = metrics.counterBy('seqsvr_alloc_lease_renewals_total', 'Attempts to renew the lease, by how they ended.', {
      label: 'result',
      values: ['ok', 'failed'],
    });
    this.#leaseLosses = metrics.counter(
      'seqsvr_alloc_lease_losses_total',
      'Times that the lease ended, or stopped to count, before the next one came.',
    );
    this.#clockJumps = metrics.counterBy('seqsvr_clock_jump_total', 'Times that one clock of the machine moved without the others, by what it was.', {
      label: 'kind',
      values: ['suspend', 'wallForward', 'wallBack'],
    });
    this.#lags = metrics.counter('seqsvr_alloc_lags_total', 'Times that the event loop was blocked for longer than the lease margin.');
    this.#advances = metrics.counter('seqsvr_alloc_advances_total', 'Raises of max_seq that were committed, one for each section.');
    this.#advanceSeconds = metrics.histogram('seqsvr_alloc_advance_duration_seconds', 'Time of the request that brought a raise of max_seq.');
    this.#advanceWaits = metrics.counter('seqsvr_alloc_advance_waits_total', 'Calls that found the window empty and waited for a raise of max_seq.');
    this.#floorAlarms = metrics.counter(
      'seqsvr_alloc_floor_alarms_total',
      'Calls whose caller had seen a higher number than this owner handed out: a lie, or a second owner.',
    );
    this.#handedOver = metrics.counter('seqsvr_alloc_sections_released_total', 'Sections that were sealed here and given to another, or to nobody.');
    this.#handoffs = metrics.counterBy('seqsvr_alloc_handoffs_total', 'Sections that came with counters to install, by what became of them.', {
      label: 'result',
      values: ['exact', 'fell_back'],
    });
    this.#strictCalls = metrics.counterBy('seqsvr_alloc_strict_calls_total', 'STRICT calls whose round with the StoreSvrs was answered, or failed.', {
      label: 'result',
      values: ['ok', 'failed'],
    });
    this.#strictSeconds = metrics.histogram(
      'seqsvr_alloc_strict_round_duration_seconds',
      'Time of the rounds that confirm ownership for STRICT calls.',
    );
  }

  sectionsReleased({ releasedCount }: { readonly releasedCount: number }): void {
    this.#handedOver.add(releasedCount);
  }

  handoffInstalled(): void {
    this.#handoffs.add('exact', 1);
  }

  handoffFellBack(): void {
    this.#handoffs.add('fell_back', 1);
  }

  ownershipConfirmed({ callCount, tookMs }: { readonly callCount: number; readonly tookMs: number }): void {
    this.#strictCalls.add('ok', callCount);
    this.#strictSeconds.observe(tookMs / 1000);
  }

  confirmationFailed({ callCount }: { readonly callCount: number }): void {
    this.#strictCalls.add('failed', callCount);
  }

  leaseRenewed(): void {
    this.#renewals.add('ok', 1);
  }

  renewalFailed(event: Thinned): void {
    this.#renewals.add('failed', countOf(event));
  }

  leaseLost(): void {
    this.#leaseLosses.add(1);
  }

  clockJumped({ kind }: { readonly kind: ClockJumpKind }): void {
    this.#clockJumps.add(kind, 1);
  }

  eventLoopLagged(event: Thinned): void {
    this.#lags.add(countOf(event));
  }

  maxSeqRaised({ tookMs }: { readonly tookMs: number }): void {
    this.#advances.add(1);
    this.#advanceSeconds.observe(tookMs / 1000);
  }

  windowEmpty(event: Thinned): void {
    this.#advanceWaits.add(countOf(event));
  }

  floorAboveCurrent(event: Thinned): void {
    this.#floorAlarms.add(countOf(event));
  }
}

function countOf({ leftOutCount }: Thinned): number {
  return 1 + leftOutCount;
}
