import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { messageOf } from '../../src/base/errors.js';
import { casRegister } from './cas-register.js';
import { parseEtcdLog } from './etcd-log.js';
import { keyValue } from './key-value.js';
import { parseKeyValueLog } from './key-value-log.js';
import { type WholeVerdict, searchEach } from './partition.js';
import { DEFAULT_LIMITS, type Limits } from './search.js';

const LIST = 'expected.tsv';
const COLUMNS = ['file', 'model', 'expected'] as const;

export interface CheckHistoriesOptions {
  readonly print: (line: string) => void;
  readonly limits?: Limits;
}

/**
 * Checks every history that the folder's expected.tsv names (columns file, model, expected: ok or illegal) and prints a line for each.
 * Returns the exit code: 0 when every verdict is as expected, 1 when one is not, is unknown or could not be had, 2 without a list.
 */
export function checkHistories(folder: string, { print, limits = DEFAULT_LIMITS }: CheckHistoriesOptions): number {
  const list = join(folder, LIST);
  if (!existsSync(list)) {
    print(`no ${LIST} in ${folder}`);
    return 2;
  }
  const rows = parseList(readFileSync(list, 'utf8'));
  const counts = { right: 0, unknown: 0 };
  const spentMs = new Map<string, number>();
  for (const { file, model, expected } of rows) {
    const startedAt = performance.now();
    const { verdict, why } = verdictOf(join(folder, file), model, limits);
    const ms = performance.now() - startedAt;
    const isRight = verdict === expected;
    counts.right += isRight ? 1 : 0;
    counts.unknown += verdict === 'unknown' ? 1 : 0;
    spentMs.set(model, (spentMs.get(model) ?? 0) + ms);
    print(`${isRight ? 'ok  ' : 'FAIL'} ${file} ${verdict}${isRight ? '' : `, expected ${expected}`}, ${ms.toFixed(1)} ms${why}`);
  }
  for (const [model, ms] of spentMs) print(`${model}: ${ms.toFixed(0)} ms`);
  print(`histories: ${counts.right}/${rows.length} verdicts, ${counts.unknown} unknown`);
  return counts.right === rows.length && rows.length > 0 ? 0 : 1;
}

interface Row {
  readonly file: string;
  readonly model: string;
  readonly expected: string;
}

/** With a first line that names the columns or without one. A verdict is one word and a file name too: what is between is the model. */
function parseList(text: string): Row[] {
  const rows = text
    .split(/\r?\n/)
    .map((line) => /^(\S+)\s+(.*\S)\s+(\S+)\s*$/.exec(line))
    .flatMap((found) => (found === null ? [] : [{ file: found[1] ?? '', model: found[2] ?? '', expected: (found[3] ?? '').toLowerCase() }]));
  return rows.filter(({ file, model, expected }) => ![file, model, expected].every((word, at) => word === COLUMNS[at]));
}

/** `unreadable` is no verdict either. */
function verdictOf(path: string, model: string, limits: Limits): { readonly verdict: WholeVerdict['type'] | 'unreadable'; readonly why: string } {
  try {
    const { type, part } = checkFile(readFileSync(path, 'utf8'), model, limits);
    return { verdict: type, why: part?.verdict.type === 'unknown' ? `: ${part.verdict.why}` : '' };
  } catch (error) {
    return { verdict: 'unreadable', why: `: ${messageOf(error)}` };
  }
}

/** Partitioned or not, a model's verdict is the same: linearizability is local. So the key-value store is always taken apart. */
function checkFile(text: string, model: string, limits: Limits): WholeVerdict {
  if (/^etcd|register/i.test(model)) return searchEach(() => casRegister, parseEtcdLog(text), { keyOf: () => 'register', limits });
  if (/^kv|key-?value/i.test(model)) return searchEach(() => keyValue, parseKeyValueLog(text), { keyOf: ({ key }) => key, limits });
  throw new Error(`no model is called '${model}': there are etcd-cas-register and kv-get-put-append`);
}
