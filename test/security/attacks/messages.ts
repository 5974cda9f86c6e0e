import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { UIDS_PER_REQUEST_MAX } from '../../../src/rpc/limits.js';
import { NextManyRequest, OpsFrame } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { type Attack, keep } from '../attack.js';
import { message, openCall, openSession, over, send } from './calls.js';

const NEXT = '/seqsvr.v1.SeqService/Next';
const NEXT_MANY = '/seqsvr.v1.SeqService/NextMany';
const EXCHANGE = '/seqsvr.v1.SeqService/Exchange';
const CONNECTIONS = 8;
const MIB = 1024 * 1024;
/** As many as a server lets one connection have. */
const STREAMS_OF_ONE = 256;
/** Of the largest message that an AllocSvr may be sent, a little less. */
const UNFINISHED_BYTES = 4 * MIB - 1_024;
const NO_VERSIONS = { routingVersion: undefined, heardVersion: undefined, strict: false };
const FIRST_FRAME = message(OpsFrame.encode({ id: 1, ...NO_VERSIONS, timeoutMs: 0, uids: [500_000n], counts: [], floors: [] }).finish());
/** An HTTP/2 frame, about. */
const PART = 16_384;

/** Attacks by messages that are too long, or not what they say. */
export const MESSAGE_ATTACKS: readonly Attack[] = [
  {
    name: 'oversized-messages',
    what: 'messages of 16 MiB, and prefixes that say 4 GiB',
    run: (target) =>
      keep(CONNECTIONS, async () => {
        const session = await openSession(target);
        if (session === undefined) return;
        for (const path of [NEXT, NEXT_MANY, EXCHANGE]) {
          const call = openCall(session, path, { target });
          await send(call, message(Buffer.alloc(PART), { length: path === NEXT ? 0xff_ff_ff_ff : 16 * MIB }));
          for (let sent = 0; sent < 16 * MIB && !call.destroyed; sent += PART) await send(call, Buffer.alloc(PART));
          await over(call);
        }
        session.destroy();
      }),
  },
  {
    name: 'unfinished-messages',
    what: 'streams that began well, each with a second message of 4 MiB of which the end never comes',
    run: (target) =>
      keep(CONNECTIONS, async () => {
        const session = await openSession(target);
        if (session === undefined) return;
        const streams = Array.from({ length: STREAMS_OF_ONE }, async () => {
          const call = openCall(session, EXCHANGE, { target });
          await send(call, FIRST_FRAME);
          await send(call, message(Buffer.alloc(PART), { length: UNFINISHED_BYTES + 512 }));
          for (let sent = PART; sent < UNFINISHED_BYTES && !call.destroyed; sent += PART) await send(call, Buffer.alloc(PART));
          await over(call);
        });
        await Promise.race([Promise.all(streams), over(session)]);
        session.destroy();
      }),
  },
  {
    name: 'compression-bombs',
    what: 'messages of a few KiB that unpack to 512 MiB',
    run: (target) => {
      const bomb = message(gzipSync(Buffer.alloc(512 * MIB)), { isCompressed: true });
      return keep(CONNECTIONS, async () => {
        const session = await openSession(target);
        if (session === undefined) return;
        for (const path of [NEXT, NEXT_MANY, EXCHANGE]) {
          const call = openCall(session, path, { target, more: { 'grpc-encoding': 'gzip' } });
          await send(call, bomb);
          call.end();
          await over(call);
        }
        session.destroy();
      });
    },
  },
  {
    name: 'malformed-messages',
    what: 'messages of random bytes, on every method',
    run: (target) =>
      keep(CONNECTIONS, async () => {
        const session = await openSession(target);
        if (session === undefined) return;
        const paths = [NEXT, NEXT_MANY, EXCHANGE, '/seqsvr.v1.RouteService/GetRoute', '/seqsvr.v1.SeqService/Nothing'];
        for (let at = 0; at < 100 && !session.destroyed; at += 1) {
          const call = openCall(session, paths[at % paths.length] ?? NEXT, { target });
          await send(call, message(randomBytes(64)));
          call.end();
          await over(call);
        }
        session.destroy();
      }),
  },
  {
    name: 'large-batches',
    what: 'NextMany with as many uids as are let in, and with ten times as many',
    run: (target) => {
      const batchOf = (count: number): Buffer =>
        message(NextManyRequest.encode({ uids: Array.from({ length: count }, (_, at) => BigInt(at)), floors: [], ...NO_VERSIONS }).finish());
      const batches = [batchOf(UIDS_PER_REQUEST_MAX), batchOf(UIDS_PER_REQUEST_MAX * 10)];
      return keep(CONNECTIONS, async () => {
        const session = await openSession(target);
        if (session === undefined) return;
        for (const batch of batches) {
          const call = openCall(session, NEXT_MANY, { target });
          await send(call, batch);
          call.end();
          await over(call);
        }
        session.destroy();
      });
    },
  },
];
