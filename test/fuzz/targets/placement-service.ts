import { SeqError } from '../../../src/base/errors.js';
import { toSectionId } from '../../../src/model/ids.js';
import type { StoreNode } from '../../../src/store/node.js';
import type { PlacementPort } from '../../../src/store/placement-port.js';
import { placementService } from '../../../src/store/placement-service.js';
import { type Method, randomCall } from '../calls.js';
import { packFrames } from '../frames.js';
import type { StageNode } from '../stage-node.js';
import type { Target } from '../target.js';
import { STORE_WORDS } from '../words.js';
import { feedCalls } from './service-calls.js';

const NAMES = [
  'getArbiter',
  'getHistory',
  'listSections',
  'moveSections',
  'rebalance',
  'setPolicy',
  'setLease',
  'drainAlloc',
  'removeAlloc',
  'getSets',
  'setSets',
];
const METHODS: readonly Method[] = NAMES.map((method) => ({ service: 'PlacementService', method }));
const ELECTION_MAX_MS = 1_000;

export const placementServiceTarget: Target = {
  name: 'placement-service',
  about: 'requests of operators about sections, AllocSvrs and sets (store/placement-service.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate: (random) => packFrames(Array.from({ length: 1 + random.below(8) }, () => randomCall(METHODS, random, STORE_WORDS))),
  feed: (input) =>
    feedCalls(input, METHODS, ({ node, clock, handlers }) => [
      placementService({
        node: node as unknown as StoreNode,
        authority: { heardMsAgo: () => 12.3 },
        placement: placementOn(node),
        handlers,
        clock,
        electionMaxMs: ELECTION_MAX_MS,
      }),
    ]),
};

/** An arbiter that takes every wish that names sections of the set. */
function placementOn(node: StageNode): PlacementPort {
  return {
    heldBy: undefined,
    plan: () => [],
    move: ({ firstSection, sectionCount }, toAllocId) => {
      if (sectionCount < 1 || firstSection + sectionCount > node.state.sections.length)
        return Promise.reject(new SeqError('INVALID_ARGUMENT', `no sections ${firstSection}+${sectionCount}`));
      return Promise.resolve([{ firstSection: toSectionId(firstSection), sectionCount, toAllocId, reason: 'operator' }]);
    },
    rebalance: () => Promise.resolve([]),
    waitLeftMs: () => 1234.4,
    callsPerSecond: () => 7,
  };
}
