import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { isAlive, markOf, PidFile } from '../../../src/cli/pid-file.js';

describe('pid file', function () {
  this.timeout(20_000);
  let folder = '';
  let path = '';
  const children: ChildProcess[] = [];

  /** A process that lives until the test ends it. */
  function living(): number {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
    children.push(child);
    return child.pid as number;
  }

  /** The pid of a process that was there and is gone. */
  async function dead(): Promise<number> {
    const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
    await once(child, 'exit');
    return child.pid as number;
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'seqsvr-pid-'));
    path = join(folder, 'pid');
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }
    rmSync(folder, { recursive: true });
  });

  it('refuses while the process that holds it lives, and names it', () => {
    const pid = living();
    writeFileSync(path, JSON.stringify({ ...markOf(pid), children: [] }));
    expect(() => PidFile.acquire(path)).to.throw(SeqError, `pid ${pid}`);
    expect(JSON.parse(readFileSync(path, 'utf8')).pid).to.equal(pid);
  });

  it('refuses a second holder in the same process', () => {
    PidFile.acquire(path);
    if (markOf(process.pid).startedAt !== '') expect(() => PidFile.acquire(path)).to.throw(SeqError, 'another seqsvr dev');
  });

  it('takes over from a dead process and tells of the children it left', async () => {
    const orphan = markOf(living());
    writeFileSync(path, JSON.stringify({ pid: await dead(), startedAt: 'then', children: [orphan] }));
    const file = PidFile.acquire(path);
    expect(file.orphans).to.deep.equal([orphan]);
    expect(JSON.parse(readFileSync(path, 'utf8')).pid).to.equal(process.pid);
    expect(isAlive(orphan)).to.equal(true);
  });

  it('takes over when the pid was given to another process since', function () {
    const pid = living();
    if (markOf(pid).startedAt === '') this.skip();
    writeFileSync(path, JSON.stringify({ pid, startedAt: 'before that', children: [] }));
    expect(PidFile.acquire(path).orphans).to.deep.equal([]);
  });

  for (const half of ['', '{"pid":', 'null', '{"pid":-5}', '{"pid":"x"}']) {
    it(`takes over a file with ${JSON.stringify(half)} in it`, () => {
      writeFileSync(path, half);
      PidFile.acquire(path);
      expect(JSON.parse(readFileSync(path, 'utf8')).pid).to.equal(process.pid);
    });
  }

  it('remembers the children of its holder', () => {
    const file = PidFile.acquire(path);
    const pid = living();
    file.setChildren([pid]);
    const content = JSON.parse(readFileSync(path, 'utf8'));
    expect([content.pid, content.children]).to.deep.equal([process.pid, [markOf(pid)]]);
  });

  it('leaves nothing behind when released', () => {
    const file = PidFile.acquire(path);
    file.setChildren([]);
    file.release();
    expect(existsSync(path)).to.equal(false);
    expect(readdirSync(folder)).to.deep.equal([]);
  });
});
