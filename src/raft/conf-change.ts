import { type ConfState, type NodeId } from './types.js';

/** update: nothing changes for Raft; the context tells the state machine something new about the member. */
export type ConfChangeType = 'addVoter' | 'addLearner' | 'remove' | 'update';

export interface ConfChangeStep {
  readonly type: ConfChangeType;
  /** 0 changes nothing: for a place that was refused by the state machine. */
  readonly nodeId: NodeId;
}

/**
 * auto: joint only when more than one step asks for it, and left by itself. implicit: joint, left by itself.
 * explicit: joint until a change without steps leaves it.
 */
export type Transition = 'auto' | 'implicit' | 'explicit';

/** One change of the members (Raft 6, thesis 4). Without steps, auto: leaves a joint configuration. */
export interface ConfChange {
  readonly transition: Transition;
  readonly steps: readonly ConfChangeStep[];
  /** For the state machine; opaque to Raft. */
  readonly context: Uint8Array;
}

const TRANSITIONS: readonly Transition[] = ['auto', 'implicit', 'explicit'];
const STEP_TYPES: readonly ConfChangeType[] = ['addVoter', 'addLearner', 'remove', 'update'];
const HEADER_BYTES = 3;
const STEP_BYTES = 7;

/** Does it enter a joint configuration, and is that left by itself? Undefined: it does not. */
export function jointAutoLeave({ transition, steps }: ConfChange): boolean | undefined {
  if (transition === 'auto' && steps.length <= 1) return undefined;
  return transition !== 'explicit';
}

export function leavesJoint({ transition, steps }: ConfChange): boolean {
  return transition === 'auto' && steps.length === 0;
}

/** u8 transition | u16 steps | steps x (u8 type | u48 node id) | context. A change that says nothing is no bytes at all. */
export function encodeConfChange({ transition, steps, context }: ConfChange): Uint8Array {
  if (transition === 'auto' && steps.length === 0 && context.length === 0) return new Uint8Array();
  const bytes = new Uint8Array(HEADER_BYTES + steps.length * STEP_BYTES + context.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, TRANSITIONS.indexOf(transition));
  view.setUint16(1, steps.length);
  steps.forEach(({ type, nodeId }, place) => {
    const at = HEADER_BYTES + place * STEP_BYTES;
    view.setUint8(at, STEP_TYPES.indexOf(type));
    view.setUint16(at + 1, Math.floor(nodeId / 2 ** 32));
    view.setUint32(at + 3, nodeId >>> 0);
  });
  bytes.set(context, HEADER_BYTES + steps.length * STEP_BYTES);
  return bytes;
}

/** Undefined when these bytes are not a change: what is in a log that a peer sent is checked before it is believed. */
export function decodeConfChange(bytes: Uint8Array): ConfChange | undefined {
  if (bytes.length === 0) return { transition: 'auto', steps: [], context: new Uint8Array() };
  if (bytes.length < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const transition = TRANSITIONS[view.getUint8(0)];
  const contextAt = HEADER_BYTES + view.getUint16(1) * STEP_BYTES;
  if (transition === undefined || contextAt > bytes.length) return undefined;
  const steps: ConfChangeStep[] = [];
  for (let at = HEADER_BYTES; at < contextAt; at += STEP_BYTES) {
    const type = STEP_TYPES[view.getUint8(at)];
    if (type === undefined) return undefined;
    steps.push({ type, nodeId: view.getUint16(at + 1) * 2 ** 32 + view.getUint32(at + 3) });
  }
  return { transition, steps, context: bytes.slice(contextAt) };
}

/** Whether both name the same members; the lists are ascending. */
export function isSameConf(one: ConfState, other: ConfState): boolean {
  const isSameList = (a: readonly NodeId[], b: readonly NodeId[]): boolean => a.length === b.length && a.every((id, place) => id === b[place]);
  return (
    isSameList(one.voters, other.voters) &&
    isSameList(one.votersOutgoing, other.votersOutgoing) &&
    isSameList(one.learners, other.learners) &&
    isSameList(one.learnersNext, other.learnersNext) &&
    one.autoLeave === other.autoLeave
  );
}
