/** What the gateway takes. Each is a decision; what is above is refused with a status, or cut where nobody would read one. */
export interface GatewayLimits {
  /** Request line and headers, in bytes. */
  readonly headerBytesMax: number;
  /** Headers of one request; what is beyond is not read. */
  readonly headerCountMax: number;
  /** Body of a request, in bytes. */
  readonly bodyBytesMax: number;
  /** Bodies of all requests in flight, in bytes: what is in them is work, and whoever waits for answers needs few at once. */
  readonly bodyBytesInFlightMax: number;
  /** How long a connection may take to send the headers of its request, its first byte included, in ms. */
  readonly headersMaxMs: number;
  /** How long a request may take to arrive, headers and body, in ms; at least `headersMaxMs`. */
  readonly requestMaxMs: number;
  /** How often what is late is looked for, in ms: requests that do not arrive, and answers that nobody reads. */
  readonly lateCheckEveryMs: number;
  /** Answers that their client has not read at this many checks are cut with their connection. */
  readonly lateChecksMax: number;
  /** How long an idle connection is kept for another request, in ms. */
  readonly keepAliveMs: number;
  /** Requests of one connection; after the last it is closed, so that a balancer can move its client. */
  readonly requestsPerConnectionMax: number;
  /** Connections at once. */
  readonly connectionsMax: number;
  /** Those from one address: a proxy needs many, but never all that there is room for. */
  readonly connectionsOfOneMax: number;
  /** Requests that are being answered, in all. */
  readonly inFlightMax: number;
  /** Those of one connection: who sends the next before the answer to the last (pipelining) and is further ahead is cut. */
  readonly inFlightOfOneMax: number;
  /** No other connection of its address is taken for so long then, in ms: what came in one packet with the last request was parsed all the same. */
  readonly coolingMs: number;
  /** Addresses that are remembered for it; beyond, the one that was cut first is forgotten. */
  readonly coolingMax: number;
  /** Requests that begin to be answered in one turn of the event loop: gRPC and leases live in it, too. */
  readonly beginsPerTurnMax: number;
  /** How long a request may wait for its answer unless it says so, and at most, in ms. */
  readonly timeoutDefaultMs: number;
  readonly timeoutMaxMs: number;
  /** How long requests under way may take to end when the gateway stops, in ms; then they are cut. */
  readonly drainMs: number;
}

/** Uids of one nextMany: a client of ours takes more, but an answer in JSON is long. */
export const UIDS_PER_BODY_MAX = 1_000;
/** Lines of a routing table in one answer; the rest is asked for again. */
export const ROUTES_PER_ANSWER_MAX = 1_000;

export const GATEWAY_LIMITS: GatewayLimits = {
  headerBytesMax: 8 * 1024,
  headerCountMax: 64,
  bodyBytesMax: 64 * 1024,
  bodyBytesInFlightMax: 256 * 1024,
  headersMaxMs: 3_000,
  requestMaxMs: 6_000,
  lateCheckEveryMs: 1_000,
  lateChecksMax: 6,
  keepAliveMs: 60_000,
  requestsPerConnectionMax: 100_000,
  connectionsMax: 1_024,
  connectionsOfOneMax: 512,
  inFlightMax: 1_024,
  inFlightOfOneMax: 8,
  coolingMs: 10_000,
  coolingMax: 10_000,
  beginsPerTurnMax: 16,
  timeoutDefaultMs: 5_000,
  timeoutMaxMs: 30_000,
  drainMs: 3_000,
};
