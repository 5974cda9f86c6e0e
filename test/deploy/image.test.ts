import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { projectRoot } from '../project-root.js';

interface Instruction {
  readonly word: string;
  readonly text: string;
}

describe('the image', () => {
  const stages = stagesOf(readFileSync(join(projectRoot, 'deploy/docker/Dockerfile'), 'utf8'));
  const last = stages.at(-1) ?? [];
  const textOf = (word: string): string => last.find((instruction) => instruction.word === word)?.text ?? '';

  it('is built in one stage and runs in another, without npm and without what only the build needs', () => {
    expect(stages).to.have.length(2);
    expect(last.filter(({ word, text }) => word === 'RUN' || text.includes('npm'))).to.deep.equal([]);
    expect(stages[0]?.some(({ word, text }) => word === 'RUN' && text.startsWith('npm prune --omit=dev'))).to.equal(true);
  });

  it('runs as a user with a number, for Kubernetes cannot tell whether a name is root', () => {
    expect(textOf('USER')).to.match(/^[1-9]\d+:[1-9]\d+$/);
  });

  it('runs node itself, without a shell that would keep SIGTERM from it', () => {
    for (const word of ['ENTRYPOINT', 'CMD']) expect(JSON.parse(textOf(word)), word).to.be.an('array');
    expect(JSON.parse(textOf('ENTRYPOINT'))).to.deep.equal(['node', '/opt/seqsvr/dist/src/cli/main.js']);
    const [, command = ''] = /CMD (\[.*\])$/.exec(textOf('HEALTHCHECK')) ?? [];
    expect(JSON.parse(command)).to.deep.equal(['node', '/opt/seqsvr/deploy/healthcheck.mjs']);
  });

  it('is made of files that exist and that .dockerignore lets through', () => {
    const [first, ...rest] = readFileSync(join(projectRoot, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(first, 'everything is left out that is not named').to.equal('*');
    const copied = stages.flat().filter(({ word, text }) => word === 'COPY' && !text.includes('--from='));
    const sources = copied.flatMap(({ text }) => text.split(' ').slice(0, -1));
    expect(rest.map((line) => line.replace('!', ''))).to.have.members(sources);
    for (const source of sources) expect(existsSync(join(projectRoot, source)), source).to.equal(true);
  });

  it('is healthy while the admin port answers 200, and only then', async () => {
    let status = 200;
    const server = createServer((request, response) => response.writeHead(status).end(`${request.url}\n`)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = String((server.address() as AddressInfo).port);
    expect(await healthOn(port)).to.deep.equal({ code: 0, text: '/livez' });
    expect(await healthOn(port, '/readyz')).to.deep.equal({ code: 0, text: '/readyz' });
    status = 503;
    expect(await healthOn(port)).to.deep.equal({ code: 1, text: '/livez' });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const { code, text } = await healthOn(port);
    expect(code).to.equal(1);
    expect(text).to.include('ECONNREFUSED');
  });
});

/** The instructions of a Dockerfile, by stage, continued lines joined. */
function stagesOf(text: string): Instruction[][] {
  const lines = text
    .replaceAll(/^#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: Instruction[][] = [];
  for (const line of lines) {
    const [, word = '', rest = ''] = /^(\w+) (.*)$/.exec(line) ?? [];
    if (word === 'FROM') stages.push([]);
    stages.at(-1)?.push({ word, text: rest });
  }
  return stages;
}

async function healthOn(port: string, ...args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  const script = join(projectRoot, 'deploy/docker/healthcheck.mjs');
  const said = await promisify(execFile)(process.execPath, [script, ...args], { env: { ...process.env, SEQSVR_ADMIN_PORT: port } }).catch(
    (error: { readonly code: number; readonly stdout: string; readonly stderr: string }) => error,
  );
  return { code: 'code' in said ? said.code : 0, text: `${said.stdout}${said.stderr}`.trim() };
}
