/** One letter too many, too few, wrong or swapped with its neighbour, for each so many letters of the word that was meant. */
const LETTERS_PER_SLIP = 3;
/** A beginning this long, in letters, stands for the word. */
const BEGINNING_MIN = 2;

/** "unknown command 'sqe'; did you mean seq?", or the commands there are when none is close. */
export function unknownCommand(word: string, commands: readonly string[]): string {
  const meant = closest(word, commands);
  return `unknown command '${word}'; ${meant === undefined ? `there are ${commands.join(', ')}` : `did you mean ${meant}?`}`;
}

/** "unknown flag --rat; did you mean --rate?", or the flags there are. */
export function unknownFlag(word: string, flags: readonly string[]): string {
  const meant = closest(word, flags);
  const dashed = flags.map((flag) => `--${flag}`).join(', ');
  return `unknown flag --${word}; ${meant === undefined ? `there are ${dashed}` : `did you mean --${meant}?`}`;
}

/** The one of `commands` that `word` is most likely a slip of; undefined when none is close. */
export function closest(word: string, commands: readonly string[]): string | undefined {
  const close = commands
    .map((command) => ({ command, slips: slipsBetween(word, command) }))
    .filter(({ command, slips }) => slips <= Math.max(1, Math.floor(command.length / LETTERS_PER_SLIP)) || isBeginning(word, command));
  return close.sort((one, other) => one.slips - other.slips)[0]?.command;
}

function isBeginning(word: string, command: string): boolean {
  return word.length >= BEGINNING_MIN && command.startsWith(word);
}

/** Edit distance with swaps of neighbours (optimal string alignment). */
function slipsBetween(one: string, other: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, column) => column);
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwap = one[row - 1] === other[column - 2] && one[row - 2] === other[column - 1];
      current.push(
        Math.min(
          at(last, column) + 1,
          at(current, column - 1) + 1,
          at(last, column - 1) + (isSame ? 0 : 1),
          isSwap && row > 1 && column > 1 ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    beforeLast = last;
    last = current;
  }
  return at(last, other.length);
}

function at(counts: readonly number[], index: number): number {
  return counts[index] ?? Number.POSITIVE_INFINITY;
}
