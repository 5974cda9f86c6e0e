const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
};
/** Of spaces only the plain one is printable to Go. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes as Go's `%q` prints them: text as it is, the rest escaped; a byte that is not UTF-8 as `\xNN`. */
export function goQuote(bytes: Uint8Array): string {
  let quoted = '"';
  for (let at = 0; at < bytes.length; ) {
    const char = charAt(bytes, at);
    quoted += char === undefined ? `\\x${hex(bytes[at] ?? 0, 2)}` : escaped(char.text);
    at += char?.width ?? 1;
  }
  return `${quoted}"`;
}

function escaped(char: string): string {
  const short = SHORT[char];
  if (short !== undefined) return short;
  if (PRINTABLE.test(char)) return char;
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20 || code === 0x7f) return `\\x${hex(code, 2)}`;
  return code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

/** Undefined when no valid UTF-8 begins there: then that one byte stands alone. */
function charAt(bytes: Uint8Array, at: number): { text: string; width: number } | undefined {
  const lead = bytes[at] ?? 0;
  const width = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (at + width > bytes.length) return undefined;
  try {
    return { text: UTF8.decode(bytes.subarray(at, at + width)), width };
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}
