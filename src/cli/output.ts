/** stdout is data, stderr is talk. */
export interface Output {
  /** Writes data, exactly as given. */
  out(text: string): void;
  /** Writes one line of talk. */
  talk(line: string): void;
}

export type Format = 'table' | 'json';

/** The version of every JSON object that the tools print. A field may join it; none changes its meaning or leaves. */
export const API_VERSION = 'seqsvr/v1';

export const processOutput: Output = {
  out: (text) => void process.stdout.write(text),
  talk: (line) => void process.stderr.write(`${line}\n`),
};

/** One JSON object: its kind, then `body`. 64-bit values are strings, for JSON numbers lose digits above 2^53. */
export function toJson(kind: string, body: object): string {
  const text = JSON.stringify(
    { apiVersion: API_VERSION, kind, ...body },
    (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
    2,
  );
  return `${text}\n`;
}

/** Prints a result the way the caller asked for it. */
export function print(output: Output, format: Format, result: { readonly kind: string; readonly body: object; readonly table: string }): void {
  output.out(format === 'json' ? toJson(result.kind, result.body) : result.table);
}
