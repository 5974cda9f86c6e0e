import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Operation, operationToLine } from '../../../src/verify/operation.js';
import { next, unknown } from '../verify/histories.js';

describe('seqctl verify', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'seqsvr-verify-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  async function verify(text: string, ...flags: string[]): Promise<{ readonly code: number; readonly out: string; readonly talk: string }> {
    const history = join(folder, 'h.jsonl');
    writeFileSync(history, text);
    return run('--history', history, ...flags);
  }

  async function run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly talk: string }> {
    let out = '';
    let talk = '';
    const { runProgram } = await import('../../../src/cli/program.js');
    const output = { out: (text: string) => void (out += text), talk: (line: string) => void (talk += `${line}\n`) };
    return { code: await runProgram(['verify', ...args], { name: 'seqctl', output }), out, talk };
  }

  const lines = (operations: readonly Operation[]) => operations.map((operation) => `${operationToLine(operation)}\n`).join('');
  const good = lines([next([0, 1], 1n), unknown([2, 3]), { ...next([4, 5], 1n), uid: 2n }]);
  const bad = lines([next([0, 1], 5n), next([2, 3], 5n)]);

  it('ends with 0 and says what it checked', async () => {
    expect(await verify(good)).to.deep.equal({ code: 0, out: 'OK: operations 3, uids 2, answered 2, unknown outcomes 1\n', talk: '' });
  });

  it('ends with 1 and shows the offending pair, each kind by itself', async () => {
    const { code, out } = await verify(bad);
    expect(code).to.equal(1);
    expect(out.split('\n').slice(0, 3)).to.deep.equal([
      'VIOLATED: operations 2, uids 1, answered 2, unknown outcomes 0',
      'uniqueness 1, order 1, current 0, shape 0',
      'uniqueness: uid 1: 5 was handed out twice',
    ]);
    expect(out.match(/"first":"5"/g)).to.have.lengthOf(4);
  });

  it('says the same to a program', async () => {
    const { code, out } = await verify(bad, '-o', 'json');
    const { violations, ...rest } = JSON.parse(out) as { readonly violations: readonly { readonly kind: string; readonly uid: string }[] };
    expect(code).to.equal(1);
    expect(rest).to.deep.include({ kind: 'Verification', verdict: 'VIOLATED', operationCount: 2 });
    expect(violations.map(({ kind, uid }) => [kind, uid])).to.deep.equal([
      ['uniqueness', '1'],
      ['order', '1'],
    ]);
  });

  it('draws what is violated, and only that', async () => {
    const page = join(folder, 'h.html');
    expect((await verify(good, '--timeline', page)).talk).to.equal('no timeline was written: nothing is violated\n');
    const { code, out } = await verify(bad, '--timeline', page);
    expect([code, out.endsWith(`timeline: ${page}\n`)]).to.deep.equal([1, true]);
    expect(readFileSync(page, 'utf8')).to.match(/^<!doctype html>/);
  });

  it('tells that the last line is cut off, and checks the rest', async () => {
    const { code, talk } = await verify(`${good}{"id":`);
    expect(code).to.equal(0);
    expect(talk).to.match(/h\.jsonl:4: the last line is cut off/);
  });

  it('refuses what is no history with file, line, value and rule', async () => {
    const { code, talk } = await verify(`${good}{"call":"take"}\n`);
    expect(code).to.equal(2);
    expect(talk).to.match(/^error INVALID_ARGUMENT: .*h\.jsonl:4: call must be one of next, current, advance, got 'take'/);
  });

  it('refuses a file with nothing to check, and one that is not there', async () => {
    expect(await verify('\n')).to.deep.include({ code: 2 });
    const { code, talk } = await run('--history', join(folder, 'gone'));
    expect(code).to.equal(2);
    expect(talk).to.include('--history must be a file that can be read').and.to.include('ENOENT');
  });

  it('says so when the timeline cannot be written', async () => {
    const { code, talk } = await verify(bad, '--timeline', join(folder, 'no', 'h.html'));
    expect(code).to.equal(2);
    expect(talk).to.include('--timeline must be a file that can be written');
  });
});
