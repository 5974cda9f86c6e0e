import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { LOOK_EVERY_MS } from '../../../src/cli/tls-files.js';
import { followTokens, lookupIn, parseTokens, TOKENS_MAX } from '../../../src/cli/token-file.js';
import type { Log } from '../../../src/ops/log.js';
import { VirtualClock } from '../virtual-clock.js';

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const line = (token: string, who = 'client bob'): string => `${hashOf(token)} ${who}\n`;

describe('a token file', () => {
  it('says whose token it is by its hash, and knows no other', () => {
    const lines = parseTokens(`# ours\n\n${line('one')}${line('two', 'monitor   scraper ')}`, 'tokens');
    expect(lookupIn(lines, 'one')).to.deep.equal({ role: 'client', name: 'bob' });
    expect(lookupIn(lines, 'two')).to.deep.equal({ role: 'monitor', name: 'scraper' });
    for (const other of ['', 'thr', 'onee', hashOf('one')]) expect(lookupIn(lines, other), other).to.equal(undefined);
  });

  for (const [why, text, rule] of [
    ['a token in place of its hash', 'secret-token client bob', /^tokens:1: must be the SHA-256 of a token \(64 hex digits\), a role and a name$/],
    ['a word too many', line('x', 'client bob jr'), /^tokens:1: must be/],
    ['a role that there is not', `\n${line('x', 'root bob')}`, /^tokens:2: the role of a token must be client, admin or monitor, got 'root'/],
    ['a role of a node', line('x', 'store s1'), /got 'store'/],
    ['no name', line('x', 'client'), /the name must be 1 to 63/],
    ['too many', line('x').repeat(TOKENS_MAX + 1), /at most 256 tokens, got 257/],
  ] as const) {
    it(`is refused with ${why}`, () => {
      expect(() => parseTokens(text, 'tokens')).to.throw(rule);
    });
  }

  it('is taken over when it changes, and changes nothing while it is no good, which is said once', () => {
    const folder = mkdtempSync(join(tmpdir(), 'seqsvr-tokens-'));
    const file = join(folder, 'tokens');
    const clock = new VirtualClock();
    const said: string[] = [];
    const log: Log = { write: (level, event) => void said.push(`${level} ${event}`), component: () => log };
    writeFileSync(file, line('one'));
    const { lookup, close } = followTokens(file, { clock, log });
    const put = (text: string): void => {
      writeFileSync(file, text);
      for (let look = 0; look < 2; look++) clock.advance(LOOK_EVERY_MS);
    };
    put('nonsense');
    expect([lookup('one')?.name, said]).to.deep.equal(['bob', ['error tokensRefused']]);
    put(line('two'));
    expect([lookup('one'), lookup('two')?.name, said.at(-1)]).to.deep.equal([undefined, 'bob', 'info tokensReplaced']);
    close();
    rmSync(folder, { recursive: true });
  });
});
