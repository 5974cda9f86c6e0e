import { optional, SeqError } from '../base/errors.js';
import { routeLinesOf } from '../model/route-lines.js';
import * as fields from './fields.js';
import { errorBody } from './http-error.js';
import { ROUTES_PER_ANSWER_MAX } from './limits.js';
import { type Route, route } from './route.js';

const { NO_FIELDS } = fields;

/** All that the gateway answers: paths, what requests may carry, what comes back. The description at /openapi.json is made from it. */
export const ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/uids/{uid}:next',
    name: 'next',
    doc: 'Takes the next number of a uid, or `count` neighbouring ones. Safe to repeat: a lost answer costs a gap, never a repeat.',
    isCall: true,
    pathFields: { uid: fields.uidField },
    queryFields: NO_FIELDS,
    bodyFields: { count: fields.countField, floor: fields.floorField, strict: fields.strictField },
    answers: 'Sequence',
    example: { path: { uid: '42' }, body: { count: 5 }, answer: { uid: '42', seq: '5', first: '1', last: '5' } },
    run: async ({ uid, count, floor, strict }, { backend, limits }) => {
      const options = { ...limits(), ...optional('floor', floor), ...optional('strict', strict) };
      const { first, last } = await backend().client.nextRange(uid, count ?? 1, options);
      return { uid, seq: last, first, last };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/uids/{uid}',
    name: 'current',
    doc: 'The last number handed out for a uid; hands nothing out. `exact` false: an upper bound, for nothing was handed out since its section changed hands.',
    isCall: true,
    pathFields: { uid: fields.uidField },
    queryFields: { floor: fields.floorField, strict: fields.strictQueryField },
    answers: 'CurrentSequence',
    example: { path: { uid: '42' }, answer: { uid: '42', seq: '5', exact: true } },
    run: async ({ uid, floor, strict }, { backend, limits }) => {
      const options = { ...limits(), ...optional('floor', floor), ...optional('strict', strict) };
      const { seq, exact } = await backend().client.current(uid, options);
      return { uid, seq, exact };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/uids:nextMany',
    name: 'nextMany',
    doc: 'One number for each of many uids, in the order asked. A uid may be there twice and gets two numbers. What fails, fails alone, and the status is 200 all the same.',
    isCall: true,
    pathFields: NO_FIELDS,
    queryFields: NO_FIELDS,
    bodyFields: { uids: fields.uidsField, strict: fields.strictField },
    answers: 'SequenceList',
    example: {
      path: {},
      body: { uids: ['7', '8', '7'] },
      answer: {
        items: [
          { uid: '7', seq: '1' },
          { uid: '8', seq: '1' },
          { uid: '7', seq: '2' },
        ],
      },
    },
    run: async ({ uids, strict }, { backend, limits }) => {
      const items = await backend().client.nextMany(uids, { ...limits(), ...optional('strict', strict) });
      return { items: items.map((item, at) => ({ uid: uids[at], ...(item instanceof SeqError ? { error: errorBody(item) } : { seq: item }) })) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/routes',
    name: 'routes',
    doc: 'Which AllocSvr serves which sections and uids, as this node knows it; for tools, for every request finds its way by itself.',
    isCall: false,
    pathFields: NO_FIELDS,
    queryFields: { fromSection: fields.fromSectionField, limit: fields.limitField },
    answers: 'RoutingTable',
    example: {
      path: {},
      answer: {
        version: { generation: 1, value: 1 },
        geometry: { firstUid: '0', lastUid: '4294967295', uidsPerSection: 100_000 },
        routes: [
          { firstSection: 0, lastSection: 42_949, firstUid: '0', lastUid: '4294967295', alloc: 'alloc-1', address: '127.0.0.1:7091', epoch: 1 },
        ],
      },
    },
    run: ({ fromSection = 0, limit = ROUTES_PER_ANSWER_MAX }, { backend }) => {
      const table = backend().table();
      if (table === undefined) throw new SeqError('UNAVAILABLE', 'this node has no routing table yet', { definite: true });
      const { version, geometry } = table;
      const routes = routeLinesOf(table, { fromSection, limit: limit + 1 });
      const more = routes.length > limit ? routes.pop()?.firstSection : undefined;
      return { version, geometry, routes, ...optional('nextSection', more) };
    },
  }),
];
