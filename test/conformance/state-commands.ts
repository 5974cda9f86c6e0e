import { Args, parseNumber } from './args.js';
import { type Block, ScriptError } from './data-file.js';
import { describeEntries, describeProgressMap, describeRole } from './describe.js';
import type { Environment } from './environment.js';
import { parseLogLevel } from './output.js';
import type { ScriptedNode } from './scripted-node.js';

export function setLogLevel(env: Environment, block: Block): void {
  env.output.level = parseLogLevel(new Args(block).exactly(1)[0] ?? '');
}

/** Every node by its own lights. */
export function printStates(env: Environment, block: Block): void {
  new Args(block).exactly(0);
  for (const { core } of env.nodes) {
    const isVoter = core.voters.some((half) => half.includes(core.id));
    const state = `${describeRole(core.role)} (${isVoter ? 'Voter' : 'Non-Voter'})`;
    env.output.write(`${core.id}: ${state} Term:${core.term} Lead:${core.leaderId ?? 0}\n`);
  }
}

/** What a leader knows of each member; nothing on others. */
export function printStatus(env: Environment, block: Block): void {
  const { core } = theNode(env, block);
  if (core.role === 'leader') env.output.write(describeProgressMap(core.progress));
}

/** What is on disk. */
export function printLog(env: Environment, block: Block): void {
  writeLog(env, theNode(env, block));
}

/** `compact i index`: entries up to and with that index go. */
export function compact(env: Environment, block: Block): void {
  const [id = 0, index = 0] = new Args(block).exactly(2).map(parseNumber);
  const node = env.nodeOf(id);
  node.log.compactTo(index);
  writeLog(env, node);
}

export function campaign(env: Environment, block: Block): void {
  theNode(env, block).core.campaign();
}

export function tickElection(env: Environment, block: Block): void {
  const { core } = theNode(env, block);
  for (let left = core.options.electionTicks; left > 0; left--) core.tick();
}

export function tickHeartbeat(env: Environment, block: Block): void {
  const { core } = theNode(env, block);
  for (let left = core.options.heartbeatTicks; left > 0; left--) core.tick();
}

/** Holds until the node's next change of role. */
export function setElectionTimeout(env: Environment, block: Block): void {
  const args = new Args(block, { options: ['timeout'] });
  const ticks = args.number('timeout') ?? 0;
  if (ticks === 0) throw new ScriptError('timeout must be at least 1');
  env.nodeOf(parseNumber(args.exactly(1)[0] ?? '')).core.electionTimeoutTicks = ticks;
}

/** `transfer-leadership from=a to=b`: a is asked; one that does not lead passes it on. */
export function transferLeadership(env: Environment, block: Block): void {
  const args = new Args(block, { options: ['from', 'to'] });
  args.exactly(0);
  const [from, to] = [args.number('from'), args.number('to')];
  if (from === undefined || to === undefined) throw new ScriptError('transfer-leadership needs from= and to=');
  env.nodeOf(from).core.transferLeader(env.nodeOf(to).core.id);
}

export function forgetLeader(env: Environment, block: Block): void {
  theNode(env, block).core.forgetLeader();
}

/** `report-unreachable a b`: a learns that its messages to b are lost. */
export function reportUnreachable(env: Environment, block: Block): void {
  const [from = 0, to = 0] = new Args(block).exactly(2).map(parseNumber);
  env.nodeOf(from).core.reportUnreachable(env.nodeOf(to).core.id);
}

function theNode(env: Environment, block: Block): ScriptedNode {
  return env.nodeOf(parseNumber(new Args(block).exactly(1)[0] ?? ''));
}

function writeLog(env: Environment, { log }: ScriptedNode): void {
  const { firstIndex, lastIndex } = log;
  if (lastIndex < firstIndex) return env.output.write(`log is empty: first index=${firstIndex}, last index=${lastIndex}`);
  env.output.write(describeEntries(log.entries(firstIndex, lastIndex, Number.MAX_SAFE_INTEGER)));
}
