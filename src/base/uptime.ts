import { closeSync, openSync, readSync } from 'node:fs';
import { uptime } from 'node:os';

/** Linux tells it here, in seconds with two decimals. */
const PATH = '/proc/uptime';
const POINT = 0x2e;
const ZERO = 0x30;
/** Longer than both numbers of the file. */
const ROOM_BYTES = 64;

const room = Buffer.alloc(ROOM_BYTES);
/** Open from the first reading on: os.uptime() opens the same file for each, which takes three times as long. null: there is none. */
let file: number | null | undefined;

/** Milliseconds since the machine started, suspended ones too; whole hundredths of a second on Linux. */
export function uptimeMs(): number {
  if (file === undefined) file = open();
  return (file === null ? undefined : parseUptimeMs(room, readSync(file, room, 0, ROOM_BYTES, 0))) ?? uptime() * 1000;
}

/** The first number of `1234.56 5678.90`, in milliseconds; undefined when there is none. */
export function parseUptimeMs(text: Uint8Array, length: number): number | undefined {
  let hundredths = 0;
  let decimals = -1;
  for (let at = 0; at < length && decimals < 2; at++) {
    const sign = text[at] ?? 0;
    if (sign === POINT && at > 0 && decimals < 0) decimals = 0;
    else if (sign < ZERO || sign > ZERO + 9) return undefined;
    else {
      hundredths = hundredths * 10 + sign - ZERO;
      if (decimals >= 0) decimals += 1;
    }
  }
  return decimals === 2 ? hundredths * 10 : undefined;
}

/** Null: this system has no such file, or another kind of it. */
function open(): number | null {
  if (process.platform !== 'linux') return null;
  const opened = openSync(PATH, 'r');
  if (parseUptimeMs(room, readSync(opened, room, 0, ROOM_BYTES, 0)) !== undefined) return opened;
  closeSync(opened);
  return null;
}
