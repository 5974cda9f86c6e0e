import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { type CompletionSources, completionScript, completionsFor } from '../../../src/cli/completion.js';
import type { ConnectionFlags } from '../../../src/cli/options.js';

const asked: string[] = [];
const SOURCES: CompletionSources = {
  help: (path) => Promise.resolve(path.length === 2 ? '  -n, --count  how many\n      --yes    mean it\n' : '      --help  Show help\n'),
  names: (kind, flags: ConnectionFlags) => {
    asked.push(`${kind} ${flags.endpoints ?? ''} ${flags.context ?? ''}`.trim());
    return Promise.resolve({ members: ['store-2', 'store-1'], allocs: ['alloc-1'], sets: ['main'], contexts: ['prod'] }[kind]);
  },
};

describe('completion', () => {
  const rows: readonly [string, readonly string[]][] = [
    ['mem', ['member']],
    ['leader ', ['show', 'step-down', 'transfer']],
    ['leader s', ['show', 'step-down']],
    ['member remove ', ['store-1', 'store-2']],
    ['member remove store-2 ', []],
    ['member remove --y', ['--yes']],
    ['alloc drain ', ['alloc-1']],
    ['section move 5 --to ', ['alloc-1']],
    ['set add west --home ', ['main']],
    ['cluster status -o ', ['json', 'table', 'wide', 'yaml']],
    ['cluster status --context ', ['prod']],
    ['config use-context p', ['prod']],
    ['check perf --load ', ['l', 'm', 's', 'xl']],
    ['seq next ', []],
    ['--h', ['--help']],
  ];
  for (const [line, words] of rows) {
    it(`offers ${words.length === 0 ? 'nothing' : words.join(', ')} after '${line}'`, async () => {
      expect(await completionsFor(line.split(' '), SOURCES)).to.deep.equal(words);
    });
  }

  it('asks the cluster that the line names so far', async () => {
    asked.length = 0;
    await completionsFor('member remove --endpoints h:1 --context prod --to '.split(' '), SOURCES);
    await completionsFor(['--endpoints=h:2', 'alloc', 'drain', ''], SOURCES);
    expect(asked).to.deep.equal(['allocs h:1 prod', 'allocs h:2']);
  });

  it('has a script that bash takes, and that puts what the program says into its reply', () => {
    const script = `${completionScript('bash')}
seqctl() { if [ "$1" = __complete ]; then shift; printf '%s\\n' "got-$#" "\${!#}other" "\${!#}two words"; fi; }
COMP_WORDS=(seqctl member remove "")
COMP_CWORD=3
_seqctl_complete
printf '%s|' "\${COMPREPLY[@]}"`;
    expect(execFileSync('bash', ['-euc', script], { encoding: 'utf8' })).to.equal('got-3|other|two words|');
  });
});
