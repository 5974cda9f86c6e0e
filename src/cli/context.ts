import { parseName } from '../model/ids.js';
import {
  type Context,
  CONTEXT_KEYS,
  type ContextKey,
  contextFile,
  readContexts,
  Settings,
  type Source,
  unknownContext,
  writeContexts,
} from './contexts.js';
import { EXIT } from './exit.js';
import { CONNECTION_DEFAULTS, parseConnection } from './options.js';
import { type Format, type Output, print } from './output.js';
import { type Column, renderTable } from './table.js';

interface ContextLine extends Context {
  readonly name: string;
  readonly isCurrent: boolean;
}

const CONTEXT_COLUMNS: readonly Column<ContextLine>[] = [
  { title: 'CURRENT', cell: ({ isCurrent }) => (isCurrent ? '*' : '') },
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ENDPOINTS', cell: ({ endpoints }) => endpoints ?? '' },
  { title: 'TIMEOUT', cell: ({ timeout }) => timeout ?? '' },
  { title: 'OUTPUT', cell: ({ output }) => output ?? '' },
];

interface SettingLine {
  readonly option: ContextKey;
  /** '' when there is no one value: it depends on the command. */
  readonly value: string;
  readonly source: Source;
}

const SETTING_COLUMNS: readonly Column<SettingLine>[] = [
  { title: 'OPTION', cell: ({ option }) => option },
  { title: 'VALUE', cell: ({ value }) => value },
  { title: 'FROM', cell: ({ source }) => source },
];

/** `seqctl config get-contexts`. */
export function getContexts(format: Format, output: Output): number {
  const { current, contexts } = readContexts(contextFile());
  const lines = Object.entries(contexts).map(([name, context]): ContextLine => ({ name, isCurrent: name === current, ...context }));
  print(output, format, { kind: 'ContextList', body: { file: contextFile(), contexts: lines }, table: renderTable(CONTEXT_COLUMNS, lines, format) });
  if (lines.length === 0) output.talk("there are none; 'seqctl config set-context NAME --endpoints ...' makes one");
  return EXIT.ok;
}

/** `seqctl config use-context NAME`. Throws INVALID_ARGUMENT for a name that is not there. */
export function useContext(name: string, format: Format, output: Output): number {
  const path = contextFile();
  const { contexts } = readContexts(path);
  const context = Object.hasOwn(contexts, name) ? contexts[name] : undefined;
  if (context === undefined) throw unknownContext(name, contexts, 'NAME');
  writeContexts(path, { current: name, contexts });
  const line: ContextLine = { name, isCurrent: true, ...context };
  print(output, format, { kind: 'Context', body: { file: path, context: line }, table: renderTable(CONTEXT_COLUMNS, [line], format) });
  return EXIT.ok;
}

/** `seqctl config set-context NAME`: makes it, or changes what is named; the first one is in use at once. */
export function setContext(text: string, change: Context, format: Format, output: Output): number {
  const name = parseName(text, 'NAME');
  const path = contextFile();
  const { current, contexts } = readContexts(path);
  const context = { ...contexts[name], ...given(change) };
  // What would be refused when it is used is refused now.
  parseConnection({
    endpoints: context.endpoints ?? CONNECTION_DEFAULTS.endpoints,
    timeout: context.timeout,
    output: context.output ?? CONNECTION_DEFAULTS.output,
  });
  writeContexts(path, { current: current ?? name, contexts: { ...contexts, [name]: context } });
  const line: ContextLine = { name, isCurrent: (current ?? name) === name, ...context };
  print(output, format, { kind: 'Context', body: { file: path, context: line }, table: renderTable(CONTEXT_COLUMNS, [line], format) });
  return EXIT.ok;
}

/** `seqctl config view`: what counts now, and who said so. */
export function viewSettings(flags: Context & { readonly context: string | undefined }, format: Format, output: Output): number {
  const settings = new Settings(flags.context);
  const lines = CONTEXT_KEYS.map((option): SettingLine => {
    const { value, source } = settings.valueOf(option, flags[option]);
    return { option, value: value ?? CONNECTION_DEFAULTS[option], source };
  });
  print(output, format, { kind: 'Settings', body: { file: contextFile(), settings: lines }, table: renderTable(SETTING_COLUMNS, lines, format) });
  return EXIT.ok;
}

function given(change: Context): Context {
  return Object.fromEntries(CONTEXT_KEYS.flatMap((key) => (change[key] === undefined ? [] : [[key, change[key]]])));
}
