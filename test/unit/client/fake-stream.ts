import { EventEmitter } from 'node:events';
import type { SeqError } from '../../../src/base/errors.js';
import type { Channels } from '../../../src/client/attempt.js';
import { OpsFrame, OpsReply } from '../../../src/rpc/gen/seqsvr/v1/seq.js';
import { exchangeMethod } from '../../../src/rpc/ops-codec.js';

/** The client's end of an Exchange stream that nobody but the test is at the other end of. */
export class FakeStream extends EventEmitter {
  /** As they were written, in order. */
  readonly frames: OpsFrame[] = [];
  isFull = false;
  isCancelled = false;
  onFrame: (frame: OpsFrame) => void = () => undefined;

  write(bytes: Buffer): boolean {
    const frame = OpsFrame.decode(bytes);
    this.frames.push(frame);
    this.onFrame(frame);
    return !this.isFull;
  }

  cancel(): void {
    this.isCancelled = true;
  }

  /** A reply as the wire brings it. */
  reply(reply: Partial<OpsReply> & Pick<OpsReply, 'id'>): void {
    const all = { places: [], epoch: 1n, epochs: [], seqs: [], inexact: [], errors: [], routing: undefined, routingDelta: undefined, ...reply };
    this.emit('data', exchangeMethod.responseDeserialize(Buffer.from(OpsReply.encode(all).finish())));
  }

  /** The numbers that follow `after`, one for each operation of the frame. */
  answer(frame: OpsFrame, after = 0n): void {
    this.reply({ id: frame.id, seqs: frame.uids.map((_, at) => after + BigInt(at) + 1n) });
  }

  /** The stream breaks; whoever asks hears this error. */
  break(error: SeqError): void {
    this.emit('error', error);
  }
}

/** Channels whose streams are fakes; `errorOf` gives back what break() was told. */
export function fakeChannels(
  onOpen: (stream: FakeStream) => void,
  call: (method: unknown, request: object) => Promise<object> = unexpected,
): Channels {
  const channel = {
    call,
    errorOf: (error: unknown) => error,
    duplexStream: () => {
      const stream = new FakeStream();
      onOpen(stream);
      return stream;
    },
  };
  return { to: () => channel } as unknown as Channels;
}

function unexpected(): Promise<never> {
  return Promise.reject(new Error('no unary call was expected'));
}
