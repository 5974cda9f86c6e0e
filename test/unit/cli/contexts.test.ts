import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { SeqError } from '../../../src/base/errors.js';
import { contextFile, parseContexts, readContexts, Settings, writeContexts } from '../../../src/cli/contexts.js';

describe('contexts', () => {
  let home: string;
  let environment: NodeJS.ProcessEnv;
  const write = (text: string): void => {
    mkdirSync(join(home, 'seqsvr'), { recursive: true });
    writeFileSync(contextFile(environment), text);
  };

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'seqsvr-contexts-'));
    environment = { XDG_CONFIG_HOME: home };
  });
  afterEach(() => rmSync(home, { recursive: true }));

  it('are in the folder that the environment names, unless it is relative', () => {
    expect(contextFile(environment)).to.equal(join(home, 'seqsvr', 'config.yaml'));
    expect(contextFile({ XDG_CONFIG_HOME: 'here' })).to.match(/\/\.config\/seqsvr\/config\.yaml$/);
    expect(contextFile({})).to.equal(contextFile({ XDG_CONFIG_HOME: '' }));
  });

  it('are none when there is no file, and come back as they were written, for their owner alone', () => {
    const path = contextFile(environment);
    expect(readContexts(path)).to.deep.equal({ current: undefined, contexts: {} });
    const contexts = { current: 'prod', contexts: { prod: { endpoints: 'a:1,b:2', timeout: '10s' }, dev: {} } };
    writeContexts(path, contexts);
    expect(readContexts(path)).to.deep.equal(contexts);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(readFileSync(path, 'utf8')).to.match(/^current: prod\n/);
  });

  it('count after flags and variables, and before what is built in', () => {
    write('current: prod\ncontexts:\n  prod: {endpoints: "c:1", timeout: 9s}\n');
    const of = (key: 'endpoints' | 'timeout' | 'output', flag?: string): string => {
      const { value, source } = new Settings(undefined, { ...environment, SEQSVR_TIMEOUT: '7s' }).valueOf(key, flag);
      return `${value} ${source}`;
    };
    expect([of('endpoints', 'f:1'), of('endpoints'), of('timeout'), of('output')]).to.deep.equal([
      'f:1 flag',
      'c:1 context',
      '7s environment',
      'undefined default',
    ]);
    expect(new Settings(undefined, environment).valueOf('timeout', undefined)).to.deep.equal({ value: '9s', source: 'context' });
  });

  it('are chosen by a flag before a variable before the file', () => {
    write('current: a\ncontexts:\n  a: {endpoints: "a:1"}\n  b: {endpoints: "b:1"}\n  c: {endpoints: "c:1"}\n');
    const endpoints = (flag?: string, variable = ''): unknown =>
      new Settings(flag, { ...environment, SEQSVR_CONTEXT: variable }).valueOf('endpoints', undefined).value;
    expect([endpoints('c', 'b'), endpoints(undefined, 'b'), endpoints()]).to.deep.equal(['c:1', 'b:1', 'a:1']);
    expect(() => endpoints('d')).to.throw(SeqError, "--context must name a context, got 'd'; there are a, b, c");
  });

  const wrong: readonly [string, string][] = [
    ['contexts: [', 'F is not YAML'],
    ['- a', 'F must be a mapping'],
    ['current: 5', 'F: current must be text, got 5'],
    ['current: a', "F: current must name a context, got 'a'; there are none"],
    ['other: 1', "F has no key 'other'; there are current, contexts"],
    ['contexts: {a: 1}', 'F: contexts.a must be a mapping, got 1'],
    ['contexts: {a: {endpoint: x}}', "F: contexts.a has no key 'endpoint'; there are endpoints, timeout, output"],
    ['contexts: {a: {timeout: 5}}', 'F: contexts.a.timeout must be text, got 5'],
    ['contexts: {"a b": {}}', "got 'a b'"],
    ['contexts: {a: &x {}, b: *x}', 'F'],
  ];
  for (const [text, message] of wrong) {
    it(`refuse a file of '${text}'`, () =>
      expect(() => parseContexts(text, 'F'))
        .to.throw(SeqError, message)
        .with.property('code', 'INVALID_ARGUMENT'));
  }
});
