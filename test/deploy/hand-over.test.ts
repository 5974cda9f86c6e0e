import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run, type Said } from './tools.js';

describe('the hook before a store stops', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'seqsvr-hand-over-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** Runs the hook of a store with this name against a seqctl that writes down what it is asked, and says that store-1 leads. */
  const handOver = (name: string, code = 0): Said & { readonly asked: string } => {
    const [config, program, asked] = ['store.yaml', 'seqctl.mjs', 'asked'].map((file) => join(folder, file)) as [string, string, string];
    writeFileSync(config, `role: store\nname: ${name}\nlisten: 0.0.0.0:7071\n`);
    writeFileSync(asked, '');
    writeFileSync(
      program,
      `import { appendFileSync } from 'node:fs';
      appendFileSync(${JSON.stringify(asked)}, process.argv.slice(2).join(' ') + '\\n');
      console.log('{"name": "store-1"}');
      process.exitCode = ${code};`,
    );
    const said = run(process.execPath, ['deploy/hand-over.mjs', '--config', config], { SEQSVR_PROGRAM: program });
    return { ...said, asked: readFileSync(asked, 'utf8') };
  };
  const ASKS = '--endpoints 127.0.0.1:7071 --timeout 5s leader';

  it('hands leadership over when this store leads', () => {
    const { code, asked } = handOver('store-1');
    expect([code, asked]).to.deep.equal([0, `${ASKS} show -o json\n${ASKS} transfer\n`]);
  });

  it('asks for nothing when another one leads', () => {
    const { code, asked, text } = handOver('store-2');
    expect([code, asked]).to.deep.equal([0, `${ASKS} show -o json\n`]);
    expect(text).to.include('store-1 leads');
  });

  it('never keeps a store from being stopped', () => {
    const { code, text } = handOver('store-1', 3);
    expect(code).to.equal(0);
    expect(text).to.include('no hand-over:');
  });
});
