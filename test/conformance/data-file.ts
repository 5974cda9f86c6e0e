/** `key`, `key=value` (one value) or `key=(value, value)`. Without `=` it has no values: then the key is the argument itself. */
export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
  readonly isOption: boolean;
}

/** One command of a data file: a directive, the lines below it as input, and what it must print. */
export interface Block {
  /** Of the directive, counted from 1. */
  readonly line: number;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: readonly string[];
  /** Of the first expected line, counted from 1. */
  readonly expectedLine: number;
}

/** A data file that says something nobody can understand, or asks for what does not exist: never passed over. */
export class ScriptError extends Error {
  override readonly name = 'ScriptError';
}

const SEPARATOR = '----';

/**
 * The format of cockroachdb/datadriven: `#` comments and blank lines between blocks; a directive, which a `\` at its end continues;
 * input; `----`; output up to a blank line. After a second `----` the output may hold blank lines and ends at two `----` in a row.
 */
export function parseDataFile(text: string): readonly Block[] {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const start = at;
    let directive = (lines[at++] ?? '').trim();
    if (directive === '' || directive.startsWith('#')) continue;
    while (directive.endsWith('\\') && at < lines.length) directive = `${directive.slice(0, -1)} ${(lines[at++] ?? '').trim()}`;
    const separatorAt = lines.indexOf(SEPARATOR, at);
    if (separatorAt === -1) throw new ScriptError(`line ${start + 1}: no ${SEPARATOR} after "${directive}"`);
    const input = lines.slice(at, separatorAt).join('\n').trim();
    const { expected, expectedAt, next } = readExpected(lines, separatorAt + 1);
    blocks.push({ line: start + 1, ...parseDirective(directive, start + 1), input, expected, expectedLine: expectedAt + 1 });
    at = next;
  }
  return blocks;
}

function readExpected(lines: readonly string[], from: number): { expected: readonly string[]; expectedAt: number; next: number } {
  if (lines[from] !== SEPARATOR) {
    let end = from;
    while (end < lines.length && lines[end]?.trim() !== '') end += 1;
    return { expected: lines.slice(from, end), expectedAt: from, next: end };
  }
  for (let end = from + 1; end < lines.length; end++) {
    if (lines[end] !== SEPARATOR || lines[end + 1] !== SEPARATOR) continue;
    return { expected: lines.slice(from + 1, end), expectedAt: from + 1, next: end + 2 };
  }
  throw new ScriptError(`line ${from + 1}: output that begins with two ${SEPARATOR} does not end with two`);
}

function parseDirective(text: string, line: number): { command: string; args: readonly Argument[] } {
  const [command = ''] = text.split(/\s/, 1);
  const args: Argument[] = [];
  let rest = text.slice(command.length).trim();
  while (rest !== '') {
    const key = /^[^ =]*/.exec(rest)?.[0] ?? '';
    if (key === '') throw new ScriptError(`line ${line}: "${rest}" is not an argument`);
    rest = rest.slice(key.length);
    if (!rest.startsWith('=')) {
      args.push({ key, values: [], isOption: false });
    } else {
      const { values, after } = rest.startsWith('=(') ? listAfter(rest.slice(2), line) : valueAfter(rest.slice(1));
      args.push({ key, values, isOption: true });
      rest = after;
    }
    rest = rest.trim();
  }
  return { command, args };
}

function valueAfter(text: string): { values: readonly string[]; after: string } {
  const value = /^[^ ]*/.exec(text)?.[0] ?? '';
  return { values: [value], after: text.slice(value.length) };
}

/** Values up to the closing parenthesis; parentheses inside a value nest, and commas inside them belong to it. */
function listAfter(text: string, line: number): { values: readonly string[]; after: string } {
  const values: string[] = [];
  let depth = 0;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '(') depth += 1;
    if ((char === ',' || char === ')') && depth === 0) {
      values.push(text.slice(from, at).trim());
      from = at + 1;
      if (char === ')') return { values, after: text.slice(from) };
    }
    if (char === ')') depth -= 1;
  }
  throw new ScriptError(`line ${line}: "(${text}" has no closing parenthesis`);
}
