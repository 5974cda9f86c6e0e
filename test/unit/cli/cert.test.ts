import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createCa, createLeaf, inspectCerts, type LeafArgs, lineOf } from '../../../src/cli/cert.js';
import { principalOfAltNames } from '../../../src/rpc/access.js';

const DAY_MS = 86_400_000;

describe('seqctl cert', () => {
  const folder = mkdtempSync(join(tmpdir(), 'seqsvr-cert-'));
  after(() => rmSync(folder, { recursive: true }));
  const said = { out: '', talk: '' };
  const output = { out: (text: string) => void (said.out += text), talk: (line: string) => void (said.talk += `${line}\n`) };
  beforeEach(() => {
    said.out = '';
    said.talk = '';
  });

  const at = (name: string): string => join(folder, name);
  const leaf = (change: Partial<LeafArgs>): LeafArgs => ({
    role: 'alloc',
    name: 'a1',
    days: 30,
    out: folder,
    output: 'json',
    hosts: ['a1.example'],
    isServer: true,
    caCert: at('ca.crt'),
    caKey: at('ca.key'),
    ...change,
  });

  it('makes a root, and certificates that it signs, with keys that only their owner reads', () => {
    expect(createCa({ name: 'ours', days: 365, out: folder, output: 'table' }, output)).to.equal(0);
    expect(said.out).to.equal(`${at('ca.crt')}\n${at('ca.key')}\n`);
    expect(createLeaf(leaf({}), output)).to.equal(0);
    const [root, own] = [at('ca.crt'), at('a1.crt')].map((file) => new X509Certificate(readFileSync(file)));
    expect(root && own?.checkIssued(root)).to.equal(true);
    expect(principalOfAltNames(own?.subjectAltName)).to.deep.equal({ role: 'alloc', name: 'a1' });
    expect(statSync(at('a1.key')).mode & 0o777).to.equal(0o600);
  });

  it('writes over nothing, and makes none that outlasts its root', () => {
    const before = readFileSync(at('a1.key'), 'utf8');
    expect(() => createLeaf(leaf({}), output)).to.throw('cannot be made: EEXIST');
    expect(readFileSync(at('a1.key'), 'utf8')).to.equal(before);
    expect(() => createLeaf(leaf({ name: 'long', days: 366 }), output)).to.throw('--days 366 is longer than the root lasts');
    expect(() => createLeaf(leaf({ name: 'no/name' }), output)).to.throw('--name must be 1 to 63 of');
    expect(() => createLeaf(leaf({ name: 'never', days: 0 }), output)).to.throw('--days must be in [1, 36500], got 0');
    expect(existsSync(at('long.key'))).to.equal(false);
  });

  it('tells what stands in a certificate, of a file with several each one', () => {
    writeFileSync(at('both.pem'), readFileSync(at('a1.crt'), 'utf8') + readFileSync(at('ca.crt'), 'utf8'));
    expect(inspectCerts({ files: [at('both.pem')], warnDays: 14, output: 'json' }, output)).to.equal(0);
    const { certificates } = JSON.parse(said.out);
    expect(certificates.map(({ subject, role, isCa, daysLeft }: Record<string, unknown>) => [subject, role, isCa, daysLeft])).to.deep.equal([
      ['CN=a1', 'alloc', false, 29],
      ['CN=ours', undefined, true, 364],
    ]);
    expect(said.talk).to.equal('');
  });

  it('warns of what ends soon, with exit code 4', () => {
    expect(inspectCerts({ files: [at('ca.crt'), at('a1.crt')], warnDays: 31, output: 'table' }, output)).to.equal(4);
    expect(said.talk).to.match(/^warning: .*a1\.crt: a1: ends soon \(\d{4}-/);
  });

  it('knows what has expired and what does not count yet', () => {
    const one = new X509Certificate(readFileSync(at('a1.crt')));
    const stateAt = (nowMs: number): string => lineOf(one, { file: 'x', nowMs, warnDays: 14 }).state;
    const nowMs = Date.now();
    expect([-1, 0, 17, 31].map((days) => stateAt(nowMs + days * DAY_MS))).to.deep.equal(['not yet', 'good', 'ends soon', 'expired']);
  });

  it('refuses a file without a certificate', () => {
    expect(() => inspectCerts({ files: [at('a1.key')], warnDays: 1, output: 'table' }, output)).to.throw('there is no certificate in it');
  });
});
