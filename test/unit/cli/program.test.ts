import { expect } from 'chai';
import { parse } from 'yaml';
import { systemClock } from '../../../src/base/clock.js';
import { COMMANDS } from '../../../src/cli/command-tree.js';

async function run(...args: string[]) {
  let out = '';
  let talk = '';
  // Imported as the program imports its commands, so that both have the same SeqError, whatever loads the tests.
  const { runProgram } = await import('../../../src/cli/program.js');
  const output = { out: (text: string) => void (out += text), talk: (line: string) => void (talk += `${line}\n`) };
  const code = await runProgram(args, { name: 'seqctl', output });
  return { code, out, talk };
}

describe('program', function () {
  this.timeout(20_000);
  const nodes = Object.entries(COMMANDS).flatMap(([group, commands]) => [[group], ...commands.map((command) => [group, command])]);
  for (const path of [[], ...nodes]) {
    it(`has an example first, flags under titles and where to read on in the help of '${path.join(' ')}'`, async () => {
      const { code, out, talk } = await run(...path, '--help');
      expect([code, talk]).to.deep.equal([0, '']);
      const titles = [...out.matchAll(/^[A-Z][A-Za-z ]*:$/gm)].map(([title]) => title);
      expect(titles[0]).to.equal('Examples:');
      expect(titles.at(-1)).to.equal('General:');
      expect(Math.max(...out.split('\n').map((line) => line.length))).to.be.at.most(120);
      // An example is of this command or of one below it.
      expect(out.slice(out.indexOf('Examples:')).split('\n')[1]?.trim()).to.match(new RegExp(`^seqctl ${path.join(' ')}`));
      const further = /\nSee also: ([^:]+)\n$/.exec(out)?.[1]?.split(/,\s+/) ?? [];
      expect(further).to.have.length.greaterThan(0);
      for (const command of further) {
        const [name, group = '', leaf] = command.replace(/ --help$/, '').split(' ');
        expect([name, leaf === undefined ? [] : [leaf]]).to.deep.equal([
          'seqctl',
          leaf === undefined ? [] : COMMANDS[group]?.filter((one) => one === leaf),
        ]);
        expect(Object.keys(COMMANDS), command).to.include(group);
      }
    });
  }

  it('has every command of the help in its tree, and the other way round', async () => {
    const listed = async (...path: string[]): Promise<string[]> => {
      const { out } = await run(...path, '--help');
      const part = /\nCommands:\n((?: .*\n)+)/.exec(out)?.[1] ?? '';
      return [...part.matchAll(/^ {2}seqctl (\S.*?)(?: {2,}| <| \[|$)/gm)].map(([, command = '']) => command.split(' ').at(-1) ?? '');
    };
    expect(await listed()).to.have.members(Object.keys(COMMANDS));
    for (const [group, commands] of Object.entries(COMMANDS)) expect(await listed(group), group).to.have.members([...commands]);
  });

  it('can try every change without making it, and watch every list', async () => {
    for (const group of ['cluster', 'endpoint', 'member', 'leader', 'section', 'alloc', 'arbiter', 'policy', 'lease', 'set', 'store']) {
      for (const command of COMMANDS[group] ?? []) {
        const { out } = await run(group, command, '--help');
        const looks = ['list', 'show', 'status', 'history', 'health', 'hash', 'info'].includes(command);
        expect(out.includes('--dry-run'), `${group} ${command}`).to.equal(!looks);
        if (['list', 'status', 'history', 'health'].includes(command)) expect(out, `${group} ${command}`).to.include('--watch');
      }
    }
  });

  const wrong: readonly [readonly string[], string][] = [
    ...Object.entries(COMMANDS).flatMap(([group, commands]): [readonly string[], string][] =>
      commands.length === 0 ? [] : [[[group], `${group} needs a command: ${commands.join(' or ')}`]],
    ),
    [[], `seqctl needs a command: ${Object.keys(COMMANDS).join(', ')}`],
    [['foo'], `unknown command 'foo'; there are ${Object.keys(COMMANDS).join(', ')}`],
    [['member', 'lst'], "unknown command 'lst'; did you mean list?"],
    [['memebr', 'list'], "unknown command 'memebr'; did you mean member?"],
    [['member', 'add', 'd'], 'Not enough'],
    [['member', 'add', 'd e', 'h:1'], "NAME must be 1 to 63 of [A-Za-z0-9._-], starting with a letter or digit, got 'd e'"],
    [['member', 'add', 'd', 'h'], "an address is host:port with a port in [0, 65535], got 'h'"],
    [['member', 'add', 'd', '0.0.0.0:1'], "ADDR is host:port that others can dial, got '0.0.0.0:1'"],
    [['member', 'add', 'd', 'h:0'], 'got '],
    [['member', 'remove'], 'Not enough'],
    [['member', 'update', 'd'], 'an update needs --peer-address or --address, got neither'],
    [['member', 'update', 'd', '--address', 'h'], "got 'h'"],
    [['member', 'replace', 'd', 'e'], 'both NEWNAME and ADDR, or neither'],
    [['leader', 'transfer', 'd e'], "got 'd e'"],
    [['seq', 'next', '1', '--_', 'x'], 'a flag has a name that none can have'],
    [['section', 'mvoe', '1', '--to', 'a'], "unknown command 'mvoe'; did you mean move?"],
    [['polcy', 'show'], "unknown command 'polcy'; did you mean policy?"],
    [['section', 'show', '1..2'], 'section show takes one section, got 1..2'],
    [['section', 'show', 'x'], "sections are ID or FIRST..LAST, whole numbers from 0, got 'x'"],
    [['section', 'move', '5..3', '--to', 'a'], "got '5..3'"],
    [['section', 'move', '5'], 'Missing required argument: to'],
    [['section', 'move', '5', '--to', 'a b'], "got 'a b'"],
    [['section', 'list', '--alloc', 'a b'], "got 'a b'"],
    [['arbiter', 'history', '--limit', '0'], '--limit must be at least 1, got 0'],
    [['arbiter', 'history', '--limit', 'all'], "--limit must be a whole number, got 'all'"],
    [['policy', 'set'], 'policy set needs one of --placement, --standby, --moves, --silent-share, got none'],
    [['lease', 'set', '--dry-run'], 'lease set needs one of --lease, --drift, --margin to try, got none'],
    [['alloc', 'drain', 'a b'], "got 'a b'"],
    [['alloc', 'remove'], 'Not enough'],
    [['set', 'add', 'west'], 'Missing required argument: seeds'],
    [['set', 'add', 'west', '--seeds', 'h:0'], "a seed is host:port that clients can dial, got 'h:0'"],
    [['set', 'add', 'w t', '--seeds', 'h:1'], "got 'w t'"],
    [['set', 'add', 'west', '--seeds', 'h:1', '--home', '-'], "got '-'"],
    [['store', 'recover', '--config', 'x'], 'force-new-cluster'],
    [['store', 'recover', '--no-force-new-cluster', '--config', 'x'], '--force-new-cluster is required'],
    [['store', 'recover', '--force-new-cluster', '--config', '/nowhere.yaml'], "'/nowhere.yaml' cannot be read"],
    [['store', 'recover', '--force-new-cluster', '--config', 'x', '--bump', '0'], "--bump must be a whole number in [1, 281474976710656], got '0'"],
    [['store', 'recover', '--force-new-cluster', '--config', 'deploy/config/alloc.yaml'], 'only a store has data to recover'],
    [['cluster', 'foo'], "unknown command 'foo'; there are status"],
    [['sqe', 'next', '42'], "unknown command 'sqe'; did you mean seq?"],
    [['seq', 'nxt', '42'], "unknown command 'nxt'; did you mean next?"],
    [['version', 'now'], 'Unknown argument: now'],
    [['seq', 'next'], 'Not enough'],
    [['seq', 'next', '42', '43'], 'Unknown argument: 43'],
    [
      ['seq', 'next', '42', '--fast'],
      'unknown flag --fast; there are --count, --endpoints, --timeout, --context, --ca, --cert, --key, --token-file, --output',
    ],
    [['seq', 'next', '42', '--endpoint=a:1'], "unknown flag --endpoint; did you mean --endpoints?\nsee 'seqctl seq next --help'"],
    [['bench', '--rat', '5', '--yes'], 'unknown flag --rat; did you mean --rate?'],
    [['seq', 'next', '42', '-o', 'xml'], "--output must be one of table, wide, json, yaml, got 'xml'"],
    [['seq', 'next', '42', '--timeout', '5'], "got '5'"],
    [['seq', 'next', '42', '--timeout', '0s'], 'at least 1ms'],
    [['seq', 'next', '42', '--endpoints', 'localhost'], 'localhost'],
    [['seq', 'next', '42', '--endpoints', 'a:1,,b:2'], 'several with commas'],
    [['seq', 'next', 'x'], "uid must be a bigint, a safe integer or a decimal string, got 'x'"],
    [['seq', 'next', '-1'], "uid must be in [0, 18446744073709551615], got '-1'"],
    [['seq', 'next', '18446744073709551616'], "got '18446744073709551616'"],
    [['seq', 'next', '--', '-1'], "uid must be in [0, 18446744073709551615], got '-1'"],
    [['seq', 'next', '--', '--fast'], 'Not enough'],
    [['seq', 'next', '42', '--endpoints', 'a:0'], "an endpoint needs a port in [1, 65535], got 'a:0'"],
    [['seq', 'next', '1.5'], "got '1.5'"],
    [['seq', 'next', '42', '-n', '0'], 'count must be a whole number in [1,'],
    [['seq', 'next', '42', '-n', 'many'], "count must be a whole number in [1, 1000000], got 'many'"],
    [['seq', 'current', '-5'], '-5'],
    [['cluster', 'status', '--endpoints', 'x'], 'an address is host:port'],
    [['dev', '--port', 'abc'], "--port must be a whole number, got 'abc'"],
    [['dev', '--port', '65536'], '--port must be a whole number in [0, 65535], got 65536'],
    [['dev', '--stores', 'abc'], "--stores must be a whole number, got 'abc'"],
    [['dev', '--allocs', '2.5'], "--allocs must be a whole number, got '2.5'"],
    [['dev', '--data', ''], "--data must name a new or empty folder, or one that seqsvr dev made, got ''"],
    [['bench', '--rate', 'x', '--yes'], "--rate must be a whole number, got 'x'"],
    [['bench', '--many', '10001', '--yes'], '--many must be in [1, 10000], got 10001'],
    [['bench', '--duration', '0s', '--yes'], '--duration must be 1ms to 24h, got 0s'],
    [['bench', '--warm-up', '25h', '--yes'], '--warm-up must be 0ms to 24h, got 25h'],
    [['bench', '--callers', '10000', '--many', '101', '--yes'], '--callers times --many must be at most 1000000, got 1010000'],
    [['check', 'perf', '--load', 'xxl', '--yes'], "--load must be one of s, m, l, xl, got 'xxl'"],
    [['member', 'list', '--watch', '--every', '10ms'], '--every must be at least 100ms, got 10ms'],
    [['seq', 'tail', '42', '--every', '10ms'], '--every must be at least 50ms, got 10ms'],
    [['seq', 'tail', '42', '-n', '0'], '--count must be at least 1, got 0'],
    [['config', 'set-context', 'a b'], "got 'a b'"],
    [['config', 'set-context', 'a', '--endpoints', 'h'], "got 'h'"],
    [['cluster', 'info', '--context', 'nowhere'], "--context must name a context, got 'nowhere'"],
    [['start'], 'config'],
    [['start', '--config', '/nowhere.yaml'], "'/nowhere.yaml' cannot be read"],
  ];
  for (const [args, words] of wrong) {
    it(`refuses '${args.join(' ')}' with exit code 2, saying why on stderr`, async () => {
      const { code, out, talk } = await run(...args);
      expect(talk).to.include(words);
      expect([code, out]).to.deep.equal([2, '']);
    });
  }

  it('says in time that nobody answers, with exit code 3', async () => {
    // Port 1 is reserved: nobody listens there.
    for (const args of [
      ['seq', 'next', '42'],
      ['cluster', 'status'],
      ['route', 'show'],
      ['member', 'list'],
      ['leader', 'show'],
      ['section', 'list'],
      ['alloc', 'drain', 'a'],
      ['set', 'list'],
    ]) {
      const { code, out, talk } = await run(...args, '--endpoints', '127.0.0.1:1', '--timeout', '150ms');
      expect(talk).to.include('127.0.0.1:1').and.not.to.include('    at ');
      expect([code, out]).to.deep.equal([3, '']);
    }
  });

  it('gives up after about a second of nothing but refused connections, unless told how long to wait', async () => {
    for (const command of [
      ['seq', 'next', '42'],
      ['seq', 'current', '007'],
      ['cluster', 'status'],
      ['route', 'show'],
    ]) {
      const begunMs = systemClock.nowMs();
      const { code, talk } = await run(...command, '--endpoints', '127.0.0.1:1,127.0.0.1:2');
      expect(talk).to.include('error UNAVAILABLE: nobody listens at 127.0.0.1:1, 127.0.0.1:2').and.to.include('is the cluster running?');
      expect([code, systemClock.nowMs() - begunMs < 3_000]).to.deep.equal([3, true]);
    }
  });

  it('with a timeout of the user, asks whether the cluster runs, not for a longer timeout', async () => {
    const { code, talk } = await run('seq', 'next', '42', '--endpoints', '127.0.0.1:1', '--timeout', '300ms');
    expect(talk).to.include('error TIMEOUT').and.to.include('is the cluster running?').and.not.to.include('longer --timeout');
    expect(code).to.equal(3);
  });

  it('takes connection flags before the command, too', async () => {
    expect((await run('--endpoints', '127.0.0.1:1', '--timeout', '50ms', 'route', 'show')).talk).to.include('127.0.0.1:1');
  });

  it('takes SEQSVR_ variables where a flag is absent, and is not disturbed by those of other commands', async () => {
    process.env['SEQSVR_ENDPOINTS'] = '127.0.0.1:2';
    process.env['SEQSVR_SOMETHING_ELSE'] = '1';
    try {
      const options = ['route', 'show', '--timeout', '50ms'];
      const { CONNECTION_OPTIONS, fromEnv, parseConnection } = await import('../../../src/cli/options.js');
      // Read when a command runs, not when the module is loaded, which was before this test.
      expect(parseConnection({}).endpoints).to.deep.equal(['127.0.0.1:2']);
      expect(parseConnection({ endpoints: 'h:1' }).endpoints).to.deep.equal(['h:1']);
      process.env['SEQSVR_PORT'] = '7';
      expect(fromEnv('port', { type: 'string', default: '1', describe: 'd' }).default).to.equal('7');
      process.env['SEQSVR_PORT'] = 'abc';
      expect((await run('dev')).talk).to.include("--port must be a whole number, got 'abc'");
      expect(CONNECTION_OPTIONS.endpoints.describe).to.include('SEQSVR_ENDPOINTS');
      expect((await run(...options)).code).to.equal(3);
    } finally {
      delete process.env['SEQSVR_ENDPOINTS'];
      delete process.env['SEQSVR_PORT'];
      delete process.env['SEQSVR_SOMETHING_ELSE'];
    }
  });

  it('prints its version for people and for programs', async () => {
    expect((await run('version')).out).to.match(/^seqsvr \d+\.\d+\.\d+ \(node v\d+/);
    const { apiVersion, kind, version } = JSON.parse((await run('version', '-o', 'json')).out);
    expect([apiVersion, kind]).to.deep.equal(['seqsvr/v1', 'Version']);
    expect((await run('--version')).out.trim()).to.equal(version);
    expect(parse((await run('version', '-o', 'yaml')).out)).to.deep.include({ apiVersion, kind, version });
  });
});
