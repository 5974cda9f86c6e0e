/** How much one request may carry, as the .proto files say. Servers refuse more; clients cut what is longer. */

/** Numbers for one uid in one Next. */
export const RANGE_COUNT_MAX = 1_000_000;
/** Uids in one NextMany. */
export const UIDS_PER_REQUEST_MAX = 10_000;
/** Operations in one OpsFrame. */
export const OPS_PER_FRAME_MAX = 1_024;
/** What an operation of a frame may wait, in ms: as long as its frame says, but at most the second. */
export const OPS_TIMEOUT_DEFAULT_MS = 1_000;
export const OPS_TIMEOUT_MAX_MS = 10_000;
/** Raises in one Raise. */
export const RAISES_PER_REQUEST_MAX = 10_000;
/** Sections in the load report of one Renew. */
export const LOADS_MAX = 1_000;
/** Runs in one Release. */
export const RELEASES_PER_REQUEST_MAX = 50_000;
