import { SeqError } from '../base/errors.js';
import { COMMANDS } from './command-tree.js';
import { contextFile, readContexts } from './contexts.js';
import { flagsIn, pathOf } from './help.js';
import type { ConnectionFlags } from './options.js';
import { FORMATS } from './output.js';
import { LOADS } from './perf.js';

/** Kinds of names that only a running cluster, or this user's contexts, can tell. */
export type NameKind = 'members' | 'allocs' | 'sets' | 'contexts';

/** What a completion can ask for; each may take its time, within a limit of its own. */
export interface CompletionSources {
  /** The help page of a command. */
  help(path: readonly string[]): Promise<string>;
  names(kind: NameKind, flags: ConnectionFlags): Promise<readonly string[]>;
}

/** What the first argument of a command is. */
const ARGUMENT_OF: Readonly<Record<string, NameKind>> = {
  'member promote': 'members',
  'member remove': 'members',
  'member replace': 'members',
  'member update': 'members',
  'leader transfer': 'members',
  'alloc drain': 'allocs',
  'alloc resume': 'allocs',
  'alloc remove': 'allocs',
  'config use-context': 'contexts',
  'config set-context': 'contexts',
};

/** What follows a flag. */
const VALUE_OF: Readonly<Record<string, NameKind | readonly string[]>> = {
  '--output': FORMATS,
  '-o': FORMATS,
  '--default-output': FORMATS,
  '--context': 'contexts',
  '--to': 'allocs',
  '--alloc': 'allocs',
  '--standby': 'allocs',
  '--home': 'sets',
  '--load': Object.keys(LOADS),
  '--placement': ['balanced', 'primary-standby'],
};

/** What may stand in the place of the last of `words`, the one that is being typed. Sorted, each once. */
export async function completionsFor(words: readonly string[], sources: CompletionSources): Promise<string[]> {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const found = await candidates(before, typed, sources);
  return [...new Set(found)].filter((word) => word.startsWith(typed)).sort();
}

async function candidates(before: readonly string[], typed: string, sources: CompletionSources): Promise<readonly string[]> {
  const names = (kind: NameKind): Promise<readonly string[]> => sources.names(kind, connectionIn(before));
  const value = VALUE_OF[before.at(-1) ?? ''];
  if (value !== undefined) return typeof value === 'string' ? names(value) : value;
  const path = pathOf(before);
  if (typed.startsWith('-')) return flagsIn(await sources.help(path)).map((flag) => `--${flag}`);
  const [group, command] = path;
  if (group === undefined) return Object.keys(COMMANDS);
  if (command === undefined) return COMMANDS[group] ?? [];
  const kind = ARGUMENT_OF[path.join(' ')];
  // Only directly behind the command: what follows further on is another argument, or the value of a flag.
  return kind !== undefined && before.at(-1) === command ? names(kind) : [];
}

/** Where to ask, as far as the line says so already. */
function connectionIn(words: readonly string[]): ConnectionFlags {
  const after = (flag: string): string | undefined => {
    const at = words.lastIndexOf(flag);
    return at === -1 ? words.find((word) => word.startsWith(`${flag}=`))?.slice(flag.length + 1) : words[at + 1];
  };
  return { endpoints: after('--endpoints'), context: after('--context') };
}

/** Names of contexts. A file that is not as it must be has none to offer: the command itself says what is wrong with it. */
export function contextNames(): string[] {
  try {
    return Object.keys(readContexts(contextFile()).contexts);
  } catch (error) {
    if (SeqError.is(error)) return [];
    throw error;
  }
}

/** The script that a shell loads. `__complete` is answered by this program. */
export function completionScript(shell: 'bash' | 'zsh'): string {
  return shell === 'bash' ? BASH : ZSH;
}

const BASH = `# seqctl completion bash: source it, or put it into ~/.local/share/bash-completion/completions/seqctl
_seqctl_complete() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _seqctl_complete seqctl seqsvr
`;

const ZSH = `#compdef seqctl seqsvr
# seqctl completion zsh: source it after compinit, or put it as _seqctl into a folder of $fpath
_seqctl_complete() {
  local -a found
  found=("\${(@f)$("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -a found; else _files; fi
}
compdef _seqctl_complete seqctl seqsvr
`;
