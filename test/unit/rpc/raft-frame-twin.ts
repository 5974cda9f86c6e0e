import { SeqError } from '../../../src/base/errors.js';
import { deliverRequest } from '../../../src/rpc/peer-frame.js';
import { type FramedMessage, raftFromWire } from '../../../src/rpc/raft-codec.js';
import { type DeliverFrame, openDeliver } from '../../../src/rpc/raft-frame.js';

/** The same frame read by hand and by the generated code, as plain text: a message, or why it is refused. */
export function readBothWays(bytes: Buffer): { readonly byHand: unknown; readonly generated: unknown; readonly isByHand: boolean } {
  let isByHand = false;
  const byHand = textOf(() => {
    const frame = openDeliver(bytes);
    isByHand = frame?.$case === 'steady';
    return frame;
  });
  return { byHand, generated: textOf(() => deliverRequest.open(bytes).frame), isByHand };
}

function textOf(read: () => DeliverFrame | undefined): unknown {
  return refusalOr(() => {
    const frame = read();
    if (frame?.$case === 'steady') return frame.value.map(plain);
    if (frame?.$case === 'messages') return frame.value.messages.map((message) => refusalOr(() => plain(raftFromWire(message))));
    return frame?.$case;
  });
}

function refusalOr(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof SeqError)) throw error;
    return error.message;
  }
}

export function plain(message: FramedMessage): unknown {
  if (message.type !== 'append' && message.type !== 'propose') return message;
  return { ...message, entries: message.entries.map((entry) => ({ ...entry, data: Buffer.from(entry.data).toString('hex') })) };
}
