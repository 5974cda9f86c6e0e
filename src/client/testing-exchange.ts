import { SeqError } from '../base/errors.js';
import { versionToWire } from '../rpc/codec.js';
import type { Column } from '../rpc/columns.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import * as wire from '../rpc/gen/seqsvr/v1/seq.js';
import type { OpsFrame, OpsServerStream } from '../rpc/ops-codec.js';
import type { Handlers } from '../rpc/server.js';
import { errorToDetail } from '../rpc/status.js';
import type { MemorySeqFault, MemorySeqMethod } from './testing.js';

/** What the stream of a MemorySeqServer needs of it. */
export interface ExchangeHost {
  /** The fault that hits this call, if any; counts the call. */
  begin(method: MemorySeqMethod): MemorySeqFault | undefined;
  next(uid: bigint, count: number, floor: bigint): bigint;
  current(uid: bigint, floor: bigint): bigint;
  routing(version: common.Version): common.RoutingTable | undefined;
  refusal(fault: Extract<MemorySeqFault, { type: 'error' }>): SeqError;
  later(delayMs: number, how: { readonly serve: () => void; readonly cut: () => void }): void;
}

/** gRPC's UNAVAILABLE, as a broken connection looks to its caller: a bare status without our trailer. */
export const BROKEN_CONNECTION = { code: 14, details: 'the reply was dropped by a MemorySeqServer' };

interface Op {
  readonly place: number;
  readonly uid: bigint;
  readonly count: number;
  readonly floor: bigint;
}

/** Answers frames until the stream ends. A fault for nextMany hits a frame of several operations, one for next or current an operation. */
export function exchange(stream: OpsServerStream, host: ExchangeHost, handlers: Handlers): void {
  const answer = (frame: OpsFrame, ops: readonly Op[], fault: MemorySeqFault | undefined): void => {
    if (ops.length === 0) return;
    const bytes = replyOf(frame, ops, host, fault?.type === 'error' ? host.refusal(fault) : undefined);
    if (fault?.type === 'dropReply') stream.emit('error', BROKEN_CONNECTION);
    else stream.write(bytes);
  };
  stream.on('data', (frame: OpsFrame | SeqError) => {
    if (frame instanceof SeqError) return handlers.refuse(stream, frame);
    const groups = new Map<MemorySeqFault | undefined, Op[]>();
    const ofFrame = frame.opCount > 1 ? host.begin('nextMany') : undefined;
    for (let place = 0; place < frame.opCount; place++) {
      const op = opAt(frame, place);
      const fault = host.begin(op.count === 0 ? 'current' : 'next') ?? ofFrame;
      groups.set(fault, [...(groups.get(fault) ?? []), op]);
    }
    for (const [fault, ops] of groups) {
      if (fault?.type === 'delay')
        host.later(fault.delayMs, { serve: () => answer(frame, ops, fault), cut: () => stream.emit('error', BROKEN_CONNECTION) });
      else answer(frame, ops, fault);
    }
  });
  stream.on('end', () => stream.end());
}

function opAt({ uids, counts, floors }: OpsFrame, place: number): Op {
  return {
    place,
    uid: bigAt(uids, place),
    count: counts === undefined ? 1 : counts.low(place),
    floor: floors === undefined ? 0n : bigAt(floors, place),
  };
}

function bigAt(column: Column, place: number): bigint {
  return (BigInt(column.high(place)) << 32n) | BigInt(column.low(place));
}

function replyOf(frame: OpsFrame, ops: readonly Op[], host: ExchangeHost, refusal: SeqError | undefined): Buffer {
  const errors: wire.OpError[] = [];
  const seqs = ops.map(({ place, uid, count, floor }) => {
    try {
      if (refusal !== undefined) throw refusal;
      return count === 0 ? host.current(uid, floor) : host.next(uid, count, floor);
    } catch (error) {
      if (!(error instanceof SeqError)) throw error;
      errors.push({ place, error: errorToDetail(error) });
      return 0n;
    }
  });
  const routing = host.routing(versionToWire(frame.routingVersion));
  const places = ops.map(({ place }) => place);
  return Buffer.from(
    wire.OpsReply.encode({ id: frame.id, places, epoch: 1n, epochs: [], seqs, inexact: [], errors, routing, routingDelta: undefined }).finish(),
  );
}
