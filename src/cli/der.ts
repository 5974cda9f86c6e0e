import { isoTime } from '../base/clock.js';

/** As much of DER (X.690) as a certificate needs: each value is its tag, its length and its content. */
export function value(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  if (content.length < 0x80) return Buffer.concat([Buffer.of(tag, content.length), content]);
  const digits = content.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length), length, content]);
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => value(0x30, ...items);
export const set = (...items: readonly Uint8Array[]): Buffer => value(0x31, ...items);
export const octets = (content: Uint8Array): Buffer => value(0x04, content);
export const utf8 = (text: string): Buffer => value(0x0c, Buffer.from(text, 'utf8'));
export const yes = (): Buffer => value(0x01, Buffer.of(0xff));
/** `unusedBits`: at the end of the last byte. */
export const bits = (content: Uint8Array, unusedBits = 0): Buffer => value(0x03, Buffer.of(unusedBits), content);

/** A whole number that is not negative, from its bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes[0] ?? 0;
  return value(0x02, first >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes);
}

/** '1.2.840.10045.4.3.2'. */
export function objectId(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return value(0x06, Buffer.from([first * 40 + second, ...others.flatMap(base128)]));
}

/** A moment of the wall clock, to the second; two digits of the year until 2049 (RFC 5280, 4.1.2.5). */
export function time(wallMs: number): Buffer {
  const text = `${isoTime(wallMs).slice(0, 19).replaceAll(/[-:T]/g, '')}Z`;
  return text < '2050' ? value(0x17, Buffer.from(text.slice(2), 'latin1')) : value(0x18, Buffer.from(text, 'latin1'));
}

export function pem(kind: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${kind}-----\n${lines.join('\n')}\n-----END ${kind}-----\n`;
}

function base128(number: number): number[] {
  const digits = [number & 0x7f];
  for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift(0x80 | (left & 0x7f));
  return digits;
}
