import { EMPTY_CONF_STATE } from '../../src/raft/types.js';
import { Args, parseNumber } from './args.js';
import { type Block, ScriptError } from './data-file.js';
import type { Environment } from './environment.js';
import { Refusal } from './refusal.js';
import { EMPTY_SNAPSHOT, type NodePlan, ScriptedNode } from './scripted-node.js';

const OPTIONS = [
  'voters',
  'learners',
  'index',
  'content',
  'inflight',
  'async-storage-writes',
  'prevote',
  'checkquorum',
  'max-committed-size-per-ready',
  'disable-conf-change-validation',
  'read-only',
  'step-down-on-removal',
  'max-size-per-msg',
  'max-uncommitted-size',
];
const ELECTION_TICKS = 3;
const HEARTBEAT_TICKS = 1;
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/** `add-nodes n [voters=(1,2) learners=(3) index=i content=text ...]`: n nodes that begin alike. */
export function addNodes(env: Environment, block: Block): void {
  const args = new Args(block, { options: OPTIONS });
  const [count = 0] = args.exactly(1).map(parseNumber);
  const plan: NodePlan = { isAsync: args.flag('async-storage-writes') ?? false, options: optionsOf(args), begin: beginOf(args) };
  for (let left = count; left > 0; left--) env.nodes.push(new ScriptedNode(env.nodes.length + 1, plan));
}

function beginOf(args: Args): NodePlan['begin'] {
  const ids = (option: string): readonly number[] =>
    args
      .values(option)
      .map(parseNumber)
      .sort((a, b) => a - b);
  const voters = ids('voters');
  const learners = ids('learners');
  const index = args.number('index') ?? 0;
  const content = args.value('content') ?? '';
  if (voters.length === 0 && learners.length === 0 && index === 0 && content === '') return EMPTY_SNAPSHOT;
  if (index <= 1) throw new Refusal('index must be specified as > 1 due to bootstrap');
  return { index, term: 1, confState: { ...EMPTY_CONF_STATE, voters, learners }, data: new TextEncoder().encode(content) };
}

function optionsOf(args: Args): NodePlan['options'] {
  const maxAppendBytes = args.number('max-size-per-msg') ?? NO_LIMIT;
  return {
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    maxAppendBytes,
    maxInflightMessages: atLeastOne('inflight', args.number('inflight') ?? NO_LIMIT),
    maxInflightBytes: 0,
    // 0 and absent are the same, for both.
    maxUncommittedBytes: args.number('max-uncommitted-size') || NO_LIMIT,
    maxApplyBytes: args.number('max-committed-size-per-ready') || maxAppendBytes,
    preVote: args.flag('prevote') ?? false,
    checkQuorum: args.flag('checkquorum') ?? false,
    readOnly: readOnlyOf(args.value('read-only') ?? 'safe'),
    forwardsProposals: true,
    validatesConfChanges: !(args.flag('disable-conf-change-validation') ?? false),
    stepsDownOnRemoval: args.flag('step-down-on-removal') ?? false,
  };
}

function atLeastOne(option: string, value: number): number {
  if (value < 1) throw new ScriptError(`${option} must be at least 1, got ${value}`);
  return value;
}

function readOnlyOf(name: string): 'safe' | 'lease' {
  if (name === 'safe') return 'safe';
  if (name === 'lease-based') return 'lease';
  throw new ScriptError(`unknown read-only "${name}", must be safe or lease-based`);
}
