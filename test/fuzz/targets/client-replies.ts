import { EventEmitter } from 'node:events';
import { unreachable } from '../../../src/base/assert.js';
import { systemClock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import { Stopper } from '../../../src/base/stop.js';
import { Attempts, type AttemptScope } from '../../../src/client/attempt.js';
import { RoutingCache } from '../../../src/client/routing-cache.js';
import { parseUid, SEQ_MAX } from '../../../src/model/ids.js';
import { isNewer } from '../../../src/model/version.js';
import { ErrorDetail } from '../../../src/rpc/gen/seqsvr/v1/common.js';
import { OpsFrame, OpsReply } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { exchangeMethod } from '../../../src/rpc/ops-codec.js';
import { errorFromDetail } from '../../../src/rpc/status.js';
import type { SeededRandom } from '../../unit/seeded-random.js';
import { type Frame, packFrames, unpackFrames } from '../frames.js';
import { randomMessage, typeOf, type Words } from '../messages.js';
import { mustHold, type Outcome, refusalOf, type Target } from '../target.js';

const UID = parseUid(5);
const ADDRESS = 'a:1';
/** What is asked for, by frame kind, and what answers it. ERROR: the status of a failed call, with our trailer. */
const CALLS = ['next', 'next', 'nextMany', 'current', 'advance', 'getRoute'] as const;
const ANSWERS = { next: 'OpsReply', nextMany: 'OpsReply', current: 'OpsReply', advance: 'AdvanceResponse', getRoute: 'GetRouteResponse' } as const;
const ERROR = 64;
const COUNT = 3;
const SCOPE: AttemptScope = { stopError: undefined, signal: new Stopper(), attempt: () => ({ timeoutMs: 100, signal: new Stopper() }) };
const NO_REPLY = { places: [], epoch: 0n, epochs: [], seqs: [], inexact: [], errors: [], routing: undefined, routingDelta: undefined };
const NUMBERS = ['1', '3', '4', '6', '7', '9', '10', '12', '0', '9223372036854775807', '9223372036854775808'];
const WORDS: Words = {
  seqs: NUMBERS,
  places: [0, 1, 5],
  place: [0, 1, 5],
  inexact: [0, 1],
  seq: NUMBERS,
  epoch: ['1', '2', '3', '9007199254740992'],
  generation: ['7', '0', '8'],
  value: ['1', '2', '3'],
  firstUid: ['0'],
  lastUid: ['39', '18446744073709551615'],
  uidsPerSection: [10, 1],
  sectionCount: [4, 2, 1, 0],
  alloc: [1, 0, 2, 9],
  id: ['a', 'b', ''],
  address: ['a:1', 'b:1', 'nowhere'],
  code: ['UNAVAILABLE', 'NOT_OWNER', 'TIMEOUT', 'NOBODY_KNOWS'],
  redirectAddress: ['b:1', 'nowhere', ''],
};

/** Answers in the order in which one client gets them. */
export const clientReplies: Target = {
  name: 'client-replies',
  about: 'answers and errors of servers to a client (client/attempt.ts, rpc/status.ts)',
  shape: { parts: 'frames', payload: 'proto' },
  generate: (random) => packFrames(Array.from({ length: 1 + random.below(8) }, () => replyOf(random))),
  async feed(input) {
    const client = new Client();
    const outcomes: Outcome[] = [];
    for (const frame of unpackFrames(input)) outcomes.push(await client.ask(frame));
    return outcomes;
  },
};

class Client {
  readonly #cache = new RoutingCache();
  #frame: Frame = { kind: 0, payload: new Uint8Array() };
  #last = 0n;
  readonly #attempts = new Attempts({
    pool: { to: () => ({ call: (method) => this.#answer(method), duplexStream: () => this.#stream() as never, errorOf: (error) => error as never }) },
    cache: this.#cache,
    clock: systemClock,
    events: { onTable: () => undefined, onSets: () => undefined, onOutcome: () => undefined },
  });

  async ask(frame: Frame): Promise<Outcome> {
    this.#frame = frame;
    const before = this.#cache.version;
    try {
      await this.#call(frame.kind % CALLS.length);
      return `ok ${CALLS[frame.kind % CALLS.length]}`;
    } catch (error) {
      return refusalOf(error);
    } finally {
      mustHold(!isNewer(before, this.#cache.version), 'a table never goes back');
    }
  }

  /** A client without a table asks whoever it likes; with one only the owner, so it may say that the section has moved. */
  async #call(kind: number): Promise<void> {
    const attempts = this.#attempts;
    const call = CALLS[kind] ?? 'getRoute';
    switch (call) {
      case 'next': {
        const { first, last } = await attempts.next(ADDRESS, { uid: UID, count: COUNT }, SCOPE);
        mustHold(last - first === BigInt(COUNT - 1), 'as many numbers as were asked for');
        return this.#handedOut(first, last);
      }
      case 'nextMany': {
        const items = await attempts.nextMany(ADDRESS, [UID], SCOPE);
        for (const item of items) if (!SeqError.is(item)) this.#handedOut(item, item);
        return;
      }
      case 'current': {
        const { seq, exact } = await attempts.current(ADDRESS, { uid: UID }, SCOPE);
        mustHold(seq >= this.#last && seq <= SEQ_MAX, 'a counter is never below a number that was seen');
        if (exact) this.#last = seq;
        return;
      }
      case 'advance': {
        const seq = await attempts.advance(ADDRESS, { uid: UID, to: 6n }, SCOPE);
        mustHold(seq >= 6n, 'a counter that was lifted stands there');
        this.#last = seq > this.#last ? seq : this.#last;
        return;
      }
      case 'getRoute':
        return attempts.getRoute(ADDRESS, { timeoutMs: 100 });
      default:
        return unreachable(call);
    }
  }

  /** Answers every frame with the bytes of this input, their id and so much set right that some get through. */
  #stream(): EventEmitter {
    const stream = new EventEmitter();
    return Object.assign(stream, {
      cancel: () => undefined,
      write: (bytes: Buffer) => {
        const { id } = OpsFrame.decode(bytes);
        const { kind, payload } = this.#frame;
        queueMicrotask(() => {
          if (kind < ERROR)
            stream.emit('data', exchangeMethod.responseDeserialize(Buffer.concat([payload, OpsReply.encode({ ...NO_REPLY, id }).finish()])));
          else stream.emit('error', trailerOf(payload));
        });
        return true;
      },
    });
  }

  #handedOut(first: bigint, last: bigint): void {
    mustHold(first > this.#last && first >= 1n, 'the client never believes a number at or below one that it has seen');
    mustHold(last <= SEQ_MAX, 'a number is at most 2^63-1');
    this.#last = last;
  }

  /** As a channel: a status with our trailer is the error in it, an answer that is none breaks the protocol. */
  #answer(method: { readonly responseDeserialize: (bytes: Buffer) => unknown }): Promise<never> {
    const { kind, payload } = this.#frame;
    try {
      if (kind >= ERROR) return Promise.reject(trailerOf(payload));
      return Promise.resolve(method.responseDeserialize(Buffer.from(payload)) as never);
    } catch (cause) {
      return Promise.reject(SeqError.is(cause) ? cause : new SeqError('PROTOCOL', 'no message', { cause }));
    }
  }
}

/** What a trailer says; one that cannot be read breaks the protocol. */
function trailerOf(payload: Uint8Array): SeqError {
  try {
    return errorFromDetail(ErrorDetail.decode(payload));
  } catch (cause) {
    return SeqError.is(cause) ? cause : new SeqError('PROTOCOL', 'no message', { cause });
  }
}

function replyOf(random: SeededRandom): Frame {
  const kind = random.below(CALLS.length);
  if (random.chance(0.1)) return { kind: ERROR * 3 + kind, payload: randomMessage(typeOf('ErrorDetail'), random, WORDS) };
  return { kind, payload: randomMessage(typeOf(ANSWERS[CALLS[kind] ?? 'next']), random, WORDS) };
}
