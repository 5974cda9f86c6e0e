import { createInterface } from 'node:readline';
import { RefusedError } from './exit.js';
import type { Output } from './output.js';

/** Who sits in front of the program, if anybody does. */
export interface Terminal {
  /** Somebody can answer a question. */
  readonly isInteractive: boolean;
  /** Somebody watches stderr: then a wait shows how far it is. */
  readonly isWatched: boolean;
  /** Somebody looks at stdout: then it may be cleared and drawn anew. Undefined: nobody does. */
  readonly isScreen?: boolean;
  /** One line of answer, without its end. '' when there will be none. */
  ask(question: string): Promise<string>;
}

export const processTerminal: Terminal = {
  isInteractive: process.stdin.isTTY && process.stderr.isTTY,
  isWatched: process.stderr.isTTY,
  isScreen: process.stdout.isTTY,
  ask: (question) =>
    new Promise((resolve) => {
      // On stderr: stdout is for data, and may be a file.
      const lines = createInterface({ input: process.stdin, output: process.stderr });
      // Ctrl-C and Ctrl-D are an answer too: no.
      lines.once('close', () => resolve(''));
      lines.question(question, (answer) => {
        resolve(answer.trim());
        lines.close();
      });
    }),
};

/**
 * Resolves when the user means it: said so by a flag, or typed `word` back. Throws RefusedError otherwise, and when nobody
 * is there to be asked. `flag` is the flag that says so.
 */
export async function confirm(
  ask: { readonly consequence: string; readonly word: string; readonly isConfirmed: boolean; readonly flag: string },
  { output, terminal }: { readonly output: Output; readonly terminal: Terminal },
): Promise<void> {
  if (ask.isConfirmed) return;
  if (!terminal.isInteractive) throw new RefusedError(`${ask.consequence}; nobody is here to confirm it: give ${ask.flag} to mean it`);
  output.talk(ask.consequence);
  const answer = await terminal.ask(`type ${ask.word} to go on: `);
  if (answer !== ask.word) throw new RefusedError(`nothing was done: got '${answer}', not '${ask.word}'`);
}
