import { SeqError } from '../../../src/base/errors.js';
import { AllocNode } from '../../../src/alloc/node.js';
import { parseAllocId, type Slot, toSectionId } from '../../../src/model/ids.js';
import { assignmentFromWire, outcomesFromWire, registrationFromWire, renewalFromWire } from '../../../src/store/client-values.js';
import * as wire from '../../../src/rpc/gen/seqsvr/v1/store.js';
import { FakeStore } from '../../unit/alloc/fake-store.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { VirtualClock } from '../../unit/virtual-clock.js';
import { type Frame, packFrames, unpackFrames } from '../frames.js';
import { randomMessage, typeOf, type Words } from '../messages.js';
import { mustHold, type Outcome, outcomeOf, type Target } from '../target.js';
import { tableToWire, windowToWire } from '../../../src/rpc/codec.js';

/** Frame kinds: which answer of a StoreSvr it is, and what becomes of it. */
const KINDS: readonly { readonly name: string; readonly take: (node: AllocNode, payload: Uint8Array) => unknown }[] = [
  { name: 'Assignment', take: (node, payload) => node.adopt(assignmentFromWire(decoded(wire.Assignment, payload))) },
  { name: 'RenewResponse', take: (_, payload) => renewalFromWire(decoded(wire.RenewResponse, payload)) },
  { name: 'RegisterResponse', take: (_, payload) => registrationFromWire(decoded(wire.RegisterResponse, payload)) },
  { name: 'RaiseResponse', take: (_, payload) => outcomesFromWire(decoded(wire.RaiseResponse, payload), 2) },
];
const WORDS: Words = {
  generation: ['1000', '1001', '0'],
  value: ['3', '4', '5', '6', '2', '9007199254740991'],
  firstUid: ['0'],
  lastUid: ['3999', '0'],
  uidsPerSection: [1000, 0],
  firstSection: [0, 1, 2, 3, 4, 4294967295],
  sectionCount: [1, 4, 0, 4294967295],
  epoch: ['1', '2', '3', '0', '9007199254740992'],
  base: ['0', '100', '200', '9223372036854775808'],
  maxSeq: ['100', '200', '300', '0', '9223372036854775807'],
  alloc: [1, 2, 0, 3],
  id: ['a', 'b'],
  nextAllocId: ['', 'b'],
  fromAllocId: ['b', 'a', ''],
  digest: ['ab'.repeat(32), 'cd'.repeat(32), 'ab'],
  address: ['a:1', 'b:1', ''],
  leaseMs: [3000, 1000, 0],
  driftPpm: [10_000, 300_000],
  marginMs: [100],
  raiseBy: ['100', '0', '9223372036854775808'],
};

/** What a leader answers, in order, to an AllocSvr that serves meanwhile. The leader's word is the log's: it is checked for sense, and believed. */
export const assignments: Target = {
  name: 'assignments',
  about: 'answers of StoreSvrs to an AllocSvr: tables with windows, renewals, raises (store/client-values.ts, alloc/ownership.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate(random) {
    const store = new FakeStore();
    const frames: Frame[] = [];
    for (let left = 1 + random.below(6); left > 0; left -= 1) {
      store.assign(random.pick(['a', 'b', undefined]), random.below(4));
      frames.push(random.chance(0.6) ? { kind: 0, payload: assignmentOf(store) } : replyOf(random));
    }
    return packFrames(frames);
  },
  async feed(input) {
    const clock = new VirtualClock();
    const store = new FakeStore();
    store.assign('a', 0, 1);
    const fatal: unknown[] = [];
    const node = new AllocNode({
      id: parseAllocId('a'),
      zone: '',
      renewEveryMs: 500,
      store,
      pull: () => Promise.resolve(),
      clock,
      random: new SeededRandom(1),
      observe: () => undefined,
      onFatal: (error) => fatal.push(error),
    });
    await node.start({ address: 'a:1' });
    const last = new Map<number, bigint>();
    const outcomes = unpackFrames(input).map((frame) => {
      const outcome = take(node, frame);
      serve(node, clock, last);
      return outcome;
    });
    node.stop();
    return fatal.length === 0 ? outcomes : [...outcomes, 'ok the run is over'];
  },
};

function take(node: AllocNode, { kind, payload }: Frame): Outcome {
  const answer = KINDS[kind % KINDS.length];
  return outcomeOf(() => {
    answer?.take(node, payload);
    return `ok ${answer?.name}`;
  });
}

/** As grpc-js and our channel: what cannot be decoded broke the protocol. */
function decoded<Message>(type: { decode(bytes: Uint8Array): Message }, payload: Uint8Array): Message {
  try {
    return type.decode(payload);
  } catch (cause) {
    throw new SeqError('PROTOCOL', 'no message', { cause });
  }
}

/** One number of each section, where there is one: it is above all that were handed out there. */
function serve(node: AllocNode, clock: VirtualClock, last: Map<number, bigint>): void {
  for (const section of [0, 1, 2, 3]) {
    outcomeOf(() => {
      const taken = node.tryNext({ section: toSectionId(section), slot: 5 as Slot, count: 1, floor: 0n }, clock.now());
      if (taken === undefined) return undefined;
      mustHold(taken.first > (last.get(section) ?? 0n) || taken.epoch > 1, 'every number is greater than every one that was returned before');
      last.set(section, taken.last);
      return undefined;
    });
  }
}

function assignmentOf(store: FakeStore): Uint8Array {
  const { table, windows } = store.assignment();
  return wire.Assignment.encode({ routing: tableToWire(table), windows: windows.map(windowToWire), incoming: [], sets: undefined }).finish();
}

function replyOf(random: SeededRandom): Frame {
  const kind = random.below(KINDS.length);
  return { kind, payload: randomMessage(typeOf(KINDS[kind]?.name ?? 'Assignment'), random, WORDS) };
}
