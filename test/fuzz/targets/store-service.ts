import type { StoreNode } from '../../../src/store/node.js';
import { assignmentOf, storeRouteService, storeService } from '../../../src/store/service.js';
import { Watchers } from '../../../src/store/watchers.js';
import { type Method, randomCall } from '../calls.js';
import { packFrames } from '../frames.js';
import type { Target } from '../target.js';
import { STORE_WORDS } from '../words.js';
import { feedCalls } from './service-calls.js';

const STORE = ['register', 'renew', 'raise', 'release', 'drain', 'confirm', 'reportDeath', 'load', 'watch'] as const;
const METHODS: readonly Method[] = [...STORE.map((method) => ({ service: 'StoreService', method })), { service: 'RouteService', method: 'getRoute' }];

export const storeServiceTarget: Target = {
  name: 'store-service',
  about: 'requests of AllocSvrs to a leading StoreSvr: StoreService, RouteService (store/service.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate: (random) => packFrames(Array.from({ length: 1 + random.below(8) }, () => randomCall(METHODS, random, STORE_WORDS))),
  feed: (input) =>
    feedCalls(input, METHODS, ({ node, clock, handlers }) => {
      const storeNode = node as unknown as StoreNode;
      const watchers = new Watchers({ assignmentOf: (caller) => assignmentOf(storeNode, caller), version: () => node.state.version });
      node.afterProposal = () => watchers.push();
      const authority = { mayRenew: () => true, heard: () => undefined, heardMsAgo: () => 5 };
      return [storeService({ node: storeNode, authority, watchers, handlers, clock }), storeRouteService(storeNode, handlers)];
    }),
};
