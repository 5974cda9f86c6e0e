import type { z } from 'zod';
import { SeqError } from '../base/errors.js';
import type { ConfigDocument, ConfigProblem } from './config-document.js';
import { keysOf, meantKey } from './config-keys.js';

/** What a schema has against a file, with the lines: one problem for each unknown key, one for every other issue. */
export function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodObject, document: ConfigDocument): ConfigProblem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step));
  if (issue.code !== 'unrecognized_keys') return [document.problem(path, issue.message)];
  return issue.keys.map((key) => ({
    ...document.problem([...path, key], `unknown key '${key}'${meantKey(schema, path, key)}; a misspelt key would change nothing, so it is refused`),
    key: path.join('.'),
  }));
}

/** What a rule that ties several keys together says: its message begins with the key to look at first. */
export function ruleProblem(message: string, schema: z.ZodObject, document: ConfigDocument): ConfigProblem {
  const [, word = '', rest = ''] = /^([A-Za-z]+)\b:?\s*(.*)$/s.exec(message) ?? [];
  const isKey = keysOf(schema).some(({ name }) => name === word);
  return isKey ? document.problem([word], rest) : document.problem([], message);
}

/** Runs a check that knows nothing of config files; what it refuses names `key`. */
export function underKey(key: string, check: () => void): void {
  try {
    check();
  } catch (cause) {
    if (!(cause instanceof SeqError)) throw cause;
    throw cause.with({ message: `${key}: ${cause.message}` });
  }
}
