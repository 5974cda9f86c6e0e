import type { SeqClient } from '../client/client.js';
import type { RoutingTable } from '../model/routing.js';
import { type Fields, type JsonSchema, NO_FIELDS, readFields, type ValuesOf } from './fields.js';

/** What the gateway answers with. */
export interface Backend {
  readonly client: Pick<SeqClient, 'nextRange' | 'nextMany' | 'current'>;
  /** The newest table that its node knows; undefined: none yet. */
  readonly table: () => RoutingTable | undefined;
}

/** One request on its way. */
export interface GatewayCall {
  /** Throws UNAVAILABLE while the node starts. */
  readonly backend: () => Backend;
  /** What is left of its time, in ms, and what ends it sooner. Throws TIMEOUT when nothing is. */
  readonly limits: () => { readonly timeoutMs: number; readonly signal: AbortSignal };
}

/** What a request carried, not yet read. */
export interface RawRequest {
  readonly path: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A request and what is answered, for the description; a test sends it. */
export interface Example {
  readonly path: Readonly<Record<string, string>>;
  readonly body?: object;
  readonly answer: object;
}

/** What is known of a route, but for how it is answered. */
interface Described {
  readonly method: 'GET' | 'POST';
  /** `{name}`: one of `pathFields`. */
  readonly path: string;
  readonly name: string;
  readonly doc: string;
  /** It waits for others, so its caller may say for how long. */
  readonly isCall: boolean;
  /** Name of a schema in SCHEMAS. */
  readonly answers: string;
  /** Undefined: what is answered is too long for one. */
  readonly example?: Example;
}

/** One thing that the gateway answers. */
export interface Route extends Described {
  readonly pathFields: Fields;
  readonly queryFields: Fields;
  /** Undefined: it has no body. */
  readonly bodyFields: Fields | undefined;
  /** Rejects with a SeqError. */
  readonly answer: (raw: RawRequest, call: GatewayCall) => Promise<object>;
}

/** A route as it is written down: `run` gets what its fields have read. */
interface Spec<Path extends Fields, Query extends Fields, Body extends Fields> extends Described {
  readonly pathFields: Path;
  readonly queryFields: Query;
  readonly bodyFields?: Body;
  readonly run: (values: ValuesOf<Path> & ValuesOf<Query> & ValuesOf<Body>, call: GatewayCall) => object | Promise<object>;
}

export function route<Path extends Fields, Query extends Fields, Body extends Fields = typeof NO_FIELDS>(spec: Spec<Path, Query, Body>): Route {
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

/** An object in JSON whose keys are all there, and no other. `optional`: those that may be absent. */
export function objectSchema(properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema {
  const required = Object.keys(properties).filter((key) => !optional.includes(key));
  return { type: 'object', properties, required, additionalProperties: false };
}
