import type { Options } from 'yargs';
import { type Clock, isoTime, sleep, systemClock } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import { parseDurationMs } from './duration.js';
import { exitCodeOf, headline } from './exit.js';
import type { Voices } from './member-session.js';
import { type ConnectionArgs, type ConnectionFlags, parseConnection, TIMEOUT_DEFAULT } from './options.js';
import type { Format } from './output.js';

const EVERY_DEFAULT = '2s';
/** Often enough to look live; every look asks all nodes anew. */
const EVERY_MIN_MS = 100;
/** Puts the cursor in the corner and clears what is below: a terminal that understands nothing else understands these. */
const CLEAR_SCREEN = '\u001b[H\u001b[2J';

/** For commands that look and change nothing. */
export const WATCH_OPTIONS = {
  watch: { alias: 'w', type: 'boolean', default: false, describe: 'show it again and again, until Ctrl-C or --timeout', group: 'Output:' },
  every: { type: 'string', default: EVERY_DEFAULT, describe: 'how often, with --watch', group: 'Output:', requiresArg: true },
} as const satisfies Record<string, Options>;

type WatchFlags = ConnectionFlags & { readonly watch: boolean; readonly every: string };
/** One look. */
type Look = (args: ConnectionArgs, voices: Voices) => Promise<number>;

/** What runs when such a command is chosen: one look, or one after the other. Throws INVALID_ARGUMENT with the value and the rule. */
export function watching(flags: WatchFlags, voices: Voices, look: Look): () => Promise<number> {
  return () => {
    const args = parseConnection(flags);
    const everyMs = parseDurationMs(flags.every);
    if (everyMs < EVERY_MIN_MS) throw new SeqError('INVALID_ARGUMENT', `--every must be at least ${EVERY_MIN_MS}ms, got ${flags.every}`);
    return flags.watch ? watch(args, { voices, look, everyMs, clock: systemClock }) : look(args, voices);
  };
}

/** Looks until the time given is over, for ever when none is: then Ctrl-C ends the process. The exit code is that of the last look. */
export async function watch(
  args: ConnectionArgs,
  { voices, look, everyMs, clock }: { readonly voices: Voices; readonly look: Look; readonly everyMs: number; readonly clock: Clock },
): Promise<number> {
  const endMs = args.isTimeoutGiven ? clock.nowMs() + args.timeoutMs : Number.POSITIVE_INFINITY;
  for (;;) {
    let text = '';
    // Shown at once when the look is over: a screen that is cleared before it would flicker.
    const shown: Voices = { ...voices, output: { ...voices.output, out: (part) => void (text += part) } };
    const timeoutMs = Math.max(1, Math.min(parseDurationMs(TIMEOUT_DEFAULT), endMs - clock.nowMs()));
    const code = await look({ ...args, timeoutMs, isTimeoutGiven: false }, shown).catch((error: unknown) => {
      // An outage is what somebody watches for; what no waiting can help ends the watch.
      if (!SeqError.is(error) || !error.retryable) throw error;
      voices.output.talk(headline(error));
      return exitCodeOf(error);
    });
    if (text !== '') voices.output.out(framed(text, { format: args.output, isScreen: voices.terminal.isScreen === true, everyMs, clock }));
    if (clock.nowMs() + everyMs >= endMs) return code;
    await sleep(clock, everyMs);
  }
}

/** JSON objects follow each other as they are, and readers take them one by one. */
function framed(text: string, how: { readonly format: Format; readonly isScreen: boolean; readonly everyMs: number; readonly clock: Clock }): string {
  if (how.format === 'json') return text;
  if (how.format === 'yaml') return `---\n${text}`;
  const head = `every ${how.everyMs}ms, ${isoTime(how.clock.wallMs())}\n\n`;
  return how.isScreen ? `${CLEAR_SCREEN}${head}${text}` : `${head}${text}\n`;
}
