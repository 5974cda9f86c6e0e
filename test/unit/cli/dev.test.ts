import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { anyFreePort } from '../../../src/cli/front-door.js';
import { isAlive, markOf, type ProcessMark } from '../../../src/cli/pid-file.js';

/** The compiled program: what users run, and what the supervisor gives to its children. */
const MAIN = resolve('dist/src/cli/main.js');

describe('seqsvr dev', function () {
  this.timeout(120_000);
  let data = '';
  let port = 0;
  const started: ChildProcess[] = [];

  before(async function () {
    if (!existsSync(MAIN)) this.skip();
    data = mkdtempSync(join(tmpdir(), 'seqsvr-dev-'));
    port = await anyFreePort();
  });
  after(async () => {
    for (const process of started) process.kill('SIGKILL');
    await eventually(() => started.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null));
    if (data !== '') rmSync(data, { recursive: true, maxRetries: 5 });
  });

  async function start(): Promise<{ process: ChildProcess; text: () => string; pids: Map<string, number> }> {
    let text = '';
    const process = spawn(globalThis.process.execPath, [MAIN, 'dev', '--data', data, '--port', String(port), '--stores', '1', '--allocs', '2'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(process);
    process.stdout?.on('data', (chunk) => (text += String(chunk)));
    process.stderr?.on('data', (chunk) => (text += String(chunk)));
    await eventually(() => text.includes('Ctrl-C stops') || process.exitCode !== null);
    expect(text, text).to.include(`clients use 127.0.0.1:${port}`);
    const lines = [...text.matchAll(/^((?:store|alloc)-\d) +\S+ +(\d+)$/gm)];
    return { process, text: () => text, pids: new Map(lines.map(([, name, pid]) => [name as string, Number(pid)])) };
  }

  function run(...args: string[]): Promise<{ code: number; out: string; talk: string }> {
    return new Promise((done) => {
      const child = execFile(process.execPath, [MAIN, ...args], (_error, out, talk) => done({ code: child.exitCode ?? -1, out, talk }));
    });
  }

  async function next(): Promise<bigint> {
    const { out, talk } = await run('seq', 'next', '42', '-o', 'json', '--endpoints', `127.0.0.1:${port}`, '--timeout', '15s');
    expect(out, talk).to.include('"uid": "42"');
    return BigInt(JSON.parse(out).seq);
  }

  it('serves behind one address, survives kill -9 of nodes and of itself, refuses a twin, and stops cleanly', async () => {
    const first = await start();
    const one = await next();
    expect(await next()).to.equal(one + 1n);
    expect((await run('cluster', 'status', '--endpoints', `127.0.0.1:${port}`)).code).to.equal(0);
    const [, httpAddress] = /HTTP is at (\S+)/.exec(first.text()) ?? [];
    // The door takes turns, so one of the two is answered by who does not own the uid.
    for (const seq of [one + 2n, one + 3n]) {
      const answer = await (await fetch(`http://${httpAddress}/v1/uids/42:next`, { method: 'POST', headers: { connection: 'close' } })).json();
      expect(answer).to.deep.include({ uid: '42', seq: String(seq) });
    }

    const twin = await run('dev', '--data', data);
    expect([twin.code, twin.talk]).to.deep.include(2);
    expect(twin.talk).to.include(`pid ${first.process.pid}`);

    process.kill(first.pids.get('alloc-1') as number, 'SIGKILL');
    await eventually(() => /alloc-1 \(pid \d+\) serves again/.test(first.text()));
    const afterKill = await next();
    expect(afterKill > one + 1n).to.equal(true);

    const children: ProcessMark[] = JSON.parse(readFileSync(join(data, 'pid'), 'utf8')).children;
    expect(children.filter(isAlive)).to.have.length(3);
    first.process.kill('SIGKILL');
    await eventually(() => !children.some(isAlive));

    const second = await start();
    expect((await next()) > afterKill).to.equal(true);
    const marks = [...second.pids.values()].map(markOf);
    second.process.kill('SIGINT');
    const [code] = await once(second.process, 'exit');
    expect(code, second.text()).to.equal(0);
    expect(marks.some(isAlive)).to.equal(false);
    expect(existsSync(join(data, 'pid'))).to.equal(false);
  });
});

/** Looks until it is so; the test's own time limit ends the wait. */
async function eventually(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(20);
}
