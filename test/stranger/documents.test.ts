import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { DEFAULT_HTTP_PORT, DEFAULT_PORT } from '../../src/cli/dev-layout.js';
import { projectRoot } from '../project-root.js';
import { type Block, blocksOf } from './blocks.js';
import { type Installation, installation, type Outcome } from './installation.js';

/** What documents say of where a cluster is, unless they say otherwise. */
const USUAL_ADDRESS = `127.0.0.1:${DEFAULT_PORT}`;
const USUAL_HTTP_ADDRESS = `127.0.0.1:${DEFAULT_HTTP_PORT}`;
/** Languages that are run: by a shell, and compiled for Node. */
const RUN = ['sh', 'ts'];
/** Languages that are only looked at. A block says one, so that none hides from here. */
const SHOWN = ['text', 'json', 'yaml', 'proto', 'ini'];
/** Pages that speak to who has the repository; all others to who has the package. */
const IN_REPOSITORY = ['CONTRIBUTING.md'];

/** `npx` finds the same programs in PATH; itself it is tried by tarball.test.ts, and costs a second each time. */
const PRELUDE = 'set -e\nnpx() { "$@"; }\n';

const pages = [
  ...readdirSync(projectRoot).filter((name) => name.endsWith('.md') && name !== 'CHANGELOG.md'),
  ...readdirSync(join(projectRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...readdirSync(join(projectRoot, 'examples')).map((name) => `examples/${name}/README.md`),
];

describe('the blocks of the documents', function () {
  this.timeout(240_000);
  const found = pages.flatMap((page) => blocksOf(readFileSync(join(projectRoot, page), 'utf8')).map((block) => ({ ...block, page })));
  let stranger: Installation;
  before(async () => {
    stranger = await installation();
  });

  it('each name their language', () => {
    const strange = found.filter(({ language }) => ![...RUN, ...SHOWN].includes(language));
    expect(strange.map(({ page, line, language }) => `${page}:${line} '${language}'`)).to.deep.equal([]);
  });

  it('are run, or say why not', () => {
    const commands = found.filter(({ language }) => RUN.includes(language));
    expect(commands.filter(({ reason }) => reason === undefined).length).to.be.greaterThan(2);
  });

  for (const block of found) {
    if (!RUN.includes(block.language) || block.reason !== undefined) continue;
    it(`run: ${block.page}:${block.line}`, async function () {
      // Every other command of a block comes with the package, or with a shell.
      if (/^curl /m.test(block.text) && spawnSync('curl', ['--version']).error !== undefined) this.skip();
      const { code, out, talk } = block.language === 'sh' ? await runShell(block) : await runTypeScript(block);
      expect(code, `${block.text}\n--- it said:\n${out}${talk}`).to.equal(0);
    });
  }

  function runShell({ text, page }: Block & { readonly page: string }): Promise<Outcome> {
    const folder = IN_REPOSITORY.includes(page) ? projectRoot : stranger.folder;
    const command = text.replaceAll(USUAL_HTTP_ADDRESS, stranger.httpAddress);
    return stranger.run('sh', ['-c', `cd '${folder}'\n${PRELUDE}${command}`], { SEQSVR_ENDPOINTS: stranger.address });
  }

  /** Compiled against the installed package, with all its types checked, then run. */
  async function runTypeScript({ text, line }: Block): Promise<Outcome> {
    const name = `block-${line}`;
    const source = `${text.replaceAll(USUAL_ADDRESS, stranger.address)}\nexport {};\n`;
    writeFileSync(join(stranger.folder, `${name}.ts`), source);
    const tsc = join(projectRoot, 'node_modules', 'typescript', 'bin', 'tsc');
    const flags = ['--strict', '--target', 'es2023', '--lib', 'es2023,esnext.disposable', '--types', 'node', '--module', 'nodenext'];
    const compiled = await stranger.run(process.execPath, [tsc, ...flags, `${name}.ts`]);
    return compiled.code === 0 ? stranger.run(process.execPath, [`${name}.js`]) : compiled;
  }
});
