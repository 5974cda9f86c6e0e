import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { OPS_PER_FRAME_MAX } from '../../../src/rpc/limits.js';
import { GetRouteRequest, NextRequest, OpsFrame } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { type Attack, keep, type Target } from '../attack.js';
import { message, openCall, openSession, over, send } from './calls.js';

const NEXT = '/seqsvr.v1.SeqService/Next';
const EXCHANGE = '/seqsvr.v1.SeqService/Exchange';
const GET_ROUTE = '/seqsvr.v1.RouteService/GetRoute';
const CONNECTIONS = 4;
const STREAMS_OF_ONE = 16;
const CALLS_OF_ONE = 200;
const COUNT_MAX = 0xff_ff_ff_ff;
const FLOOR_MAX = 2n ** 63n - 1n;
/** No uid that the good client takes numbers for. */
const FIRST_UID = 200_000;
/** A table that is never made: who has heard of it waits for it. */
const FAR_VERSION = { generation: 0n, value: 2n ** 40n };
/** So little of an answer is asked for at a time. */
const SMALL_WINDOW_BYTES = 1;

const NO_VERSIONS = { routingVersion: undefined, heardVersion: undefined, strict: false };

/** Attacks by operations that can be read, and should not be asked for. */
export const OPERATION_ATTACKS: readonly Attack[] = [
  {
    name: 'huge-counts',
    what: 'frames and calls that ask for 2^32 - 1 numbers at once',
    run: async (target) => {
      const counts = full(() => COUNT_MAX);
      await Promise.all([
        stream(target, (id) => framed({ id, counts })),
        call(target, NextRequest.encode({ uid: 0n, count: COUNT_MAX, floor: 0n, ...NO_VERSIONS }).finish()),
      ]);
    },
  },
  {
    name: 'frame-ids',
    what: 'frames whose ids come again before they are answered',
    // STRICT, so that the first one is under way when the second one comes.
    run: (target) => stream(target, (id) => Buffer.concat([framed({ id, strict: true }), framed({ id, strict: true })])),
  },
  {
    name: 'huge-floors',
    what: 'frames in which every uid has seen 2^63 - 1 already',
    run: (target) => {
      const floors = full(() => FLOOR_MAX);
      return stream(target, (id) => framed({ id, floors }));
    },
  },
  {
    name: 'waiters',
    what: 'frames of operations that all wait: for raises, for tables that nobody has made, for a confirmation',
    run: async (target) => {
      const counts = full(() => 1_000_000);
      const timeoutMs = 10_000;
      await Promise.all([
        stream(target, (id) => framed({ id, counts, timeoutMs })),
        stream(target, (id) => framed({ id, timeoutMs, heardVersion: FAR_VERSION })),
        stream(target, (id) => framed({ id, timeoutMs, strict: true })),
      ]);
    },
  },
  {
    name: 'slow-reader',
    what: 'full frames without end, whose answers are never read',
    run: (target) => stream(target, (id) => framed({ id }), { reads: false }),
  },
  {
    name: 'slow-reader-of-tables',
    what: 'calls for the routing table whose answers are never read, on as many streams as there may be',
    run: (target) =>
      keep(CONNECTIONS, async () => {
        const session = await openSession(target, { initialWindowSize: SMALL_WINDOW_BYTES });
        if (session === undefined) return;
        const request = message(GetRouteRequest.encode({ routingVersion: undefined, setsVersion: 0n }).finish());
        await Promise.all(
          Array.from({ length: CALLS_OF_ONE }, async () => {
            const one = openCall(session, GET_ROUTE, { target, reads: false });
            await send(one, request);
            one.end();
            await over(one);
          }),
        );
        session.destroy();
      }),
  },
];

/** One value for every operation of a full frame. */
function full<Value>(valueAt: (place: number) => Value): Value[] {
  return Array.from({ length: OPS_PER_FRAME_MAX }, (_, place) => valueAt(place));
}

const UIDS = full((place) => BigInt(FIRST_UID + place));

function framed(fields: Partial<OpsFrame> & { readonly id: number }): Buffer {
  return message(OpsFrame.encode({ ...NO_VERSIONS, timeoutMs: 0, uids: UIDS, counts: [], floors: [], ...fields }).finish());
}

/** Exchange streams on which frame after frame is sent, as fast as they are taken. */
function stream(target: Target, frameOf: (id: number) => Buffer, { reads = true } = {}): Promise<void> {
  // Encoding a frame takes an abuser longer than a server takes to answer it.
  const frames = Array.from({ length: STREAMS_OF_ONE }, (_, id) => frameOf(id + 1));
  const one = async (session: ClientHttp2Session): Promise<void> => {
    const exchange: ClientHttp2Stream = openCall(session, EXCHANGE, { target, reads });
    for (let sent = 0; !exchange.destroyed && !exchange.closed; sent += 1) {
      await send(exchange, frames[sent % frames.length] ?? Buffer.alloc(0));
      target.note('sent');
    }
  };
  return keep(CONNECTIONS, async () => {
    const session = await openSession(target);
    if (session === undefined) return;
    await Promise.all(Array.from({ length: STREAMS_OF_ONE }, () => one(session)));
    session.destroy();
  });
}

function call(target: Target, request: Uint8Array): Promise<void> {
  return keep(CONNECTIONS, async () => {
    const session = await openSession(target);
    if (session === undefined) return;
    for (let at = 0; at < CALLS_OF_ONE && !session.destroyed; at += 1) {
      const one = openCall(session, NEXT, { target });
      await send(one, message(request));
      one.end();
      await over(one);
    }
    session.destroy();
  });
}
