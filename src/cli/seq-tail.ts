import { type Clock, isoTime, sleep, systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { CurrentSeq } from '../client/client.js';
import { parseUid } from '../model/ids.js';
import type { ConnectionArgs } from './options.js';
import { type Format, type Output, printOneOfMany } from './output.js';
import { EXIT, headline } from './exit.js';
import { connect } from './seq.js';

export interface TailOptions {
  readonly everyMs: number;
  /** Lines to print at most. Undefined: no limit. */
  readonly count: number | undefined;
  /** By the clock's nowMs(). Infinity: until the process is ended. */
  readonly endMs: number;
  readonly format: Format;
}

/** `seqctl seq tail UID`: without --timeout, until Ctrl-C. */
export async function seqTail(
  args: ConnectionArgs & { readonly uid: string; readonly everyMs: number; readonly count: number | undefined },
  output: Output,
): Promise<number> {
  const uid = parseUid(args.uid);
  await using client = await connect(args);
  const endMs = args.isTimeoutGiven ? systemClock.nowMs() + args.timeoutMs : Number.POSITIVE_INFINITY;
  return await tail(uid, { current: () => client.current(uid), clock: systemClock, output }, { ...args, endMs, format: args.output });
}

/** Prints the last number, and again each time it has grown. An outage is told once, and waited out. */
export async function tail(
  uid: bigint,
  world: { readonly current: () => Promise<CurrentSeq>; readonly clock: Clock; readonly output: Output },
  { everyMs, count = Number.POSITIVE_INFINITY, endMs, format }: TailOptions,
): Promise<number> {
  const { clock, output } = world;
  let printed = 0;
  let last: bigint | undefined;
  let lastWord = '';
  while (printed < count) {
    try {
      const { seq, exact } = await world.current();
      lastWord = '';
      if (last === undefined || seq > last) {
        last = seq;
        printed += 1;
        const time = isoTime(clock.wallMs());
        const wide = `${time}   ${seq}${exact ? '' : '   (an upper bound)'}\n`;
        printOneOfMany(output, format, { kind: 'CurrentSequence', body: { uid, seq, exact, time }, table: format === 'wide' ? wide : `${seq}\n` });
      }
    } catch (error) {
      if (!SeqError.is(error) || !error.retryable) throw error;
      if (error.code !== lastWord) output.talk(`${headline(error)}; still looking`);
      lastWord = error.code;
    }
    if (printed >= count || clock.nowMs() + everyMs >= endMs) break;
    await sleep(clock, everyMs);
  }
  return last === undefined ? EXIT.unreachable : EXIT.ok;
}
