import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { dataFilesBelow, runConformance, SCENARIO_FOLDER } from '../../conformance/conformance.js';
import { firstDifference } from '../../conformance/compare.js';
import { runFile, runText } from '../../conformance/run-file.js';
import { projectRoot } from '../../project-root.js';

const SCENARIOS = join(projectRoot, SCENARIO_FOLDER);
const SHARED = join(projectRoot, '..', 'shared', 'conformance');

describe('the scenarios of this project', () => {
  for (const path of dataFilesBelow(SCENARIOS)) {
    it(`${relative(SCENARIOS, path)} passes, and says which rule it is for`, () => {
      expect(runFile(path).failure).to.equal(undefined);
      expect(readFileSync(path, 'utf8')).to.match(/^# Rule: /);
    });
  }

  it('are there for each of the eleven rules that etcd has no file for', () => {
    expect(readdirSync(SCENARIOS).length).to.be.at.least(11);
  });
});

describe('the data files beside the project', () => {
  for (const folder of ['etcd-raft', 'raft-own']) {
    it(`${folder}: every one passes`, function () {
      if (!existsSync(join(SHARED, folder))) {
        console.log(`      skipped: no ${folder} beside the project`);
        this.skip();
      }
      const failed = dataFilesBelow(join(SHARED, folder)).filter((path) => runFile(path).failure !== undefined);
      expect(failed).to.deep.equal([]);
    });
  }
});

describe('the conformance runner', () => {
  const SCRIPT = 'add-nodes 1 voters=(1) index=2\n----\nok\n\ncampaign 1\n----\nok\n\nraft-state\n----\n1: StateCandidate (Voter) Term:1 Lead:0\n';

  it('passes a file whose every command prints what is expected', () => {
    expect(runText(SCRIPT)).to.deep.equal({ commandCount: 3, passedCount: 3, failure: undefined });
  });

  it('fails on one changed letter, and shows the line, what was expected and what came', () => {
    const { passedCount, failure } = runText(SCRIPT.replace('StateCandidate', 'StateLeader'));
    expect(passedCount).to.equal(2);
    expect(failure?.line).to.equal(11);
    expect(failure?.text).to.include('expected: 1: StateLeader').and.to.include('actual:   1: StateCandidate');
  });

  it('fails on output that is missing, and on output too much', () => {
    expect(runText(`${SCRIPT}2: StateFollower (Voter) Term:1 Lead:0\n`).failure?.text).to.include('actual:   (nothing)');
    expect(runText(SCRIPT.replace('1: StateCandidate (Voter) Term:1 Lead:0', '')).failure?.text).to.include('expected: (nothing)');
  });

  const wrong: readonly (readonly [what: string, script: string, message: string])[] = [
    ['an unknown command', 'no-such-command 1\n----\nunknown command\n', 'unknown command "no-such-command"'],
    ['an unknown option', 'add-nodes 1 no-such=1\n----\nok\n', 'unknown option "no-such" of add-nodes'],
    ['an unknown value', 'log-level LOUD\n----\nok\n', 'unknown log level "LOUD"'],
    ['an unknown message type', 'deliver-msgs 1 type=MsgNone\n----\nno messages\n', 'unknown message type "MsgNone"'],
    ['a node that is not there', 'campaign 1\n----\nok\n', 'there is no node 1'],
    ['arguments too many', 'raft-state 1\n----\nok\n', 'takes 0 plain arguments, got 1'],
    ['input that the command does not take', 'raft-state\ninput\n----\nok\n', 'raft-state takes no input'],
    ['a foreign command in a quorum file', 'vote\n----\nVoteWon\n\ncampaign 1\n----\nok\n', 'unknown command "campaign"'],
    [
      'a foreign command in a membership file',
      'simple\nv1\n----\nvoters=(1)\n1: StateProbe match=0 next=1\n\ncampaign 1\n----\nok\n',
      'unknown command "campaign"',
    ],
    ['no command at all', '# nothing\n', 'without a command'],
    ['a file that cannot be read', 'campaign 1\n', 'no ----'],
  ];
  for (const [what, script, message] of wrong) {
    it(`fails on ${what}, by name`, () => expect(runText(script).failure?.text).to.include(message));
  }

  it('compares without free-text log lines, on either side', () => {
    expect(firstDifference(['INFO text', 'one', '  DEBUG moved in'], 'one\nWARN other text\n')).to.equal(undefined);
    expect(firstDifference(['INFO text'], 'ok')).to.equal(undefined);
    expect(firstDifference([], 'ok')).to.equal(undefined);
    expect(firstDifference(['INFORMATION'], 'ok')).to.deep.equal({ at: 0, expected: 'INFORMATION', actual: 'ok' });
    expect(firstDifference(['INFO text', 'one'], 'ok')).to.deep.equal({ at: 1, expected: 'one', actual: 'ok' });
    expect(firstDifference(['one '], 'one')?.actual).to.equal('one');
  });

  it('keeps silent at log level none, but for errors', () => {
    const script =
      'add-nodes 1 voters=(1,2) index=2\n----\nok\n\nlog-level none\n----\nok\n\nraft-state\n----\nok\n\npropose 1 x\n----\nraft proposal dropped\n';
    expect(runText(script).failure).to.equal(undefined);
  });

  it('leaves the log level as it was after a stabilize with one of its own', () => {
    const script =
      'add-nodes 1 voters=(1) index=2\n----\nok\n\ncampaign 1\n----\nok\n\nstabilize log-level=none\n----\nok\n\nraft-state\n----\n1: StateLeader (Voter) Term:1 Lead:1\n';
    expect(runText(script).failure).to.equal(undefined);
  });
});

describe('npm run conformance', () => {
  let folder: string;
  let lines: string[];
  const run = (...given: string[]): number => runConformance(given, { cwd: folder, print: (line) => lines.push(line) });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'seqsvr-conformance-'));
    lines = [];
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('ends with the sums, and 0 when all is well', () => {
    writeFileSync(join(folder, 'b.txt'), 'vote\n----\nVoteWon\n');
    writeFileSync(join(folder, 'a.txt'), 'simple\nv1\n----\nvoters=(1)\n1: StateProbe match=0 next=1\n');
    expect(run('.')).to.equal(0);
    expect(lines[0]).to.match(/^ok {3}a\.txt 1\/1 commands, \d+ ms$/);
    expect(lines[1]).to.match(/^ok {3}b\.txt 1\/1 commands/);
    expect(lines[2]).to.equal('conformance: 2/2 files, 2/2 commands');
  });

  it('ends with 1 when a file fails, which it names with the line', () => {
    writeFileSync(join(folder, 'a.txt'), 'vote\n----\nVoteLost\n\nvote\n----\nVoteWon\n');
    expect(run('.')).to.equal(1);
    expect(lines[0]).to.match(/^FAIL a\.txt 1\/2 commands/);
    expect(lines[1]).to.include('a.txt:3: vote, line 1');
    expect(lines.at(-1)).to.equal('conformance: 0/1 files, 1/2 commands');
  });

  it('ends with 2 when a folder is missing or holds no data file, whatever the others hold', () => {
    writeFileSync(join(folder, 'a.txt'), 'vote\n----\nVoteWon\n');
    expect(run('.', 'missing')).to.equal(2);
    expect(lines).to.deep.equal([`no such folder: ${join(folder, 'missing')}`]);
    rmSync(join(folder, 'a.txt'));
    expect(run('.')).to.equal(2);
    expect(lines.at(-1)).to.equal(`no .txt file below ${folder}`);
  });
});
