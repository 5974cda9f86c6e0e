import { Buffer } from 'node:buffer';
import { SeqError } from '../base/errors.js';

/** A file of an archive. */
export interface TarEntry {
  /** At most 100 bytes, without a slash at its beginning. */
  readonly name: string;
  readonly content: string;
}

const BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;

/** A ustar archive of plain files, each readable by its owner only. `seconds` since 1970 is when they were made. Pure. Throws INVALID_ARGUMENT. */
export function tarOf(entries: readonly TarEntry[], seconds: number): Buffer {
  const parts = entries.flatMap(({ name, content }) => {
    const bytes = Buffer.from(content, 'utf8');
    return [headerOf(name, bytes.length, seconds), bytes, Buffer.alloc(-bytes.length & (BLOCK_BYTES - 1))];
  });
  // Two empty blocks are its end.
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]);
}

function headerOf(name: string, sizeBytes: number, seconds: number): Buffer {
  if (name === '' || name.startsWith('/') || Buffer.byteLength(name) > NAME_BYTES_MAX)
    throw new SeqError('INVALID_ARGUMENT', `a file of an archive has a name of 1 to ${NAME_BYTES_MAX} bytes without a leading slash, got '${name}'`);
  const header = Buffer.alloc(BLOCK_BYTES);
  header.write(name, 0, 'utf8');
  header.write(octal(0o600, 7), 100, 'latin1');
  header.write(octal(0, 7), 108, 'latin1');
  header.write(octal(0, 7), 116, 'latin1');
  header.write(octal(sizeBytes, 11), 124, 'latin1');
  header.write(octal(seconds, 11), 136, 'latin1');
  // The sum counts its own field as spaces.
  header.write('        ', 148, 'latin1');
  header.write('0', 156, 'latin1');
  header.write('ustar\u000000', 257, 'latin1');
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte, 0),
      6,
    )}\u0000 `,
    148,
    'latin1',
  );
  return header;
}

function octal(value: number, digits: number): string {
  return Math.floor(value).toString(8).padStart(digits, '0');
}
