import { AllocNode } from '../../../src/alloc/node.js';
import { AllocService } from '../../../src/alloc/service.js';
import { locate } from '../../../src/model/geometry.js';
import { parseAllocId, parseUid } from '../../../src/model/ids.js';
import type {
  AdvanceResponse,
  CurrentResponse,
  NextManyRequest,
  NextManyResponse,
  NextRequest,
  NextResponse,
} from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { Handlers } from '../../../src/rpc/server.js';
import { FakeStore } from '../../unit/alloc/fake-store.js';
import { SeededRandom } from '../../unit/seeded-random.js';
import { VirtualClock } from '../../unit/virtual-clock.js';
import { Call, type Method, noBugs, randomCall } from '../calls.js';
import { packFrames, unpackFrames } from '../frames.js';
import type { Words } from '../messages.js';
import { settled } from '../settled.js';
import { mustHold, type Target } from '../target.js';

const SEQ = ['next', 'next', 'nextMany', 'current', 'advance'].map((method) => ({ service: 'SeqService', method }));
const METHODS: readonly Method[] = [
  ...SEQ,
  { service: 'RouteService', method: 'getRoute' },
  { service: 'AdminService', method: 'getStatus' },
  { service: 'HandoffService', method: 'pull' },
];
const UIDS = ['5', '6', '999', '1000', '1500', '2500', '3999', '4000', '18446744073709551615'];
const NUMBERS = ['0', '1', '5', '100', '101', '500', '1099511627777', '9223372036854775807', '9223372036854775808'];
const WORDS: Words = {
  uid: UIDS,
  uids: UIDS,
  count: [1, 0, 2, 10, 100, 1_000, 1_000_000, 1_000_001, 4294967295],
  floor: NUMBERS,
  floors: NUMBERS,
  to: NUMBERS.toSpliced(0, 1),
  strict: [false, true],
  generation: ['1000', '0', '1001', '9007199254740992'],
  value: ['1', '2', '3', '4', '5', '0'],
  setsVersion: ['0', '1'],
  allocId: ['b', 'a', 'nobody', ''],
  section: [0, 1, 2, 3, 4, 4294967295],
  epoch: ['1', '2', '0', '9007199254740992'],
  page: [0, 1, 4294967295],
};
/** How long each call has, in ms of the stage's clock. */
const CALL_MS = 100;

export const seqService: Target = {
  name: 'seq-service',
  about: 'requests of clients and successors to an AllocSvr: SeqService, RouteService, AdminService, HandoffService (alloc/service.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate: (random) => packFrames(Array.from({ length: 1 + random.below(8) }, () => randomCall(METHODS, random, WORDS))),
  async feed(input) {
    const clock = new VirtualClock();
    const store = new FakeStore();
    store.assign('a', 0, 1);
    store.assign('b', 2);
    store.planMove(1);
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
    const bugs = noBugs();
    const services = new AllocService({ node, clock, version: '1.0.0', isStrict: false }).services(new Handlers({ clock, onBug: bugs.onBug }));
    const counters = new Counters(store);
    const calls: Call[] = [];
    for (const { kind, payload } of unpackFrames(input)) {
      const method = METHODS[kind % METHODS.length];
      if (method === undefined) continue;
      const call = new Call(services, method, { bytes: payload, deadline: new Date(clock.wallMs() + CALL_MS) });
      calls.push(call);
      await settled();
      counters.check(call);
    }
    await clock.elapse(2 * CALL_MS);
    for (const call of calls) mustHold(call.answered !== 'pending', 'a call is answered by its deadline');
    bugs.check();
    mustHold(fatal.length === 0, 'no request ends an AllocSvr');
    node.stop();
    return calls.map(({ outcome }) => outcome);
  },
};

/** What the numbers of one caller after the other must be. Who waits is not looked at: its answer may have been overtaken. */
class Counters {
  readonly #store: FakeStore;
  readonly #last = new Map<bigint, bigint>();

  constructor(store: FakeStore) {
    this.#store = store;
  }

  check({ method: { method }, answered }: Call): void {
    if (answered === 'pending' || 'refused' in answered) return;
    switch (method) {
      case 'next': {
        const { uid, count, floor } = answered.request as NextRequest;
        const { first, last } = answered.answer as NextResponse;
        mustHold(last - first + 1n === BigInt(count === 0 ? 1 : count), 'as many numbers as were asked for');
        mustHold(first > floor, 'no answer is at or below the floor of its call');
        return this.#handedOut(uid, first, last);
      }
      case 'nextMany': {
        const { uids } = answered.request as NextManyRequest;
        const { items } = answered.answer as NextManyResponse;
        mustHold(items.length === uids.length, 'an item for each uid');
        return items.forEach(({ seq, error }, at) => {
          if (error === undefined) this.#handedOut(uids[at] ?? 0n, seq, seq);
        });
      }
      case 'current':
      case 'advance': {
        const { uid } = answered.request as { readonly uid: bigint };
        const { seq } = answered.answer as CurrentResponse | AdvanceResponse;
        mustHold(seq >= (this.#last.get(uid) ?? 0n), 'a counter is never below a number that was returned');
        this.#checkCeiling(uid, seq);
        this.#last.set(uid, seq);
        return;
      }
      default:
        return;
    }
  }

  #handedOut(uid: bigint, first: bigint, last: bigint): void {
    mustHold(first > (this.#last.get(uid) ?? 0n), 'every number is greater than every one that was returned before');
    this.#checkCeiling(uid, last);
    this.#last.set(uid, last);
  }

  #checkCeiling(uid: bigint, seq: bigint): void {
    const { section } = locate(this.#store.geometry, parseUid(uid));
    const { maxSeq, owner } = this.#store.sections[section] ?? { maxSeq: 0n, owner: undefined };
    // A section that was sealed and released by a pull is somebody else's by now, with a ceiling of its own.
    mustHold(owner !== 'a' || seq <= maxSeq, 'curSeq <= maxSeq committed by Raft');
  }
}
