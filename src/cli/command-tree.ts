import type { Argv } from 'yargs';

/** Commands are only chosen while the line is parsed, and run after: so a usage error is never mistaken for a failure. */
export type Choose = (run: () => Promise<number>) => void;

/** Every command, with the commands below it. */
export const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  dev: [],
  start: [],
  init: [],
  seq: ['next', 'current', 'tail'],
  cluster: ['status', 'info'],
  endpoint: ['health', 'status', 'hash'],
  route: ['show', 'explain'],
  member: ['list', 'add', 'promote', 'remove', 'replace', 'update'],
  leader: ['show', 'transfer', 'step-down'],
  section: ['list', 'show', 'move', 'rebalance'],
  alloc: ['list', 'drain', 'resume', 'remove'],
  arbiter: ['status', 'history', 'pause', 'resume'],
  policy: ['show', 'set'],
  lease: ['show', 'set'],
  set: ['list', 'add'],
  snapshot: ['save', 'status', 'verify', 'restore', 'schedule', 'list'],
  import: [],
  store: ['recover'],
  cert: ['create-ca', 'create-node', 'create-client', 'inspect'],
  config: ['check', 'show', 'schema', 'get-contexts', 'use-context', 'set-context', 'view'],
  completion: ['bash', 'zsh'],
  bench: [],
  check: ['perf', 'fsync', 'clock', 'network'],
  doctor: [],
  debug: ['bundle'],
  verify: [],
  version: [],
};

/** A command, from its group on: `['member', 'add']`. Empty: the program itself. */
export type CommandPath = readonly string[];

/** Where to read on after the help of a group or of one of its commands, besides the others of that group. */
const SEE_ALSO: Readonly<Record<string, readonly string[]>> = {
  dev: ['cluster status', 'seq next'],
  start: ['dev', 'cluster status'],
  init: ['config check', 'start'],
  seq: ['route show', 'bench'],
  cluster: ['endpoint status', 'member list', 'alloc list', 'arbiter status'],
  endpoint: ['cluster status', 'member list'],
  route: ['section list', 'set list'],
  member: ['cluster status', 'leader show', 'store recover'],
  leader: ['member list'],
  section: ['alloc list', 'route show', 'arbiter history'],
  alloc: ['section list', 'arbiter status'],
  arbiter: ['policy show', 'lease show', 'section list'],
  policy: ['arbiter status', 'section rebalance'],
  lease: ['arbiter status', 'policy show'],
  set: ['route show'],
  snapshot: ['store recover', 'cluster status'],
  import: ['seq current', 'section list'],
  store: ['member replace', 'member list'],
  cert: ['config check'],
  config: ['cluster info', 'start'],
  completion: ['config get-contexts'],
  bench: ['check perf', 'verify'],
  check: ['bench', 'doctor'],
  debug: ['doctor', 'cluster status'],
  doctor: ['check fsync', 'config check', 'cluster status'],
  verify: ['bench'],
  version: ['cluster status'],
};

/** What a help page names at its end. Never empty, and never the page itself. */
export function seeAlso([group, command]: CommandPath): string[] {
  if (group === undefined) return ['dev --help', 'seq --help', 'cluster --help'];
  const siblings = command === undefined ? [] : (COMMANDS[group] ?? []).filter((other) => other !== command).map((other) => `${group} ${other}`);
  const further = [...siblings, ...(SEE_ALSO[group] ?? [])];
  return further.length > 0 ? further : ['--help'];
}

/** A word too many for a command that has none below it is an argument, not a command. */
export function asLeaf<Options>(command: Argv<Options>): Argv<Options> {
  return command.strictCommands(false);
}

export function needOf(group: string): string {
  return `${group} needs a command: ${(COMMANDS[group] ?? []).join(' or ')}`;
}
