import { COMMANDS, type CommandPath, seeAlso } from './command-tree.js';

/** The longest line of a help page, in characters. */
export const LINE_WIDTH_MAX = 120;

/** From what a reader wants first to what is the same on every page. Titles that are not listed go where '' is. */
const ORDER = ['Examples:', 'Commands:', 'Positionals:', 'Options:', '', 'Connection:', 'Output:', 'General:'];

/** A help page of yargs with its parts in the order of ORDER, and where to read on at its end. Pure. */
export function helpPage(text: string, { name, path }: { readonly name: string; readonly path: CommandPath }): string {
  const parts = text.trimEnd().split('\n\n');
  const isTitled = (part: string): boolean => /^[A-Z][A-Za-z ]*:\n/.test(part);
  const first = parts.findIndex(isTitled);
  const last = parts.findLastIndex(isTitled);
  const titled = parts.slice(first, last + 1).sort((one, other) => rankOf(one) - rankOf(other));
  const further = seeAlso(path).map((command) => `${name} ${command}`);
  return `${[...parts.slice(0, first), ...titled, ...parts.slice(last + 1), wrapped('See also: ', further)].join('\n\n')}\n`;
}

/** A list after its title, in lines that are no longer than the rest of the page. */
function wrapped(title: string, words: readonly string[]): string {
  const lines = [title];
  for (const [at, word] of words.entries()) {
    const text = at === words.length - 1 ? word : `${word}, `;
    const line = lines.at(-1) ?? '';
    if (line.length + text.trimEnd().length <= LINE_WIDTH_MAX) lines[lines.length - 1] = line + text;
    else lines.push(`${' '.repeat(title.length)}${text}`);
  }
  return lines.map((line) => line.trimEnd()).join('\n');
}

/** Every flag that a help page names, without its dashes. Pure. */
export function flagsIn(help: string): string[] {
  return [...help.matchAll(/^ +(?:-\w, )?--([a-z][\w-]*)/gm)].map(([, flag = '']) => flag);
}

/** Which command a line means, as far as it says so: the words before it may be flags and their values. */
export function pathOf(args: readonly string[]): CommandPath {
  const at = args.findIndex((arg) => Object.hasOwn(COMMANDS, arg));
  const group = args[at];
  if (group === undefined) return [];
  const command = args.slice(at + 1).find((arg) => COMMANDS[group]?.includes(arg));
  return command === undefined ? [group] : [group, command];
}

function rankOf(part: string): number {
  const rank = ORDER.indexOf(part.slice(0, part.indexOf('\n')));
  return rank === -1 ? ORDER.indexOf('') : rank;
}
