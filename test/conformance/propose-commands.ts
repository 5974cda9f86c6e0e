import { type ConfChange, encodeConfChange, type Transition } from '../../src/raft/conf-change.js';
import type { Proposal } from '../../src/raft/types.js';
import { Args, parseNumber } from './args.js';
import { type Block, ScriptError } from './data-file.js';
import { confChangeContext, parseSteps } from './conf-text.js';
import type { Environment } from './environment.js';
import { Refusal } from './refusal.js';
import { PROPOSAL_DROPPED, type ScriptedNode } from './scripted-node.js';

/** `propose i data`; quotes are part of the data. */
export function proposeData(env: Environment, block: Block): void {
  const [id = '', data = ''] = new Args(block).exactly(2);
  propose(env.nodeOf(parseNumber(id)), { type: 'normal', data: new TextEncoder().encode(data) });
}

/** `propose-conf-change i [v1=bool] [transition=auto|implicit|explicit]`, and as input `v1 l2 r3 u4`. Without input it leaves a joint configuration. */
export function proposeConfChange(env: Environment, block: Block): void {
  const args = new Args(block, { options: ['v1', 'transition'], input: true });
  const node = env.nodeOf(parseNumber(args.exactly(1)[0] ?? ''));
  const isV1 = args.flag('v1') ?? false;
  const transition = parseTransition(args.value('transition') ?? 'auto');
  const steps = parseSteps(block.input);
  if (isV1 && (steps.length > 1 || transition !== 'auto')) throw new Refusal('v1 conf change can only have one operation and no transition');
  if (isV1 && steps.length === 0) throw new ScriptError('a v1 conf change needs an operation');
  const change: ConfChange = { transition, steps, context: confChangeContext(isV1) };
  propose(node, { type: 'confChange', data: encodeConfChange(change) });
}

/** `read-index i name` */
export function readIndex(env: Environment, block: Block): void {
  const [id = '', name = ''] = new Args(block).exactly(2);
  // Nothing is printed when nobody can be asked: the read is dropped.
  env.nodeOf(parseNumber(id)).core.readIndex(env.contexts.add(name));
}

function propose({ core }: ScriptedNode, proposal: Proposal): void {
  if (core.propose([proposal]).type === 'refused') throw new Refusal(PROPOSAL_DROPPED);
}

function parseTransition(name: string): Transition {
  if (name === 'auto' || name === 'implicit' || name === 'explicit') return name;
  throw new ScriptError(`unknown transition "${name}", must be auto, implicit or explicit`);
}
