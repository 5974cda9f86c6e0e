import { ERRORS, type ErrorCode } from '../base/errors.js';
import { type Fields, type JsonSchema, NO_FIELDS } from './fields.js';
import { HTTP_STATUS } from './http-error.js';
import { PreparedJson } from './json.js';
import { GATEWAY_LIMITS } from './limits.js';
import { type Example, objectSchema, type Route, route } from './route.js';
import { ROUTES } from './routes.js';
import { ref, SCHEMAS } from './schemas.js';

/** The header, and the parameter of a query, that say how long a caller waits. */
export const TIMEOUT_HEADER = 'Seqsvr-Timeout';
export const TIMEOUT_PARAMETER = 'timeout';

let prepared: PreparedJson | undefined;

/** Words between our own parts: a client of ours follows them and shows them to nobody. */
const INTERNAL: readonly ErrorCode[] = ['NOT_OWNER', 'NOT_LEADER'];

/** All routes that there are: those of the table, and the one that describes them. */
export const ALL_ROUTES: readonly Route[] = [
  ...ROUTES,
  route({
    method: 'GET',
    path: '/openapi.json',
    name: 'describe',
    doc: 'This description.',
    isCall: false,
    pathFields: NO_FIELDS,
    queryFields: NO_FIELDS,
    answers: 'Description',
    run: () => (prepared ??= new PreparedJson(OPENAPI)),
  }),
];

/** The gateway in OpenAPI 3.1, made from the routes. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'seqsvr',
    version: '1',
    summary: 'Every uid has a 64-bit number that only ever grows.',
    description:
      'Numbers of 64 bits are text in both directions, for most readers of JSON lose their last digits. Gaps are allowed, so differences are not counts. ' +
      'An unknown key of a body or a query is refused. Repeating a request is always safe.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/' }],
  paths: pathsOf(ALL_ROUTES),
  components: { schemas: SCHEMAS, responses: { Error: { description: errorsText(), content: jsonOf(ref('ErrorAnswer')) } } },
};

function pathsOf(routes: readonly Route[]): Record<string, Record<string, object>> {
  const paths: Record<string, Record<string, object>> = {};
  for (const one of routes) paths[one.path] = { ...paths[one.path], [one.method.toLowerCase()]: operationOf(one) };
  return paths;
}

function operationOf({ name, doc, isCall, pathFields, queryFields, bodyFields, answers, example }: Route): object {
  const parameters = [
    ...parametersOf('path', pathFields, example?.path),
    ...parametersOf('query', queryFields),
    ...(isCall ? timeoutParameters() : []),
  ];
  return {
    operationId: name,
    summary: doc,
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(bodyFields === undefined ? {} : { requestBody: bodyOf(bodyFields, example) }),
    responses: {
      200: { description: 'It is as asked.', content: jsonOf(ref(answers), example?.answer) },
      default: { $ref: '#/components/responses/Error' },
    },
  };
}

function parametersOf(place: 'path' | 'query', fields: Fields, examples: Readonly<Record<string, string>> = {}): object[] {
  return Object.entries(fields).map(([name, { doc, schema, isRequired }]) => ({
    name,
    in: place,
    required: isRequired,
    description: doc,
    schema,
    ...(examples[name] === undefined ? {} : { example: examples[name] }),
  }));
}

function timeoutParameters(): object[] {
  const { timeoutDefaultMs, timeoutMaxMs } = GATEWAY_LIMITS;
  const description = `How long the caller waits: 1ms to ${timeoutMaxMs / 1_000}s, with its unit; by default ${timeoutDefaultMs / 1_000}s. Said in one place.`;
  const schema = { type: 'string', pattern: '^\\d{1,6}(ms|s)$' };
  return [
    { name: TIMEOUT_PARAMETER, in: 'query', required: false, description, schema },
    { name: TIMEOUT_HEADER, in: 'header', required: false, description, schema },
  ];
}

function bodyOf(fields: Fields, example: Example | undefined): object {
  const optional = Object.entries(fields).flatMap(([key, { isRequired }]) => (isRequired ? [] : [key]));
  const properties = Object.fromEntries(Object.entries(fields).map(([key, { doc, schema }]) => [key, { ...schema, description: doc }]));
  return { required: optional.length < Object.keys(fields).length, content: jsonOf(objectSchema(properties, optional), example?.body) };
}

function jsonOf(schema: JsonSchema, example?: object): object {
  return { 'application/json': { schema, ...(example === undefined ? {} : { example }) } };
}

/** Which status comes with which codes. */
function errorsText(): string {
  const codes = (Object.keys(ERRORS) as ErrorCode[]).filter((code) => !INTERNAL.includes(code));
  const lines = codes.map((code) => `- ${HTTP_STATUS[code]} \`${code}\`: ${ERRORS[code].doc}`).sort();
  return `Why not. A request that is wrong as HTTP has 404, 405, 408, 413, 415 or 431 instead of 400.\n\n${lines.join('\n')}`;
}
