/** Where actual output first leaves the expected; undefined on either side: nothing more is there. */
export interface Difference {
  /** Among the expected lines, counted from 0. */
  readonly at: number;
  readonly expected: string | undefined;
  readonly actual: string | undefined;
}

const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /;

/**
 * Free-text log lines are not part of what is compared, on either side. Everything else must be the same, byte for byte.
 * A command that prints nothing says `ok`; so does one of which only log lines were expected.
 */
export function firstDifference(expected: readonly string[], actual: string): Difference | undefined {
  const wanted = expected.map((line, at) => ({ line, at })).filter(({ line }) => !LOG_LINE.test(line));
  const got = linesOf(actual).filter((line) => !LOG_LINE.test(line));
  if (wanted.length === 0 && (got.length === 0 || (got.length === 1 && got[0] === 'ok'))) return undefined;
  for (let place = 0; place < Math.max(wanted.length, got.length); place++) {
    if (wanted[place]?.line === got[place]) continue;
    return { at: wanted[place]?.at ?? expected.length, expected: wanted[place]?.line, actual: got[place] };
  }
  return undefined;
}

function linesOf(text: string): readonly string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
