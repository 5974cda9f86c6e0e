import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { projectRoot } from '../project-root.js';
import { type Installation, installation } from './installation.js';

/** The package is a tool that many download: what makes it larger is to be on purpose. */
const PACKED_BYTES_MAX = 1_000_000;

const SCRIPT = `
import { readFileSync } from 'node:fs';
import { SeqClient, SeqError } from 'seqsvr/client';
import { MemorySeqServer } from 'seqsvr/testing';
import * as whole from 'seqsvr';

const client = await SeqClient.connect({ endpoints: [process.argv[2]] });
const first = await client.next(9001n);
const second = await client.next(9001n);
await client.close();

const server = await MemorySeqServer.start();
const tester = await SeqClient.connect({ endpoints: [server.address] });
const inMemory = await tester.next(1n);
await tester.close();
await server.close();

const proto = readFileSync(new URL(import.meta.resolve('seqsvr/proto/seqsvr/v1/seq.proto')), 'utf8');
let refused = '';
try {
  await import('seqsvr/dist/src/cli/main.js');
} catch (error) {
  refused = error.code;
}
console.log(JSON.stringify({
  grew: second > first, inMemory: inMemory.toString(), same: whole.SeqClient === SeqClient, error: typeof SeqError.is, proto: proto.includes('service SeqService'), refused,
}));
`;

const TYPED = `
import { SeqClient, type SeqError } from 'seqsvr/client';
import { MemorySeqServer, type MemorySeqFault } from 'seqsvr/testing';

export async function take(fault: MemorySeqFault): Promise<{ last: bigint; errors: SeqError[] }> {
  const server = await MemorySeqServer.start();
  server.inject({ method: 'next', fault });
  const client = await SeqClient.connect({ endpoints: [server.address] });
  const seq: bigint = await client.next(42n);
  const answers: (bigint | SeqError)[] = await client.nextMany([1n, 2n]);
  // @ts-expect-error: a number is a bigint; if everything were 'any', this line would be accepted.
  void seq.toUpperCase();
  return { last: seq, errors: answers.filter((answer) => typeof answer !== 'bigint') };
}
`;

describe('the package, as npm pack makes it', function () {
  this.timeout(240_000);
  let stranger: Installation;
  before(async () => {
    stranger = await installation();
  });

  it('has the program, its types, the .proto files and the documents, and nothing else', () => {
    const { paths, sizeBytes, unpackedBytes } = stranger.packed;
    const strange = paths.filter(
      (path) => !/^(dist\/src\/.+\.(js|d\.ts)|src\/rpc\/proto\/.+\.proto|(deploy|docs|examples)\/.+|[A-Z]+\.md|LICENSE|package\.json)$/.test(path),
    );
    expect(strange).to.deep.equal([]);
    expect(paths.filter((path) => /\.map$|\.test\.(js|d\.ts)$|(^|\/)test\/|node_modules/.test(path))).to.deep.equal([]);
    for (const path of ['dist/src/cli/main.js', 'dist/src/client/client.d.ts', 'src/rpc/proto/seqsvr/v1/seq.proto', 'LICENSE', 'OPERATIONS.md']) {
      expect(paths).to.include(path);
    }
    console.log(`      ${Math.round(sizeBytes / 1000)} kB packed, ${Math.round(unpackedBytes / 1000)} kB unpacked, ${paths.length} files`);
    expect(sizeBytes).to.be.lessThan(PACKED_BYTES_MAX);
  });

  it('has every file that its README links to, so that a reader of node_modules can follow', () => {
    const installed = join(stranger.folder, 'node_modules', 'seqsvr');
    const links = [...readFileSync(join(installed, 'README.md'), 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)];
    expect(links.length).to.be.greaterThan(5);
    for (const [, target = ''] of links) expect(existsSync(join(installed, target)), target).to.equal(true);
  });

  it('runs as seqsvr and as seqctl by npx, and says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
    for (const name of ['seqsvr', 'seqctl']) {
      const { code, out, talk } = await stranger.run('npx', ['--no-install', name, 'version']);
      expect(code, talk).to.equal(0);
      expect(out).to.include(version);
    }
  });

  it('serves: npx seqsvr dev, and seqctl on it', async () => {
    const { code, out, talk } = await stranger.run('seqctl', ['seq', 'next', '9000', '-o', 'json', '--endpoints', stranger.address]);
    expect(code, talk).to.equal(0);
    expect(JSON.parse(out).seq).to.equal('1');
  });

  it('gives a program its client, the server for tests and the .proto files, and keeps the rest to itself', async () => {
    writeFileSync(join(stranger.folder, 'script.mjs'), SCRIPT);
    const { code, out, talk } = await stranger.run(process.execPath, ['script.mjs', stranger.address]);
    expect(code, talk).to.equal(0);
    expect(JSON.parse(out)).to.deep.equal({
      grew: true,
      inMemory: '1',
      same: true,
      error: 'function',
      proto: true,
      refused: 'ERR_PACKAGE_PATH_NOT_EXPORTED',
    });
  });

  it('has .proto files that find each other', () => {
    const protos = stranger.packed.paths.filter((path) => path.endsWith('.proto'));
    expect(protos.length).to.be.greaterThan(4);
    for (const path of protos) {
      const text = readFileSync(join(stranger.folder, 'node_modules', 'seqsvr', path), 'utf8');
      for (const [, imported = ''] of text.matchAll(/^import (?:public )?"([^"]+)";/gm)) {
        if (!imported.startsWith('google/')) expect(protos, `${path} imports ${imported}`).to.include(`src/rpc/proto/${imported}`);
      }
    }
  });

  for (const { resolution, module } of [
    { resolution: 'nodenext', module: 'nodenext' },
    { resolution: 'bundler', module: 'esnext' },
  ]) {
    it(`has types that a strict compiler accepts, resolved as ${resolution}`, async () => {
      const file = join(stranger.folder, resolution, 'typed.ts');
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, TYPED);
      const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc');
      const flags = ['--noEmit', '--strict', '--target', 'es2023', '--lib', 'es2023,esnext.disposable', '--types', 'node'];
      const { code, out } = await stranger.run(process.execPath, [tsc, ...flags, '--module', module, '--moduleResolution', resolution, file]);
      expect(code, out).to.equal(0);
    });
  }
});
