import { createHash, timingSafeEqual } from 'node:crypto';
import { type Clock, every } from '../base/clock.js';
import { messageOf, SeqError } from '../base/errors.js';
import { parseName } from '../model/ids.js';
import type { Log } from '../ops/log.js';
import { type Principal, ROLES } from '../rpc/access.js';
import type { TokenLookup } from '../rpc/authenticator.js';
import { LOOK_EVERY_MS, readText } from './tls-files.js';

/** A token is compared with every line, so that the time it takes says nothing; that is what bounds them. */
export const TOKENS_MAX = 256;

/** Whose token it is, and its SHA-256: who reads the file cannot call with it. */
export interface TokenLine {
  readonly hash: Buffer;
  readonly holder: Principal;
}

/**
 * A token file has a line `SHA256 ROLE NAME` for each token; empty lines and those that begin with # say nothing. Nodes are known by certificates
 * alone. Throws INVALID_ARGUMENT with file, line and rule. `file` is only named.
 */
export function parseTokens(text: string, file: string): TokenLine[] {
  const lines = text.split('\n').map((line, at) => ({ words: line.trim().split(/\s+/), at: at + 1 }));
  const found = lines.filter(({ words }) => words[0] !== '' && !words[0]?.startsWith('#'));
  if (found.length > TOKENS_MAX) throw new SeqError('INVALID_ARGUMENT', `${file}: a file has at most ${TOKENS_MAX} tokens, got ${found.length}`);
  return found.map(({ words: [hash = '', role = '', name = '', ...others], at }) => {
    const where = `${file}:${at}`;
    if (!/^[0-9a-f]{64}$/.test(hash) || others.length > 0) {
      // The line is not shown: somebody may have written the token itself.
      throw new SeqError('INVALID_ARGUMENT', `${where}: must be the SHA-256 of a token (64 hex digits), a role and a name`);
    }
    const known = ROLES.find((each) => each === role && each !== 'store' && each !== 'alloc');
    if (known === undefined) throw new SeqError('INVALID_ARGUMENT', `${where}: the role of a token must be client, admin or monitor, got '${role}'`);
    return { hash: Buffer.from(hash, 'hex'), holder: { role: known, name: parseName(name, `${where}: the name`) } };
  });
}

/** Compares with all of them, whichever it is. */
export function lookupIn(lines: readonly TokenLine[], token: string): Principal | undefined {
  const hash = createHash('sha256').update(token).digest();
  let holder: Principal | undefined;
  for (const line of lines) if (timingSafeEqual(line.hash, hash)) holder = line.holder;
  return holder;
}

/** Tokens that follow their file. A file that is no good changes nothing and is said once. Throws INVALID_ARGUMENT when it is none to begin with. */
export function followTokens(
  file: string,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): { readonly lookup: TokenLookup; readonly close: () => void } {
  let seen = readText(file);
  let lines = parseTokens(seen, file);
  const close = every(clock, LOOK_EVERY_MS, () => {
    try {
      const text = readText(file);
      if (text === seen) return;
      seen = text;
      lines = parseTokens(text, file);
      log.write('info', 'tokensReplaced', { file, count: lines.length });
    } catch (error) {
      log.write('error', 'tokensRefused', { file, reason: messageOf(error) });
    }
  });
  return { lookup: (token) => lookupIn(lines, token), close };
}
