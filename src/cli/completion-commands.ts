import type { Argv } from 'yargs';
import { asLeaf, type Choose, needOf } from './command-tree.js';
import { EXIT } from './exit.js';
import type { Voices } from './member-session.js';

const SHELLS = {
  bash: '$0 completion bash > ~/.local/share/bash-completion/completions/seqctl',
  zsh: '$0 completion zsh > ~/.zfunc/_seqctl',
} as const;

/** `seqctl completion ...` */
export function addCompletion(program: Argv, { output }: Voices, choose: Choose): void {
  program.command('completion', 'complete commands, flags and live names in a shell', (command) => {
    const group = command.demandCommand(1, needOf('completion'));
    for (const shell of ['bash', 'zsh'] as const) {
      group.command(
        shell,
        `a script for ${shell}: names of members, AllocSvrs and contexts are asked for as they are then`,
        (leaf) => asLeaf(leaf).example(SHELLS[shell], 'from the next shell on'),
        () =>
          choose(async () => {
            output.out((await import('./completion.js')).completionScript(shell));
            return EXIT.ok;
          }),
      );
    }
    return group.example('$0 completion bash', 'prints it; source <(seqctl completion bash) tries it');
  });
}
