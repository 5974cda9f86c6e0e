import type { Clock } from '../base/clock.js';
import type { SeqError } from '../base/errors.js';
import type { Observer } from '../base/observe.js';
import type { Random } from '../base/random.js';
import type { AllocId, Incarnation } from '../model/ids.js';
import type { AllocEvent } from './events.js';
import type { PullCounters } from './handoff-intake.js';
import type { SavedCounters } from './handover.js';
import type { StorePort } from './store-port.js';

export interface OwnershipOptions {
  readonly id: AllocId;
  readonly zone: string;
  /** The pace of lease renewals, in ms. */
  readonly renewEveryMs: number;
  /** How long one raise is to last at the recent rate, in ms. Absent: DEFAULT_RAISE_AHEAD_MS. */
  readonly raiseAheadMs?: number;
  readonly store: StorePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly observe: Observer<AllocEvent>;
  /** Fetches counters from another AllocSvr. */
  readonly pull: PullCounters;
  /** Where counters go on a clean stop with nobody to take over. Absent: nowhere, and uids jump then. */
  readonly saved?: SavedCounters;
  /** Fixed by whoever spawned this process. Absent: drawn. */
  readonly incarnation?: Incarnation;
  /** This incarnation must not go on; the process must end. Called at most once. */
  readonly onFatal: (error: SeqError) => void;
}
