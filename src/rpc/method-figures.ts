/** Upper bounds of what durations are counted in, in seconds: 50 us, twice as much each, up to 6.5 s. What takes longer has a place of its own after them. */
export const DURATION_BUCKETS: readonly number[] = Array.from({ length: 18 }, (_, power) => 0.00005 * 2 ** power);
/** gRPC's status codes are 0 to 16. */
const CODE_COUNT = 17;
/** What a status says that is none. */
const UNKNOWN = 2;

export type CallType = 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';

/** What has become of the calls of one method, since the server started. */
export interface MethodCounts {
  readonly service: string;
  readonly method: string;
  readonly type: CallType;
  readonly startedCount: number;
  /** How many calls ended with each status; its code is the place. */
  readonly codeCounts: Readonly<Float64Array>;
  /** How many took at most as long as DURATION_BUCKETS says at that place, and longer than at the one before; the last one: longer than all. */
  readonly durationCounts: Readonly<Float64Array>;
  readonly durationSumMs: number;
}

/** Counts the calls of one method in numbers that are there from the start: a call makes nothing new. */
export class MethodFigures implements MethodCounts {
  readonly service: string;
  readonly method: string;
  readonly type: CallType;
  readonly codeCounts = new Float64Array(CODE_COUNT);
  readonly durationCounts = new Float64Array(DURATION_BUCKETS.length + 1);
  startedCount = 0;
  durationSumMs = 0;

  /** `path`: `/package.Service/Method`. */
  constructor(path: string, { requestStream, responseStream }: { readonly requestStream: boolean; readonly responseStream: boolean }) {
    const [, service = '', method = ''] = path.split('/');
    this.service = service;
    this.method = method;
    if (requestStream) this.type = responseStream ? 'bidi_stream' : 'client_stream';
    else this.type = responseStream ? 'server_stream' : 'unary';
  }

  started(): void {
    this.startedCount += 1;
  }

  /** `code` is a gRPC status; a stream takes as long as it is open. */
  handled(code: number, tookMs: number): void {
    const place = code in this.codeCounts ? code : UNKNOWN;
    this.codeCounts[place] = (this.codeCounts[place] ?? 0) + 1;
    this.durationSumMs += tookMs;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && tookMs > (DURATION_BUCKETS[bucket] ?? 0) * 1000) bucket += 1;
    this.durationCounts[bucket] = (this.durationCounts[bucket] ?? 0) + 1;
  }
}

/** The same methods of several servers as one. */
export function sumMethods(lists: readonly (readonly MethodCounts[])[]): readonly MethodCounts[] {
  const sums = new Map<string, MethodCounts>();
  for (const counts of lists.flat()) {
    const key = `${counts.service}/${counts.method}`;
    const before = sums.get(key);
    sums.set(key, before === undefined ? counts : plus(before, counts));
  }
  return [...sums.values()];
}

function plus(one: MethodCounts, other: MethodCounts): MethodCounts {
  const added = (to: Readonly<Float64Array>, from: Readonly<Float64Array>): Float64Array =>
    Float64Array.from(to, (count, at) => count + (from[at] ?? 0));
  return {
    service: one.service,
    method: one.method,
    type: one.type,
    startedCount: one.startedCount + other.startedCount,
    codeCounts: added(one.codeCounts, other.codeCounts),
    durationCounts: added(one.durationCounts, other.durationCounts),
    durationSumMs: one.durationSumMs + other.durationSumMs,
  };
}
