import { stringify } from 'yaml';

/** stdout is data, stderr is talk. */
export interface Output {
  /** Writes data, exactly as given. */
  out(text: string): void;
  /** Writes one line of talk. */
  talk(line: string): void;
}

/** How a result is printed: for people, with more columns for people, or the same object for programs in either notation. */
export const FORMATS = ['table', 'wide', 'json', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** The version of every JSON or YAML object that the tools print. A field may join it; none changes its meaning or leaves. */
export const API_VERSION = 'seqsvr/v1';

export const processOutput: Output = {
  out: (text) => void process.stdout.write(text),
  talk: (line) => void process.stderr.write(`${line}\n`),
};

/** One JSON object: its kind, then `body`. 64-bit values are strings, for JSON numbers lose digits above 2^53. */
export function toJson(kind: string, body: object): string {
  return `${JSON.stringify(document(kind, body), textForBigint, 2)}\n`;
}

/** The same object in YAML: a 64-bit value is a quoted string there, too, and nothing is an anchor or a folded line. */
export function toYaml(kind: string, body: object): string {
  // By way of JSON, so that what is absent in one is absent in the other.
  const plain: unknown = JSON.parse(JSON.stringify(document(kind, body), textForBigint));
  return stringify(plain, { aliasDuplicateObjects: false, lineWidth: 0 });
}

/** Prints a result the way the caller asked for it. `table` is what people read, wide or not. */
export function print(output: Output, format: Format, result: { readonly kind: string; readonly body: object; readonly table: string }): void {
  output.out(textOf(format, result));
}

/** One of many results of one command, as they come: a JSON object a line, a YAML document each. */
export function printOneOfMany(
  output: Output,
  format: Format,
  result: { readonly kind: string; readonly body: object; readonly table: string },
): void {
  if (format === 'json') output.out(`${JSON.stringify(document(result.kind, result.body), textForBigint)}\n`);
  else if (format === 'yaml') output.out(`---\n${toYaml(result.kind, result.body)}`);
  else output.out(result.table);
}

/** False: a program reads it, and finds all there is to say in the object. */
export function isForPeople(format: Format): boolean {
  return format === 'table' || format === 'wide';
}

function textOf(format: Format, { kind, body, table }: { readonly kind: string; readonly body: object; readonly table: string }): string {
  if (format === 'json') return toJson(kind, body);
  return format === 'yaml' ? toYaml(kind, body) : table;
}

function document(kind: string, body: object): object {
  return { apiVersion: API_VERSION, kind, ...body };
}

function textForBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
