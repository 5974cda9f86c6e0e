import type { Incarnation } from '../model/ids.js';
import type { SectionLoad } from './client-values.js';

/** What the arbiter, a role of the leader, has to say about renewals. The composition root brings one. */
export interface LeaseAuthority {
  /** May a renewal of this run be answered now? Asked again after each wait. */
  mayRenew(incarnation: Incarnation): boolean;
  /** A renewal of this run is being answered, in this very turn. `loads`: its hottest sections, as it says. */
  heard(incarnation: Incarnation, loads: readonly SectionLoad[]): void;
  /** Milliseconds since its last answered renewal under this leader; undefined when there was none. */
  heardMsAgo(incarnation: Incarnation): number | undefined;
}
