import { type ConfChange, type ConfChangeStep, type ConfChangeType, decodeConfChange } from '../../src/raft/conf-change.js';
import type { ConfState, NodeId } from '../../src/raft/types.js';
import { Refusal } from './refusal.js';

const TYPE_OF_LETTER: Readonly<Record<string, ConfChangeType>> = { v: 'addVoter', l: 'addLearner', r: 'remove', u: 'update' };
const LETTER_OF_TYPE: Readonly<Record<ConfChangeType, string>> = { addVoter: 'v', addLearner: 'l', remove: 'r', update: 'u' };

/**
 * The language has two forms of a membership change and prints which one an entry is; our log has one. The older form is
 * told by this context, which no state machine reads here.
 */
const V1_CONTEXT = 'v1';

export function confChangeContext(isV1: boolean): Uint8Array {
  return new TextEncoder().encode(isV1 ? V1_CONTEXT : '');
}

/** The change in an entry, and the name of its form. */
export function readConfChange(data: Uint8Array): { readonly change: ConfChange; readonly typeName: string } {
  const change = decodeConfChange(data);
  if (change === undefined) throw new Error('an entry of the log is not a membership change, though its type says so');
  const isV1 = new TextDecoder().decode(change.context) === V1_CONTEXT;
  return { change, typeName: isV1 ? 'EntryConfChange' : 'EntryConfChangeV2' };
}

/** `v1 l2 r3 u4`: make 1 a voter, 2 a learner, remove 3, update 4. */
export function parseSteps(text: string): readonly ConfChangeStep[] {
  if (text.trim() === '') return [];
  return text
    .trim()
    .split(' ')
    .map((token) => {
      if (token.length < 2) throw new Refusal(`unknown token ${token}`);
      const type = TYPE_OF_LETTER[token.charAt(0)];
      if (type === undefined) throw new Refusal(`unknown input: ${token}`);
      const nodeId = Number(token.slice(1));
      if (!/^\d+$/.test(token.slice(1)) || !Number.isSafeInteger(nodeId)) throw new Refusal(`unknown node id in ${token}`);
      return { type, nodeId };
    });
}

export function formatSteps(steps: readonly ConfChangeStep[]): string {
  return steps.map(({ type, nodeId }) => `${LETTER_OF_TYPE[type]}${nodeId}`).join(' ');
}

/** `voters=(1 2)&&(1) learners=(3) learners_next=(4) autoleave` */
export function describeConfig({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): string {
  return [
    `voters=${idSet(voters)}${votersOutgoing.length > 0 ? `&&${idSet(votersOutgoing)}` : ''}`,
    ...(learners.length > 0 ? [`learners=${idSet(learners)}`] : []),
    ...(learnersNext.length > 0 ? [`learners_next=${idSet(learnersNext)}`] : []),
    ...(autoLeave ? ['autoleave'] : []),
  ].join(' ');
}

export function describeConfState({ voters, votersOutgoing, learners, learnersNext, autoLeave }: ConfState): string {
  return (
    `Voters:${goList(voters)} VotersOutgoing:${goList(votersOutgoing)} Learners:${goList(learners)}` +
    ` LearnersNext:${goList(learnersNext)} AutoLeave:${autoLeave}`
  );
}

export function goList(values: Iterable<number | string>): string {
  return `[${[...values].join(' ')}]`;
}

/** Hexadecimal and ascending, as the language prints sets of members. */
function idSet(ids: readonly NodeId[]): string {
  const hex = [...ids].sort((a, b) => a - b).map((id) => id.toString(16));
  return `(${hex.join(' ')})`;
}
