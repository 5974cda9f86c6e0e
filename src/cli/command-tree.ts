import type { Argv } from 'yargs';

/** Commands are only chosen while the line is parsed, and run after: so a usage error is never mistaken for a failure. */
export type Choose = (run: () => Promise<number>) => void;

/** Every command, with the commands below it. */
export const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  dev: [],
  start: [],
  seq: ['next', 'current'],
  cluster: ['status'],
  route: ['show'],
  member: ['list', 'add', 'promote', 'remove', 'replace', 'update'],
  leader: ['show', 'transfer'],
  section: ['list', 'show', 'move', 'rebalance'],
  alloc: ['list', 'drain', 'resume', 'remove'],
  arbiter: ['status', 'history', 'pause', 'resume'],
  policy: ['show', 'set'],
  lease: ['show', 'set'],
  set: ['list', 'add'],
  snapshot: ['save', 'status', 'verify'],
  store: ['recover'],
  bench: [],
  check: ['perf'],
  verify: [],
  version: [],
};

/** A word too many for a command that has none below it is an argument, not a command. */
export function asLeaf<Options>(command: Argv<Options>): Argv<Options> {
  return command.strictCommands(false);
}

export function needOf(group: string): string {
  return `${group} needs a command: ${(COMMANDS[group] ?? []).join(' or ')}`;
}
