import { ERRORS } from '../base/errors.js';
import { type JsonSchema, SEQ_SCHEMA, UID_SCHEMA } from './fields.js';
import { objectSchema } from './route.js';

const UID = UID_SCHEMA;
const SEQ = SEQ_SCHEMA;
const COUNT: JsonSchema = { type: 'integer', minimum: 0 };
const TEXT: JsonSchema = { type: 'string' };

/** What answers look like, by name. */
export const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  Sequence: objectSchema({ uid: UID, seq: { ...SEQ, description: 'The last number handed out: `last`.' }, first: SEQ, last: SEQ }),
  CurrentSequence: objectSchema({ uid: UID, seq: SEQ, exact: { type: 'boolean', description: 'false: `seq` is an upper bound.' } }),
  SequenceList: objectSchema({ items: { type: 'array', items: { oneOf: [ref('SequenceItem'), ref('FailedItem')] } } }),
  SequenceItem: objectSchema({ uid: UID, seq: SEQ }),
  FailedItem: objectSchema({ uid: UID, error: ref('Error') }),
  RoutingTable: objectSchema(
    {
      version: objectSchema({ generation: COUNT, value: COUNT }),
      geometry: objectSchema({ firstUid: UID, lastUid: UID, uidsPerSection: COUNT }),
      routes: { type: 'array', items: ref('SectionRoute') },
      nextSection: { ...COUNT, description: 'There is more: ask again with `fromSection` of this.' },
    },
    ['nextSection'],
  ),
  SectionRoute: objectSchema({
    firstSection: COUNT,
    lastSection: COUNT,
    firstUid: UID,
    lastUid: UID,
    alloc: { ...TEXT, description: "The AllocSvr that serves them; '' while nobody does." },
    address: { ...TEXT, description: 'Its gRPC address.' },
    epoch: { ...COUNT, description: 'Counts the owners of a section.' },
  }),
  Error: objectSchema(
    {
      code: { type: 'string', enum: [...Object.keys(ERRORS), 'INTERNAL'] },
      message: TEXT,
      retryable: { type: 'boolean', description: 'The same request may succeed later.' },
      definite: { type: 'boolean', description: 'true: nothing was handed out. false: a number may have been taken and lost, which costs a gap.' },
      retryAfterMs: { ...COUNT, description: 'When to come again, where the server says so.' },
    },
    ['retryAfterMs'],
  ),
  Description: { type: 'object', description: 'OpenAPI 3.1.' },
  ErrorAnswer: objectSchema({ error: ref('Error') }),
};

export function ref(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}
