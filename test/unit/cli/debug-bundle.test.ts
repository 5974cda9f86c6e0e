import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { debugBundle, redactedConfig } from '../../../src/cli/debug-bundle.js';
import type { Probes } from '../../../src/cli/doctor-probes.js';
import { tarOf } from '../../../src/cli/tar.js';

const PROBES: Probes = {
  clock: systemClock,
  syncTimes: () => Promise.resolve([1]),
  room: () => ({ freeBytes: 2 ** 40, sizeBytes: 2 ** 41, isMemory: false }),
  openFilesMax: () => 65_536,
  isClockSynced: () => Promise.resolve(true),
};

describe('debug bundle', function () {
  this.timeout(20_000);
  const folder = mkdtempSync(join(tmpdir(), 'seqsvr-bundle-'));
  after(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('is an archive that tar reads, names and bytes as they were', () => {
    const content = 'ü'.repeat(700);
    const archive = join(folder, 'a.tar');
    writeFileSync(
      archive,
      tarOf(
        [
          { name: 'd/one.txt', content },
          { name: 'd/empty', content: '' },
        ],
        1_000,
      ),
    );
    expect(execFileSync('tar', ['-tf', archive], { encoding: 'utf8' })).to.equal('d/one.txt\nd/empty\n');
    expect(execFileSync('tar', ['-xOf', archive, 'd/one.txt'], { encoding: 'utf8' })).to.equal(content);
    expect(() => tarOf([{ name: '/etc/x', content: '' }], 0)).to.throw('without a leading slash');
    expect(() => tarOf([{ name: 'x'.repeat(101), content: '' }], 0)).to.throw('100 bytes');
  });

  it('has neither paths nor the words of a bad config', () => {
    const good = "role: alloc\nname: b\nlisten: 127.0.0.1:3\nstores: ['127.0.0.1:1']\ndataDir: /home/hidden\n";
    expect(redactedConfig(file('good.yaml', good)))
      .to.include('(redacted)')
      .and.not.to.include('hidden');
    const bad = redactedConfig(file('bad.yaml', `${good}zone: 's3cret word'\nsecretToken: s3cret\n`));
    expect(bad).to.include('"line": 6').and.not.to.include('s3cret');
  });

  it('names what could not be had, takes pages of admin ports, and overwrites nothing', async () => {
    const server = createServer((request, response) => response.end(`page ${request.url}\n`)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const out = join(folder, 'b.tar.gz');
    let talk = '';
    const output = { out: () => undefined, talk: (line: string) => void (talk += `${line}\n`) };
    const args = {
      endpoints: ['127.0.0.1:1'],
      timeoutMs: 200,
      isTimeoutGiven: true,
      output: 'json',
      out,
      admins: [admin],
      configs: [join(folder, 'no.yaml')],
    } as const;
    try {
      expect(await debugBundle(args, { output, probes: PROBES })).to.equal(0);
      expect(talk).to.include('not in it: nodes.json').and.to.include('configs/1.json');
      const read = (name: string): string => execFileSync('tar', ['-xzOf', out, `seqsvr-debug/${name}`], { encoding: 'utf8' });
      expect(read(`http/${admin.replace(':', '_')}/metrics.txt`)).to.equal('page /metrics\n');
      expect(read(`http/${admin.replace(':', '_')}/readyz.txt`)).to.equal('page /readyz?verbose\n');
      expect(JSON.parse(read('doctor.json')).findings).to.have.length.greaterThan(3);
      expect(read('missing.txt')).to.include('nodes.json');
      expect(statSync(out).mode & 0o077).to.equal(0);
      const before = readFileSync(out);
      const error = await debugBundle(args, { output, probes: PROBES }).then(String, String);
      expect(error).to.include('EEXIST');
      expect(readFileSync(out).equals(before)).to.equal(true);
    } finally {
      server.close();
    }
  });
});
