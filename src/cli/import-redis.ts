import { SeqError, show } from '../base/errors.js';
import { type Pair, parsePair } from './import-pairs.js';
import { RespClient, type RespValue } from './resp.js';

/** Keys that Redis is asked to look at in one SCAN; it blocks for so long and no longer. */
const SCAN_COUNT = '2000';

export interface RedisSource {
  readonly host: string;
  readonly port: number;
  /** Its logical database. */
  readonly database: number;
  /** Undefined: none is asked for. */
  readonly password: string | undefined;
  /** A key is this and the uid. */
  readonly prefix: string;
  /** Hears of a key that begins so and does not go on with a uid: it is passed over. */
  readonly onIgnored: (key: string) => void;
}

/**
 * The counters that INCR keeps under `prefix` and a uid, while Redis serves: every key that is there all the time comes at least once.
 * Throws INVALID_ARGUMENT for a counter that is no number, UNAVAILABLE when Redis does not answer.
 */
export async function* redisPairs(source: RedisSource): AsyncGenerator<Pair> {
  const { prefix, password, database, onIgnored } = source;
  const client = await RespClient.open(source);
  try {
    if (password !== undefined) await client.send('AUTH', password);
    if (database !== 0) await client.send('SELECT', String(database));
    let cursor = '0';
    do {
      const [next, found] = arrayOf(await client.send('SCAN', cursor, 'MATCH', `${escaped(prefix)}*`, 'COUNT', SCAN_COUNT));
      if (typeof next !== 'string') throw protocol('a SCAN without a cursor');
      cursor = next;
      const keys: string[] = [];
      for (const key of arrayOf(found)) {
        if (typeof key !== 'string') throw protocol('a SCAN with a key that is no text');
        if (/^\d{1,20}$/.test(key.slice(prefix.length))) keys.push(key);
        else onIgnored(key);
      }
      if (keys.length > 0) yield* counters(keys, await client.send('MGET', ...keys), source);
    } while (cursor !== '0');
  } finally {
    client.close();
  }
}

function* counters(keys: readonly string[], values: RespValue, { prefix, onIgnored }: RedisSource): Generator<Pair> {
  for (const [at, value] of arrayOf(values).entries()) {
    const key = keys[at] ?? '';
    // Gone since, or no string: a hash or a list of that name.
    if (value === null) onIgnored(key);
    else yield parsePair({ uid: key.slice(prefix.length), seq: String(value) }, `redis key ${show(key)}`);
  }
}

function arrayOf(value: RespValue | undefined): readonly RespValue[] {
  if (!Array.isArray(value)) throw protocol('a reply that is no list');
  return value as readonly RespValue[];
}

/** A prefix is meant as it is, and MATCH takes a pattern. */
function escaped(prefix: string): string {
  return prefix.replaceAll(/[*?[\]\\^-]/g, (sign) => `\\${sign}`);
}

function protocol(message: string): SeqError {
  return new SeqError('PROTOCOL', `redis sent ${message}`, { definite: true });
}
