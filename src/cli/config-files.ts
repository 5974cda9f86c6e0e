import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf, SeqError } from '../base/errors.js';
import { loadConfig, examineConfig, type NodeConfig } from './config.js';
import { ConfigDocument, type ConfigProblem, formatProblem } from './config-document.js';
import { configJsonSchema } from './config-json-schema.js';
import { settingsOf, type Setting } from './config-settings.js';
import { EXIT } from './exit.js';
import { type Format, isForPeople, type Output, print } from './output.js';
import { renderTable } from './table.js';

/** What a check found of one file. */
interface CheckedFile {
  readonly file: string;
  /** Undefined: it is not good. */
  readonly config: NodeConfig | undefined;
  readonly problems: readonly ConfigProblem[];
}

/** `seqsvr config check`: every problem of every file with its line. Exit code 2 when there is one. */
export function configCheck({ path, output }: { readonly path: string; readonly output: Format }, to: Output): number {
  const checked = filesAt(path).map(checkFile);
  const problems = checked.flatMap((file) => file.problems);
  const body = {
    ok: problems.length === 0,
    files: checked.map(({ file, config, problems: own }) => ({ file, role: config?.role, name: config?.name, ok: own.length === 0, problems: own })),
  };
  const good = checked.flatMap(({ file, config }) => (config === undefined ? [] : [`${file}: good: ${config.role} ${config.name}\n`]));
  print(to, output, { kind: 'ConfigCheck', body, table: good.join('') });
  // What is wrong is talk, as with every other command that gets such a file.
  if (isForPeople(output)) for (const problem of problems) to.talk(formatProblem(problem));
  return problems.length === 0 ? EXIT.ok : EXIT.usage;
}

/** `seqsvr config show`: what is in effect, and where each of it comes from. */
export function configShow(
  {
    file,
    output,
    isRedacted,
    environment,
  }: { readonly file: string; readonly output: Format; readonly isRedacted: boolean; readonly environment: NodeJS.ProcessEnv },
  to: Output,
): number {
  const config = loadConfig(file);
  const settings = [...settingsOf(config, new ConfigDocument(readFileSync(file, 'utf8'), file), { isRedacted }), logLevelIn(environment)];
  const columns = [
    { title: 'KEY', cell: ({ key }: Setting) => key },
    { title: 'VALUE', cell: ({ value }: Setting) => (value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)) },
    { title: 'FROM', cell: ({ origin, line }: Setting) => (line === undefined ? origin : `${origin} line ${line}`) },
  ];
  print(to, output, { kind: 'ConfigSettings', body: { file, role: config.role, settings }, table: renderTable(columns, settings, output) });
  return EXIT.ok;
}

/** `seqsvr config schema`: as JSON Schema, which is JSON whatever is asked for. */
export function configSchema(role: 'store' | 'alloc' | undefined, to: Output): number {
  to.out(`${JSON.stringify(configJsonSchema(role), null, 2)}\n`);
  return EXIT.ok;
}

/** The file itself, or every YAML file of a folder. Throws INVALID_ARGUMENT when a folder has none. */
function filesAt(path: string): string[] {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return [path];
  const names = readdirSync(path).filter((name) => /\.ya?ml$/.test(name));
  if (names.length === 0) throw new SeqError('INVALID_ARGUMENT', `the folder '${path}' has no file that ends in .yaml or .yml`);
  return names.sort().map((name) => join(path, name));
}

function checkFile(file: string): CheckedFile {
  try {
    return { file, ...examineConfig(readFileSync(file, 'utf8'), file) };
  } catch (cause) {
    if (SeqError.is(cause) || !(cause instanceof Error && 'code' in cause)) throw cause;
    return { file, config: undefined, problems: [{ file, line: undefined, key: '', rule: `cannot be read: ${messageOf(cause)}` }] };
  }
}

/** No key of the file, yet a setting of the process that reads it. */
function logLevelIn(environment: NodeJS.ProcessEnv): Setting {
  const given = environment['SEQSVR_LOG_LEVEL'];
  const isGiven = given !== undefined && given !== '';
  return { key: '--log-level', value: isGiven ? given : 'info', origin: isGiven ? 'env' : 'default', line: undefined };
}
