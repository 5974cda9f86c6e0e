import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectRoot } from '../project-root.js';
import { SeededRandom } from '../unit/seeded-random.js';
import { buildShim, FaultyDisk, whyNoShim } from './faulty-disk.js';

/** The chance that keeps nothing of what was not synced. */
const KEEPS_NOTHING = Object.assign(new SeededRandom(1), { below: () => 0 });

/** A tool that does not do what it says would make every run with it worthless. */
describe('a faulty disk', function () {
  this.timeout(60_000);
  let folder: string;
  let disk: FaultyDisk;
  const path = (): string => join(folder, 'data', 'file');

  before(function () {
    const why = whyNoShim();
    if (why === undefined) return;
    console.log(`      skipped: ${why}`);
    this.skip();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'seqsvr-test-'));
    mkdirSync(join(folder, 'data'));
    disk = new FaultyDisk({ library: buildShim(folder), folder: join(folder, 'notes'), dataDir: join(folder, 'data') });
  });

  afterEach(() => {
    if (folder === undefined) return;
    disk?.close();
    rmSync(folder, { recursive: true });
  });

  it('keeps what was synced over a loss of power, and nothing else', () => {
    run("fs.writeSync(fd, 'synced'); fs.fdatasyncSync(fd); fs.writeSync(fd, ', and not')");
    expect(disk.losePower(KEEPS_NOTHING)).to.equal(', and not'.length);
    expect(readFileSync(path(), 'utf8')).to.equal('synced');
  });

  it('takes back what was overwritten and not synced', () => {
    run("fs.writeSync(fd, 'aaaaaa', 0); fs.fsyncSync(fd); fs.writeSync(fd, 'bb', 2); fs.writeSync(fd, 'c', 3)");
    expect(readFileSync(path(), 'utf8')).to.equal('aabcaa');
    disk.losePower(KEEPS_NOTHING);
    expect(readFileSync(path(), 'utf8')).to.equal('aaaaaa');
  });

  it('loses what it lied about', () => {
    disk.lie();
    expect(run("fs.writeSync(fd, 'acknowledged'); fs.fsyncSync(fd)").status).to.equal(0);
    expect(disk.counts.lied).to.equal(1);
    disk.losePower(KEEPS_NOTHING);
    expect(statSync(path()).size).to.equal(0);
  });

  it('fails the sync that it is told to, and with once no other', () => {
    disk.failSync({ after: 1, once: true });
    const { stdout } = run("for (let at = 0; at < 3; at++) try { fs.fsyncSync(fd); console.log('ok') } catch (error) { console.log(error.code) }");
    expect(stdout.trim().split('\n')).to.deep.equal(['ok', 'EIO', 'ok']);
    expect(disk.counts.failed).to.equal(1);
  });

  it('is full at the byte that it is told, and again has space when it is healed', () => {
    disk.fill(4);
    const { stdout } = run("console.log(fs.writeSync(fd, 'abcdef')); try { fs.writeSync(fd, 'gh') } catch (error) { console.log(error.code) }");
    expect(stdout.trim().split('\n')).to.deep.equal(['4', 'ENOSPC']);
    expect(readFileSync(path(), 'utf8')).to.equal('abcd');
    disk.heal();
    expect(run("console.log(fs.writeSync(fd, 'abcdef'))").stdout.trim()).to.equal('6');
  });

  it('is the disk of LevelDB too: a synced batch stays, one that it lied about is gone', () => {
    const batches = (keys: readonly string[]): string => `
      import { ClassicLevel } from 'classic-level';
      const level = new ClassicLevel(${JSON.stringify(join(folder, 'data', 'db'))});
      await level.open();
      for (const key of ${JSON.stringify(keys)}) await level.put(key, 'value', { sync: true });
      console.log((await level.keys().all()).join(' '));
      process.kill(process.pid, 'SIGKILL');`;
    expect(script(batches(['one', 'two'])).stdout.trim()).to.equal('one two');
    disk.losePower(KEEPS_NOTHING);
    disk.lie();
    expect(script(batches(['three'])).stdout.trim()).to.equal('one three two');
    disk.heal();
    disk.losePower(KEEPS_NOTHING);
    expect(script(batches([])).stdout.trim()).not.to.include('three');
  });

  it('fails a write of LevelDB when it is full', () => {
    const { stdout } = script(
      `
      import { ClassicLevel } from 'classic-level';
      const level = new ClassicLevel(${JSON.stringify(join(folder, 'data', 'db'))});
      await level.open();
      for (let at = 0; ; at++) await level.put('key ' + at, 'x'.repeat(1000), { sync: true }).catch((error) => (console.log(error.code), process.kill(process.pid, 'SIGKILL')));
    `,
      () => disk.fill(100_000),
    );
    expect(stdout.trim()).to.match(/^LEVEL_/);
    expect(disk.counts.refused).to.be.above(0);
  });

  /** One script with `fd` open for writing. */
  function run(body: string) {
    return script(`import fs from 'node:fs'; const fd = fs.openSync(${JSON.stringify(path())}, 'w+'); ${body}`);
  }

  function script(source: string, before: () => void = () => undefined) {
    before();
    const args = ['--input-type=module', '-e', source];
    return spawnSync(process.execPath, args, { cwd: projectRoot, encoding: 'utf8', timeout: 30_000, env: { ...process.env, ...disk.env } });
  }
});
