import { SeqError, show } from '../base/errors.js';
import { SEQ_MAX, type Uid, UID_MAX } from '../model/ids.js';

/** A uid, and the highest number that the other system may have handed out for it. 0: none. */
export interface Pair {
  readonly uid: Uid;
  readonly seq: bigint;
}

/** Longer than any line of two numbers; a longer one is refused before it fills the memory. */
const LINE_BYTES_MAX = 4_096;

/**
 * Lines of `uid,seq`, as CSV has them, or `uid<tab>seq`, as COPY of PostgreSQL and mysql -B print them. The first line may hold names
 * instead. What follows a third separator is not looked at. Throws INVALID_ARGUMENT with the line, the value and the rule.
 */
export async function* pairsOf(chunks: AsyncIterable<Uint8Array | string>, name: string): AsyncGenerator<Pair> {
  let number = 0;
  for await (const line of linesOf(chunks, name)) {
    number += 1;
    if (line.trim() === '') continue;
    const [uid = '', seq = ''] = line.split(/[,\t]/, 2).map(bare);
    // Names of columns; a number in the first place is data, whatever follows it.
    if (number === 1 && !/^[-+\d]/.test(uid)) continue;
    yield parsePair({ uid, seq }, `${name}:${number}`);
  }
}

/** Throws INVALID_ARGUMENT that says where. */
export function parsePair({ uid, seq }: { readonly uid: string; readonly seq: string }, where: string): Pair {
  const [parsedUid, parsedSeq] = [wholeIn(uid, UID_MAX), wholeIn(seq, SEQ_MAX)];
  if (parsedUid === undefined) throw invalid(`${where}: a uid must be a whole number in [0, 2^64), got ${show(uid)}`);
  if (parsedSeq === undefined) throw invalid(`${where}: a number handed out must be a whole number in [0, 2^63), got ${show(seq)}`);
  return { uid: parsedUid as Uid, seq: parsedSeq };
}

async function* linesOf(chunks: AsyncIterable<Uint8Array | string>, name: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true }))).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > LINE_BYTES_MAX)
      throw invalid(`${name}: a line has more than ${LINE_BYTES_MAX} characters: that is no list of uids and numbers`);
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** Without blanks, a carriage return, and the quotes that CSV may have. */
function bare(field: string): string {
  const text = field.trim();
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
}

function wholeIn(text: string, max: bigint): bigint | undefined {
  if (!/^\d{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  return value <= max ? value : undefined;
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
