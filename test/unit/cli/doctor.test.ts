import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.js';
import { systemRandom } from '../../../src/base/random.js';
import { parseConfig } from '../../../src/cli/config.js';
import { doctor, examine } from '../../../src/cli/doctor.js';
import * as judge from '../../../src/cli/doctor-findings.js';
import { existingFolder, type Probes, realProbes, softLimitIn } from '../../../src/cli/doctor-probes.js';

const ROOM = { freeBytes: 2 ** 40, sizeBytes: 2 ** 41, isMemory: false };
const PROBES: Probes = {
  clock: systemClock,
  syncTimes: () => Promise.resolve([1, 2, 3]),
  room: () => ROOM,
  openFilesMax: () => 65_536,
  isClockSynced: () => Promise.resolve(true),
};
const ALLOC = "role: alloc\nname: b\nlisten: 127.0.0.1:3\nstores: ['127.0.0.1:1']\n";

describe('doctor', () => {
  const instant = (monoMs: number, wallMs: number, uptimeMs = monoMs) => ({ monoMs, wallMs, uptimeMs });
  const rows: readonly [string, judge.Finding, judge.Verdict, string][] = [
    ['a sound disk', judge.judgeSync([2, 1, 3], '/d', false), 'ok', 'median 2.00ms, worst 3.00ms'],
    ['a disk that lies', judge.judgeSync([0.001, 0.002, 0.003], '/d', false), 'warn', 'implausibly fast'],
    ['a slow disk', judge.judgeSync([30, 40, 50], '/d', false), 'warn', 'slow'],
    ['a disk that stalls', judge.judgeSync([1, 1, 600], '/d', false), 'fail', 'election timeout'],
    ['a disk that hangs', judge.judgeSync([], '/d', false), 'fail', 'no write'],
    ['memory in the place of a disk', judge.judgeSync([1], '/d', true), 'fail', 'tmpfs'],
    ['clocks that agree', judge.judgeClocks([instant(0, 1000), instant(100, 1100)]), 'ok', 'agree within 0.00ms'],
    ['a wall clock that was set back', judge.judgeClocks([instant(0, 9000), instant(100, 1100)]), 'warn', 'wall clock jumped by -8000ms'],
    ['a machine that slept', judge.judgeClocks([instant(0, 0), instant(100, 100, 5100)]), 'warn', 'uptime jumped by 5000ms'],
    ['a clock that NTP keeps', judge.judgeNtp(true), 'ok', 'synchronized'],
    ['a clock that nobody keeps', judge.judgeNtp(false), 'warn', 'not synchronized'],
    ['a clock of which nobody knows', judge.judgeNtp(undefined), 'warn', 'cannot be seen'],
    ['enough files', judge.judgeOpenFiles(4096), 'ok', '4096'],
    ['too few files', judge.judgeOpenFiles(1024), 'warn', '1024'],
    ['room', judge.judgeRoom(ROOM, '/d'), 'ok', 'MiB are free'],
    ['little room', judge.judgeRoom({ freeBytes: 2 ** 29, sizeBytes: 2 ** 40 }, '/d'), 'warn', '512 of'],
    ['no room', judge.judgeRoom({ freeBytes: 2 ** 20, sizeBytes: 2 ** 40 }, '/d'), 'fail', '1 of'],
    ['a renewal that fits', judge.judgeTimes(parseConfig(ALLOC, 'a')), 'ok', '500ms x 4 = 2000ms'],
    ['a renewal that is too slow', judge.judgeTimes(parseConfig(`${ALLOC}renewEvery: 1s\n`, 'a')), 'warn', '4000ms'],
    ['a node that answers', judge.judgeReached({ address: 'h:1', error: '', tookMs: 1, version: '1' }, '1', true), 'ok', '1.00ms'],
    ['a node far away', judge.judgeReached({ address: 'h:1', error: '', tookMs: 80, version: '1' }, '1', true), 'warn', '80ms'],
    ['a node of another version', judge.judgeReached({ address: 'h:1', error: '', tookMs: 1, version: '2' }, '1', true), 'warn', 'this program is 1'],
    ['a node that is silent', judge.judgeReached({ address: 'h:1', error: 'gone', tookMs: 1, version: undefined }, '1', true), 'fail', 'gone'],
    [
      'a node that may not have started',
      judge.judgeReached({ address: 'h:1', error: 'gone', tookMs: 1, version: undefined }, '1', false),
      'warn',
      'gone',
    ],
  ];
  for (const [what, finding, verdict, words] of rows) {
    it(`says ${verdict} of ${what}, with the figures and what to do`, () => {
      expect(finding.verdict, finding.what).to.equal(verdict);
      expect(finding.what).to.include(words);
      expect(finding.todo === '').to.equal(verdict === 'ok');
    });
  }

  it('fails for a dependency below its floor', () => {
    const floor = { name: 'x', path: [], least: '2.0.0', why: 'it leaks' };
    expect(judge.judgeDependencies([{ floor, version: '1.0.0', isHighEnough: false }])[0]).to.include({
      verdict: 'fail',
      what: 'x 1.0.0 is below 2.0.0: it leaks',
    });
  });

  it('reads the soft limit of open files', () => {
    expect(softLimitIn('Max open files            1024                 1048576              files     \n')).to.equal(1024);
    expect(softLimitIn('Max open files            unlimited            unlimited            files     \n')).to.equal(Number.POSITIVE_INFINITY);
    expect(softLimitIn('')).to.equal(undefined);
  });

  describe('on a machine', () => {
    const folder = mkdtempSync(join(tmpdir(), 'seqsvr-doctor-'));
    after(() => rmSync(folder, { recursive: true }));
    const none = { config: undefined, folder: undefined, endpoints: [] };

    it('measures real writes, and leaves nothing behind', async () => {
      const times = await realProbes({ clock: systemClock, random: systemRandom }).syncTimes(folder);
      expect(times).to.have.length.greaterThan(0);
      expect(readdirSync(folder)).to.deep.equal([]);
    });

    it('makes no folder: it measures the nearest one that is there', () => {
      expect(existingFolder(join(folder, 'a', 'b'))).to.equal(folder);
    });

    it('makes a finding of a disk that refuses, and exits with 4', async () => {
      let out = '';
      const probes = { ...PROBES, syncTimes: () => Promise.reject(new Error('EROFS')) };
      const output = { out: (text: string) => void (out += text), talk: () => undefined };
      expect(await doctor({ ...none, parts: ['fsync'], folder, output: 'json' }, { output, probes })).to.equal(4);
      expect(JSON.parse(out)).to.deep.include({ kind: 'Doctor', verdict: 'fail' });
      expect(out).to.include('EROFS');
    });

    it('finds what is wrong with a config, with its line', async () => {
      const file = join(folder, 'x.yaml');
      writeFileSync(file, `${ALLOC}strict: maybe\n`);
      const [finding] = await examine({ ...none, parts: ['config'], config: file }, PROBES);
      expect(finding).to.include({ verdict: 'fail', what: `${file}:5: strict: must be true or false, got 'maybe'` });
      const [missing] = await examine({ ...none, parts: ['config'], config: join(folder, 'no.yaml') }, PROBES);
      expect(missing?.what).to.include('cannot be read');
    });

    it('says of stores of a config that are not up that they may not have started, and of endpoints that they are down', async () => {
      const file = join(folder, 'good.yaml');
      writeFileSync(file, ALLOC);
      const verdicts = async (config: string | undefined) =>
        (await examine({ ...none, parts: ['network'], config, endpoints: ['127.0.0.1:1'] }, PROBES)).map(({ verdict }) => verdict);
      expect([await verdicts(file), await verdicts(undefined)]).to.deep.equal([['warn'], ['fail']]);
    });
  });
});
