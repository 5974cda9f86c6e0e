import type { MethodDefinition } from '@grpc/grpc-js';
import { RaiseRequest, StoreServiceService } from '../../src/rpc/gen/seqsvr/v1/store.js';

const INDEX_BYTES = 6;

/** Raw bytes both ways: a frame of the leader, the index that a follower has on disk. */
export const APPEND: MethodDefinition<Buffer, Buffer> = {
  path: '/bench.Floor/Append',
  requestStream: true,
  responseStream: true,
  requestSerialize: asItIs,
  requestDeserialize: asItIs,
  responseSerialize: asItIs,
  responseDeserialize: asItIs,
};

/** A raise with the bytes that it came in: they are what the log keeps. */
export interface RawRaise {
  readonly bytes: Buffer;
  readonly request: RaiseRequest;
}

/** The method that StoreClient calls. */
export const RAISE = {
  ...StoreServiceService.raise,
  requestDeserialize: (bytes: Buffer): RawRaise => ({ bytes, request: RaiseRequest.decode(bytes) }),
};

/** u48 index of its last request | the requests */
export function encodeFrame(index: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([encodeIndex(index), bytes]);
}

export function decodeFrame(frame: Buffer): { readonly index: number; readonly bytes: Buffer } {
  return { index: decodeIndex(frame), bytes: frame.subarray(INDEX_BYTES) };
}

export function encodeIndex(index: number): Buffer {
  const buffer = Buffer.allocUnsafe(INDEX_BYTES);
  buffer.writeUIntBE(index, 0, INDEX_BYTES);
  return buffer;
}

export function decodeIndex(bytes: Buffer): number {
  return bytes.readUIntBE(0, INDEX_BYTES);
}

function asItIs(bytes: Buffer): Buffer {
  return bytes;
}
