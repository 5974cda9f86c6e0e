import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { checkHistories } from '../../linearizability/check-histories.js';
import { projectRoot } from '../../project-root.js';

const GIVEN = join(projectRoot, '../shared/conformance/porcupine');
/** Spaces in one line, tabs in the next, as in the recorded logs. */
const WRITE_READ = 'INFO  jepsen.util - 0\t:invoke\t:write\t3\nINFO  jepsen.util - 0   :ok   :write   3\n';

describe('check-histories', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'seqsvr-histories-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function check(files: Readonly<Record<string, string>>): { readonly code: number; readonly lines: readonly string[] } {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    const lines: string[] = [];
    return { code: checkHistories(folder, { print: (line) => lines.push(line) }), lines };
  }

  function etcd(text: string, expected: string): { readonly code: number; readonly lines: readonly string[] } {
    return check({ 'expected.tsv': `file\tmodel\texpected\njepsen/a.log\tetcd-cas-register\t${expected}\n`, 'jepsen/a.log': text });
  }

  function keyValue(text: string, expected: string): { readonly code: number; readonly lines: readonly string[] } {
    return check({ 'expected.tsv': `kv/a.txt kv-get-put-append (partition by key) ${expected}\r\n`, 'kv/a.txt': text });
  }

  it('prints a line for each file, then how many verdicts are right', () => {
    const { code, lines } = etcd(`${WRITE_READ}INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t3\n`, 'ok');
    expect(lines[0]).to.match(/^ok {3}jepsen\/a\.log ok, [\d.]+ ms$/);
    expect([code, lines.at(-1)]).to.deep.equal([0, 'histories: 1/1 verdicts, 0 unknown']);
  });

  it('fails on a verdict that is not the expected one', () => {
    const { code, lines } = etcd(`${WRITE_READ}INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\tnil\n`, 'ok');
    expect(lines[0]).to.match(/^FAIL jepsen\/a\.log illegal, expected ok/);
    expect([code, lines.at(-1)]).to.deep.equal([1, 'histories: 0/1 verdicts, 0 unknown']);
  });

  it('takes an empty file as linearizable', () => expect(etcd('', 'ok').code).to.equal(0));

  it('leaves a call open after :info, so that it may happen later', () => {
    const open = 'INFO  jepsen.util - 1\t:invoke\t:write\t9\nINFO  jepsen.util - 1\t:info\t:write\t:timed-out\n';
    const reads = ['3', '9'].map((value) => `INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\t${value}\n`);
    expect(etcd(open + WRITE_READ + reads.join(''), 'ok').code).to.equal(0);
  });

  it('takes a read that timed out as nothing, and a failed comparison as one that found another value', () => {
    const read = 'INFO  jepsen.util - 2\t:invoke\t:read\tnil\nINFO  jepsen.util - 2\t:fail\t:read\t:timed-out\n';
    const cas = 'INFO  jepsen.util - 2\t:invoke\t:cas\t[3 4]\nINFO  jepsen.util - 2\t:fail\t:cas\t[3 4]\n';
    expect(etcd(WRITE_READ + read, 'ok').code).to.equal(0);
    expect(etcd(WRITE_READ + cas, 'illegal').code).to.equal(0);
  });

  it('passes over lines that are of no process', () => {
    expect(etcd(`INFO  jepsen.core - hello\nINFO  jepsen.util - :nemesis\t:info\t:start\tnil\n${WRITE_READ}`, 'ok').code).to.equal(0);
  });

  it('reads key-value histories, each key by itself', () => {
    const append = '{:process 1, :type :invoke, :f :append, :key "a", :value "x"}\n{:process 1, :type :ok, :f :append, :key "a", :value "x"}\n';
    const get = (value: string) =>
      `{:process 2, :type :invoke, :f :get, :key "a", :value nil}\n{:process 2, :type :ok, :f :get, :key "a", :value "${value}"}\n`;
    expect(keyValue(append + get('x'), 'ok').code).to.equal(0);
    expect(keyValue(append + get(''), 'illegal').code).to.equal(0);
  });

  it('lets a put that is open at the end have happened', () => {
    const open = '{:process 1, :type :invoke, :f :put, :key "a", :value "x"}\n';
    const get = '{:process 2, :type :invoke, :f :get, :key "a", :value nil}\n{:process 2, :type :ok, :f :get, :key "a", :value "x"}\n';
    expect(keyValue(open + get, 'ok').code).to.equal(0);
  });

  for (const { name, text, rule } of [
    { name: 'a return without a call', text: 'INFO  jepsen.util - 0\t:ok\t:write\t3\n', rule: 'line 1: process 0 returns' },
    { name: 'a call before the last one has ended', text: WRITE_READ.split('\n')[0]!.concat('\n').repeat(2), rule: 'line 2: process 0 invokes' },
    {
      name: 'a call that does not exist',
      text: 'INFO  jepsen.util - 0\t:invoke\t:drop\t3\n',
      rule: "line 1: a call is read, write N or cas [N N], got 'drop 3'",
    },
    {
      name: 'a read of no number',
      text: 'INFO  jepsen.util - 0\t:invoke\t:read\tnil\nINFO  jepsen.util - 0\t:ok\t:read\tx\n',
      rule: 'line 2: a read returns',
    },
  ]) {
    it(`has no verdict on ${name}, and says why`, () => {
      const { code, lines } = etcd(text, 'ok');
      expect(code).to.equal(1);
      expect(lines[0]).to.include('unreadable').and.to.include(rule);
    });
  }

  it('has no verdict on a file that is missing or a model that it does not know', () => {
    const { code, lines } = check({ 'expected.tsv': 'gone.log etcd-cas-register ok\na.log queue ok\n', 'a.log': '' });
    expect(code).to.equal(1);
    expect(lines[0]).to.include('ENOENT');
    expect(lines[1]).to.include("no model is called 'queue'");
  });

  it('says unknown, and fails, when a history is too hard', () => {
    const calls = Array.from({ length: 14 }, (_, at) => at);
    const text = [
      ...calls.map((at) => `INFO  jepsen.util - ${at} :invoke :write ${at}`),
      ...calls.map((at) => `INFO  jepsen.util - ${at} :ok :write ${at}`),
      'INFO  jepsen.util - 0 :invoke :read nil',
      'INFO  jepsen.util - 0 :ok :read 99',
    ].join('\n');
    writeFileSync(join(folder, 'a.log'), text);
    writeFileSync(join(folder, 'expected.tsv'), 'a.log etcd-cas-register illegal\n');
    const lines: string[] = [];
    const code = checkHistories(folder, { print: (line) => lines.push(line), limits: { bytesMax: 2 ** 30, stepsMax: 10_000 } });
    expect([code, lines.at(-1)]).to.deep.equal([1, 'histories: 0/1 verdicts, 1 unknown']);
  });

  it('says so when there is no list', () => {
    expect(check({})).to.deep.equal({ code: 2, lines: [`no expected.tsv in ${folder}`] });
  });

  it('gives all recorded histories beside the project their verdicts', function () {
    this.timeout(60_000);
    if (!existsSync(GIVEN)) {
      console.log(`        skipped: no histories in ${GIVEN}`);
      this.skip();
    }
    const lines: string[] = [];
    const code = checkHistories(GIVEN, { print: (line) => lines.push(line) });
    expect(lines.filter((line) => line.startsWith('FAIL'))).to.deep.equal([]);
    expect(code).to.equal(0);
  });
});
