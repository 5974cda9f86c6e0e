import { createReadStream, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { messageOf, SeqError } from '../base/errors.js';
import { type CheckResult, checkHistory, showViolations, type Violation } from '../verify/check-history.js';
import { HistoryParser, type RecordedHistory } from '../verify/history-file.js';
import { timelineHtml } from '../verify/timeline-html.js';
import { EXIT } from './exit.js';
import { type Format, type Output, print } from './output.js';

/** Violations that are printed at most; all are counted. */
const TABLE_MAX = 10;
const JSON_MAX = 100;

/**
 * `seqctl verify --history FILE`: is the recorded history one that a correct service can give? The exit code is 0 when it is, else 1. Throws INVALID_ARGUMENT
 * for a file that cannot be read, is no history or has nothing to check.
 */
export async function verify(
  args: { readonly history: string; readonly timeline: string | undefined; readonly output: Format },
  output: Output,
): Promise<number> {
  const history = await readHistory(args.history);
  const { operations, faults, cutOffLine } = history;
  if (cutOffLine !== undefined) {
    output.talk(`${args.history}:${cutOffLine}: the last line is cut off and left out; an exact current that only it explains shows as violated`);
  }
  if (operations.length === 0) throw new SeqError('INVALID_ARGUMENT', `${args.history} has no operation: nothing would be checked`);
  const result = checkHistory(operations);
  const { violations, isValid } = result;
  const timeline = isValid ? undefined : args.timeline;
  if (timeline !== undefined) write(timeline, timelineHtml({ title: `Violations in ${args.history}`, violations, operations, faults }));
  else if (args.timeline !== undefined) output.talk('no timeline was written: nothing is violated');
  const body = { ...bodyOf(history, result), history: args.history, timeline };
  print(output, args.output, { kind: 'Verification', body, table: tableOf(body, violations) });
  return isValid ? EXIT.ok : EXIT.failed;
}

function bodyOf({ operations, faults, cutOffLine }: RecordedHistory, { violations, isValid, answeredCount, unknownCount }: CheckResult) {
  return {
    verdict: isValid ? 'OK' : 'VIOLATED',
    operationCount: operations.length,
    uidCount: new Set(operations.map(({ uid }) => uid)).size,
    answeredCount,
    unknownCount,
    faultCount: faults.length,
    cutOffLine,
    violationCounts: countsOf(violations),
    violations: violations.slice(0, JSON_MAX),
  };
}

type Body = ReturnType<typeof bodyOf> & { readonly timeline: string | undefined };

function tableOf(body: Body, violations: readonly Violation[]): string {
  const { verdict, operationCount, uidCount, answeredCount, unknownCount, violationCounts, timeline } = body;
  const lines = [`${verdict}: operations ${operationCount}, uids ${uidCount}, answered ${answeredCount}, unknown outcomes ${unknownCount}`];
  if (violations.length > 0) lines.push(countsLine(violationCounts), showViolations(violations, TABLE_MAX));
  if (timeline !== undefined) lines.push(`timeline: ${timeline}`);
  return `${lines.join('\n')}\n`;
}

async function readHistory(path: string): Promise<RecordedHistory> {
  const parser = new HistoryParser(path);
  try {
    for await (const line of createInterface({ input: createReadStream(path, 'utf8'), crlfDelay: Number.POSITIVE_INFINITY })) parser.add(line);
  } catch (error) {
    if (SeqError.is(error)) throw error;
    throw new SeqError('INVALID_ARGUMENT', `--history must be a file that can be read, got '${path}': ${messageOf(error)}`, { cause: error });
  }
  return parser.finish();
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new SeqError('INVALID_ARGUMENT', `--timeline must be a file that can be written, got '${path}': ${messageOf(error)}`, { cause: error });
  }
}

/** Each kind by itself, also where there is none. */
function countsOf(violations: readonly Violation[]): Readonly<Record<Violation['kind'], number>> {
  const counts = { uniqueness: 0, order: 0, current: 0, shape: 0 };
  for (const { kind } of violations) counts[kind] += 1;
  return counts;
}

function countsLine(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(', ');
}
