import { optional } from '../base/errors.js';
import type { SeqClient } from '../client/client.js';
import { countField, type Fields, floorField, NO_FIELDS, readFields, strictField, strictQueryField, uidField, type ValuesOf } from './fields.js';

/** What the gateway needs of a client. */
export type Numbers = Pick<SeqClient, 'nextRange' | 'current'>;

/** One request on its way to the numbers. */
export interface GatewayCall {
  readonly numbers: Numbers;
  /** What is left of its time, in ms, and what ends it sooner. */
  readonly limits: { readonly timeoutMs: number; readonly signal: AbortSignal };
}

/** What a request carried, not yet read. */
export interface RawRequest {
  readonly path: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One thing that the gateway answers. All that is known of it stands in ROUTES, and nowhere else. */
export interface Route {
  readonly method: 'GET' | 'POST';
  /** `{name}`: one of `pathFields`. */
  readonly path: string;
  readonly name: string;
  readonly doc: string;
  readonly pathFields: Fields;
  readonly queryFields: Fields;
  /** Undefined: it has no body. */
  readonly bodyFields: Fields | undefined;
  /** Rejects with a SeqError. */
  readonly answer: (raw: RawRequest, call: GatewayCall) => Promise<object>;
}

export const ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/uids/{uid}:next',
    name: 'next',
    doc: 'Takes the next number of a uid, or `count` neighbouring ones. Safe to repeat: a lost answer costs a gap, never a repeat.',
    pathFields: { uid: uidField },
    queryFields: NO_FIELDS,
    bodyFields: { count: countField, floor: floorField, strict: strictField },
    run: async ({ uid, count, floor, strict }, { numbers, limits }) => {
      const options = { ...limits, ...optional('floor', floor), ...optional('strict', strict) };
      const { first, last } = await numbers.nextRange(uid, count ?? 1, options);
      return { uid, seq: last, first, last };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/uids/{uid}',
    name: 'current',
    doc: 'The last number handed out for a uid; hands nothing out. `exact` false: an upper bound, for nothing was handed out since its section changed hands.',
    pathFields: { uid: uidField },
    queryFields: { floor: floorField, strict: strictQueryField },
    run: async ({ uid, floor, strict }, { numbers, limits }) => {
      const options = { ...limits, ...optional('floor', floor), ...optional('strict', strict) };
      const { seq, exact } = await numbers.current(uid, options);
      return { uid, seq, exact };
    },
  }),
];

/** A route as it is written down: `run` gets what its fields have read. */
interface Spec<Path extends Fields, Query extends Fields, Body extends Fields>
  extends Omit<Route, 'answer' | 'pathFields' | 'queryFields' | 'bodyFields'> {
  readonly pathFields: Path;
  readonly queryFields: Query;
  readonly bodyFields?: Body;
  readonly run: (values: ValuesOf<Path> & ValuesOf<Query> & ValuesOf<Body>, call: GatewayCall) => Promise<object>;
}

function route<Path extends Fields, Query extends Fields, Body extends Fields = typeof NO_FIELDS>(spec: Spec<Path, Query, Body>): Route {
  const { run, ...rest } = spec;
  return {
    ...rest,
    bodyFields: spec.bodyFields,
    answer: async (raw, call) => {
      const path = readFields(spec.pathFields, raw.path, 'the path');
      const query = readFields(spec.queryFields, raw.query, 'the query');
      const body = readFields(spec.bodyFields ?? (NO_FIELDS as Body), raw.body, 'the body');
      return run({ ...path, ...query, ...body }, call);
    },
  };
}
