import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { messageOf, SeqError, show } from '../base/errors.js';
import { parseName } from '../model/ids.js';

/** Options that a context can have a value for. */
export const CONTEXT_KEYS = ['endpoints', 'timeout', 'output'] as const;
export type ContextKey = (typeof CONTEXT_KEYS)[number];

/** A cluster that one works with: values of options, as they would stand on the command line. */
export type Context = Readonly<Partial<Record<ContextKey, string | undefined>>>;

/** What the file holds. */
export interface Contexts {
  /** The name of the one in use. Undefined: none. */
  readonly current: string | undefined;
  readonly contexts: Readonly<Record<string, Context>>;
}

/** A context is a few words; a file that is larger is another one. */
const FILE_BYTES_MAX = 1_048_576;

/** `$XDG_CONFIG_HOME/seqsvr/config.yaml`. */
export function contextFile(environment: NodeJS.ProcessEnv = process.env): string {
  const home = environment['XDG_CONFIG_HOME'];
  // The specification wants relative paths to be ignored.
  return join(home?.startsWith('/') === true ? home : join(homedir(), '.config'), 'seqsvr', 'config.yaml');
}

/** A file that is not there holds none. Throws INVALID_ARGUMENT for one that cannot be read, or is not as it must be, with its path. */
export function readContexts(path: string): Contexts {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { current: undefined, contexts: {} };
    throw new SeqError('INVALID_ARGUMENT', `the contexts in '${path}' cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return parseContexts(text, path);
}

/** Throws INVALID_ARGUMENT with the file, the key and the rule. */
export function parseContexts(text: string, path: string): Contexts {
  if (text.length > FILE_BYTES_MAX)
    throw new SeqError('INVALID_ARGUMENT', `${path}: contexts take at most ${FILE_BYTES_MAX} bytes, got ${text.length}`);
  let document: unknown;
  try {
    document = parse(text, { maxAliasCount: 0 }) ?? {};
  } catch (error) {
    throw new SeqError('INVALID_ARGUMENT', `${path} is not YAML: ${messageOf(error)}`, { cause: error });
  }
  const { current, contexts = {} } = fieldsOf(document, { path, key: '', names: ['current', 'contexts'] });
  const found: Record<string, Context> = {};
  for (const [name, context] of Object.entries(fieldsOf(contexts, { path, key: 'contexts' }))) {
    const key = `contexts.${parseName(name, `${path}: the name of a context`)}`;
    const fields = fieldsOf(context, { path, key, names: CONTEXT_KEYS });
    found[name] = Object.fromEntries(Object.entries(fields).map(([option, value]) => [option, textOf(value, `${path}: ${key}.${option}`)]));
  }
  if (current === undefined) return { current, contexts: found };
  const name = textOf(current, `${path}: current`);
  if (!Object.hasOwn(found, name)) throw unknownContext(name, found, `${path}: current`);
  return { current: name, contexts: found };
}

/** By hand, not by a schema: every command loads this file, and a schema library takes longer to load than the rest. */
function fieldsOf(
  value: unknown,
  at: { readonly path: string; readonly key: string; readonly names?: readonly string[] },
): Readonly<Record<string, unknown>> {
  const what = at.key === '' ? at.path : `${at.path}: ${at.key}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SeqError('INVALID_ARGUMENT', `${what} must be a mapping, got ${show(value)}`);
  const unknown = Object.keys(value).find((key) => at.names?.includes(key) === false);
  if (unknown !== undefined) throw new SeqError('INVALID_ARGUMENT', `${what} has no key '${unknown}'; there are ${at.names?.join(', ')}`);
  return value as Readonly<Record<string, unknown>>;
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '') throw new SeqError('INVALID_ARGUMENT', `${what} must be text, got ${show(value)}`);
  return value;
}

/** Writes the file as a whole, readable by its owner alone, or leaves it as it was. Throws INVALID_ARGUMENT when it cannot. */
export function writeContexts(path: string, { current, contexts }: Contexts): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const draft = `${path}.${process.pid}.tmp`;
    writeFileSync(draft, stringify(current === undefined ? { contexts } : { current, contexts }), { mode: 0o600 });
    renameSync(draft, path);
  } catch (error) {
    throw new SeqError('INVALID_ARGUMENT', `the contexts cannot be written to '${path}': ${messageOf(error)}`, { cause: error });
  }
}

/** `what`: the flag or key that names it. */
export function unknownContext(name: string, contexts: Contexts['contexts'], what: string): SeqError {
  const names = Object.keys(contexts);
  return new SeqError(
    'INVALID_ARGUMENT',
    `${what} must name a context, got ${show(name)}; there are ${names.length === 0 ? 'none' : names.join(', ')}`,
  );
}

/** Where the value of an option came from. */
export type Source = 'flag' | 'environment' | 'context' | 'default';

/** Flags before variables before the context before what is built in. Read when a command runs, not when it is declared. */
export class Settings {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #named: string | undefined;
  #context: Context | undefined;

  /** `context`: the name that a flag gave. */
  constructor(context?: string, environment: NodeJS.ProcessEnv = process.env) {
    this.#environment = environment;
    this.#named = context ?? nonEmpty(environment['SEQSVR_CONTEXT']);
  }

  /** Throws INVALID_ARGUMENT for a context that is not there. */
  valueOf(key: ContextKey, flag: string | undefined): { readonly value: string | undefined; readonly source: Source } {
    if (flag !== undefined) return { value: flag, source: 'flag' };
    const variable = nonEmpty(this.#environment[`SEQSVR_${key.toUpperCase()}`]);
    if (variable !== undefined) return { value: variable, source: 'environment' };
    // A context that was named must be there, whether or not it says anything of this option.
    const inContext = this.#inUse()[key];
    return inContext === undefined ? { value: undefined, source: 'default' } : { value: inContext, source: 'context' };
  }

  #inUse(): Context {
    this.#context ??= this.#read();
    return this.#context;
  }

  #read(): Context {
    const { current, contexts } = readContexts(contextFile(this.#environment));
    const name = this.#named ?? current;
    if (name === undefined) return {};
    const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
    if (context === undefined) throw unknownContext(name, contexts, '--context');
    return context;
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
