/** How much one request may carry, as the .proto files say. Servers refuse more; clients cut what is longer. */

/** Numbers for one uid in one Next. */
export const RANGE_COUNT_MAX = 1_000_000;
/** Uids in one NextMany. */
export const UIDS_PER_REQUEST_MAX = 10_000;
/** Raises in one Raise. */
export const RAISES_PER_REQUEST_MAX = 10_000;
/** Sections in the load report of one Renew. */
export const LOADS_MAX = 1_000;
/** Runs in one Release. */
export const RELEASES_PER_REQUEST_MAX = 50_000;
