import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { checkData, makeFolder, withData } from '../../../src/cli/dev-data.js';

describe('data of a dev cluster', function () {
  this.timeout(20_000);
  let root = '';
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'seqsvr-dev-data-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  function refusalOf(use: () => unknown): string {
    try {
      use();
    } catch (error) {
      expect(SeqError.is(error, 'INVALID_ARGUMENT'), String(error)).to.equal(true);
      return (error as SeqError).message;
    }
    return 'not refused';
  }

  it('may be missing, empty, ours, or what a start that was cut short left; and is only looked at', () => {
    expect(checkData(join(root, 'a', 'b'))).to.equal(join(root, 'a', 'b'));
    expect(readdirSync(root)).to.deep.equal([]);
    expect(checkData(root)).to.equal(root);
    for (const name of ['pid', 'pid.77', 'cluster.json.new']) writeFileSync(join(root, name), '');
    expect(checkData(root)).to.equal(root);
    for (const name of ['cluster.json', 'notes.txt']) writeFileSync(join(root, name), '');
    expect(checkData(root)).to.equal(root);
  });

  it('is not the current folder by a slip', () => {
    expect(refusalOf(() => checkData(''))).to.include("got '': that names nothing");
  });

  it('is not a folder of somebody else', () => {
    for (const name of ['photos', 'letters', 'pidgin', 'x']) mkdirSync(join(root, name));
    expect(refusalOf(() => checkData(root)))
      .to.include(`got '${root}': it is not empty and has no cluster.json`)
      .and.to.include('letters, photos, pidgin');
  });

  it('is not a file, nor below one', () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    for (const path of [file, join(file, 'data')])
      expect(refusalOf(() => checkData(path)))
        .to.include(`got '${path}'`)
        .and.to.include('not a folder');
  });

  it('is not behind links that lead in a circle', () => {
    symlinkSync('loop', join(root, 'loop'));
    expect(refusalOf(() => checkData(join(root, 'loop', 'data')))).to.include('ELOOP');
  });

  it('is not a folder that may not be written to', function () {
    if (process.getuid?.() === 0) this.skip();
    const sealed = join(root, 'sealed');
    mkdirSync(sealed);
    chmodSync(sealed, 0o500);
    expect(refusalOf(() => checkData(sealed))).to.include('EACCES');
  });

  it('is made with the folders above it, or not at all', () => {
    makeFolder(join(root, 'a', 'b'));
    makeFolder(join(root, 'a', 'b'));
    expect(readdirSync(join(root, 'a'))).to.deep.equal(['b']);
    symlinkSync('nowhere', join(root, 'dangling'));
    expect(refusalOf(() => withData('x', () => makeFolder(join(root, 'dangling', 'data'))))).to.include('EEXIST');
    expect(() => makeFolder(join(root, 'new', 'n'.repeat(300)))).to.throw('ENAMETOOLONG');
    expect(readdirSync(root)).to.have.members(['a', 'dangling']);
  });

  it('keeps what is no matter of the path as it is', () => {
    const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    expect(() =>
      withData('x', () => {
        throw full;
      }),
    ).to.throw(full);
  });

  async function refusedStart(...args: string[]): Promise<string> {
    let talk = '';
    // Imported as the program imports its commands, so that both have the same SeqError, whatever loads the tests.
    const { runProgram } = await import('../../../src/cli/program.js');
    const output = { out: () => undefined, talk: (line: string) => void (talk += `${line}\n`) };
    expect(await runProgram(['dev', ...args], { name: 'seqsvr', output }), talk).to.equal(2);
    return talk;
  }

  it('is left as it was by a start that is refused: port in use, bad numbers, a twin', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const bound = server.address();
    const port = String(typeof bound === 'object' ? bound?.port : 0);
    const data = join(root, 'new');
    try {
      expect(await refusedStart('--data', data, '--port', port)).to.include(`port ${port} is in use`);
      expect(await refusedStart('--data', data, '--port', port, '--stores', '2')).to.include('--stores must be 1, 3 or 5, got 2');
      expect(await refusedStart('--data', data, '--port', port, '--allocs', '0')).to.include('--allocs must be');
      expect(readdirSync(root)).to.deep.equal([]);
      writeFileSync(join(root, 'pid'), JSON.stringify({ pid: process.ppid, startedAt: '', children: [] }));
      expect(await refusedStart('--data', root, '--port', port)).to.include(`another seqsvr dev (pid ${process.ppid})`);
      expect(readdirSync(root)).to.deep.equal(['pid']);
    } finally {
      server.close();
    }
  });
});
