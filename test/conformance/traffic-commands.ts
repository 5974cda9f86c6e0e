import { Args, parseNumber } from './args.js';
import { type Block, ScriptError } from './data-file.js';
import type { Environment, Recipient } from './environment.js';
import { MESSAGE_TYPES, type MessageTypeName } from './message-view.js';
import { parseLogLevel } from './output.js';
import type { ScriptedNode } from './scripted-node.js';

/** `deliver-msgs [i ...] [drop=(j,...)] [type=MsgX]` */
export function deliverMessages(env: Environment, block: Block): void {
  const args = new Args(block, { options: ['drop', 'type'] });
  const recipients = args.inOrder.flatMap(({ key, values, isOption }): readonly Recipient[] => {
    if (!isOption) return [{ id: parseNumber(key), drops: false }];
    return key === 'drop' ? values.map((value) => ({ id: parseNumber(value), drops: true })) : [];
  });
  for (const { id, drops } of recipients) {
    if (drops && recipients.some((other) => other.id === id && !other.drops))
      throw new ScriptError(`messages to ${id} are both delivered and dropped`);
  }
  const type = args.value('type');
  if (env.deliver(recipients, type === undefined ? undefined : messageType(type)) === 0) env.output.write('no messages\n');
}

/** `stabilize [i ...] [log-level=L]`, all nodes when none is named; the level is for this command alone. */
export function stabilize(env: Environment, block: Block): void {
  const args = new Args(block, { options: ['log-level'] });
  const ids = args.numbers();
  const levelBefore = env.output.level;
  env.output.level = parseLogLevel(args.value('log-level') ?? levelBefore);
  try {
    env.stabilize(ids.length === 0 ? env.nodes : ids.map((id) => env.nodeOf(id)));
  } finally {
    env.output.level = levelBefore;
  }
}

export function processReady(env: Environment, block: Block): void {
  perNode(env, block, 'handling Ready', (node) => env.processReady(node));
}

export function processAppendThread(env: Environment, block: Block): void {
  perNode(env, block, 'processing append thread', (node) => env.processAppendThread(node));
}

export function processApplyThread(env: Environment, block: Block): void {
  perNode(env, block, 'processing apply thread', (node) => env.processApplyThread(node));
}

/** `send-snapshot a b`: queues the newest snapshot of a's state machine for b, whether or not b needs it. */
export function sendSnapshot(env: Environment, block: Block): void {
  const [from = 0, to = 0] = new Args(block).exactly(2).map(parseNumber);
  const { core, latest } = env.nodeOf(from);
  env.send({ type: 'snapshot', from, to, term: core.term, snapshot: latest });
}

/** With several nodes each has a heading, and what it prints is moved in. */
function perNode(env: Environment, block: Block, what: string, work: (node: ScriptedNode) => void): void {
  const nodes = new Args(block).numbers().map((id) => env.nodeOf(id));
  if (nodes.length === 0) throw new ScriptError(`${block.command} needs a node`);
  for (const node of nodes) {
    if (nodes.length === 1) return work(node);
    env.output.write(`> ${node.core.id} ${what}\n`);
    env.output.indented(() => work(node));
  }
}

function messageType(name: string): MessageTypeName {
  const type = MESSAGE_TYPES.find((known) => known === name);
  if (type === undefined) throw new ScriptError(`unknown message type "${name}"`);
  return type;
}
