import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { CONFIG_SCHEMAS, examineConfig } from '../../../src/cli/config.js';
import { configCheck, configSchema, configShow } from '../../../src/cli/config-files.js';
import { configJsonSchema } from '../../../src/cli/config-json-schema.js';
import { REDACTED, settingsOf } from '../../../src/cli/config-settings.js';

const ALLOC = "role: alloc\nname: b\nlisten: 127.0.0.1:3\nstores: ['127.0.0.1:1', '127.0.0.1:5']\ndataDir: /data/b\nrenewEvery: 250ms\n";

function heard() {
  const said = { out: '', talk: '' };
  return { said, output: { out: (text: string) => void (said.out += text), talk: (line: string) => void (said.talk += `${line}\n`) } };
}

describe('config files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'seqsvr-config-'));
  after(() => rmSync(folder, { recursive: true }));
  const write = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };

  it('checks one file, or every YAML file of a folder, with all problems and exit code 2', () => {
    const good = write('good.yaml', ALLOC);
    const bad = write('bad.yml', `${ALLOC}strict: maybe\nzoen: z\n`);
    write('notes.txt', 'not YAML: [');
    const alone = heard();
    expect(configCheck({ path: good, output: 'table' }, alone.output)).to.equal(0);
    expect(alone.said).to.deep.equal({ out: `${good}: good: alloc b\n`, talk: '' });
    const both = heard();
    expect(configCheck({ path: folder, output: 'table' }, both.output)).to.equal(2);
    expect(both.said.talk)
      .to.include(`${bad}:7: strict: must be true or false, got 'maybe'`)
      .and.to.include(`${bad}:8: unknown key 'zoen'; did you mean zone?`);
    const json = heard();
    configCheck({ path: bad, output: 'json' }, json.output);
    const { kind, ok, files } = JSON.parse(json.said.out);
    expect([kind, ok, files[0].problems[0]]).to.deep.equal([
      'ConfigCheck',
      false,
      { file: bad, line: 7, key: 'strict', rule: "must be true or false, got 'maybe'" },
    ]);
    expect(json.said.talk).to.equal('');
  });

  it('says of a file that is not there that it cannot be read', () => {
    const nowhere = heard();
    expect(configCheck({ path: join(folder, 'no.yaml'), output: 'table' }, nowhere.output)).to.equal(2);
    expect(nowhere.said.talk).to.include('no.yaml: cannot be read: ENOENT');
  });

  it('shows every setting with where it comes from: file, environment, default, other keys', () => {
    const shown = heard();
    configShow({ file: write('show.yaml', ALLOC), output: 'json', isRedacted: false, environment: { SEQSVR_LOG_LEVEL: 'debug' } }, shown.output);
    const { settings } = JSON.parse(shown.said.out);
    const of = (key: string): object => settings.find((setting: { key: string }) => setting.key === key);
    expect(of('renewEvery')).to.deep.equal({ key: 'renewEvery', value: '250ms', origin: 'file', line: 6 });
    expect(of('stores.1')).to.deep.equal({ key: 'stores.1', value: '127.0.0.1:5', origin: 'file', line: 4 });
    expect(of('raiseAhead')).to.deep.equal({ key: 'raiseAhead', value: '1m', origin: 'default' });
    expect(of('advertise')).to.deep.equal({ key: 'advertise', value: '127.0.0.1:3', origin: 'derived' });
    expect(of('--log-level')).to.deep.equal({ key: '--log-level', value: 'debug', origin: 'env' });
    expect(of('adminListen')).to.deep.equal({ key: 'adminListen', origin: 'default' });
  });

  it('names every key that the schema has, and hides paths when asked to', () => {
    const { config, document } = examineConfig(ALLOC, 'a.yaml');
    if (config === undefined) throw new Error('the config was refused');
    const settings = settingsOf(config, document, { isRedacted: true });
    const named = new Set(settings.map(({ key }) => key.split('.')[0]));
    expect([...named]).to.deep.equal(Object.keys(CONFIG_SCHEMAS.alloc.shape));
    expect(settings.find(({ key }) => key === 'dataDir')?.value).to.equal(REDACTED);
    expect(settingsOf(config, document, { isRedacted: false }).find(({ key }) => key === 'dataDir')?.value).to.equal('/data/b');
  });

  it('prints a JSON Schema with every key, the required ones and the defaults', () => {
    const printed = heard();
    expect(configSchema('store', printed.output)).to.equal(0);
    const { properties, required, additionalProperties } = JSON.parse(printed.said.out);
    expect(Object.keys(properties)).to.deep.equal(Object.keys(CONFIG_SCHEMAS.store.shape));
    expect(required).to.include.members(['role', 'name', 'cluster', 'dataDir', 'members']).and.not.to.include('lease');
    expect(additionalProperties).to.equal(false);
    expect(properties.lease).to.include({ default: '3s', type: 'string' });
    expect(properties.members.items.required).to.deep.equal(['id', 'name', 'peerAddress', 'address']);
    expect(properties.geometry.properties.uidsPerSection).to.include({ type: 'integer', minimum: 1, maximum: 10_000_000 });
    expect(configJsonSchema(undefined)['oneOf']).to.have.length(2);
  });

  it('has a pattern for durations that takes and refuses what the program does', () => {
    const { properties } = JSON.parse(JSON.stringify(configJsonSchema('alloc')));
    const pattern = new RegExp(properties.renewEvery.pattern);
    for (const [text, isGood] of [
      ['500ms', true],
      ['1.5s', true],
      ['500', false],
      ['soon', false],
    ] as const) {
      expect(pattern.test(text), text).to.equal(isGood);
      expect(examineConfig(ALLOC.replace('250ms', text), 'a').problems.length === 0, text).to.equal(isGood);
    }
  });
});
