import { crc32 } from 'node:zlib';
import type { MethodDefinition, ServerDuplexStream } from '@grpc/grpc-js';
import { SeqError } from '../base/errors.js';
import { DeliverRequest, DeliverResponse, PeerServiceService, SnapshotRequest, SnapshotResponse } from './gen/seqsvr/v1/raft.js';
import type { Service } from './server.js';

/** Tag of field 15, a fixed32: the last field of every frame. */
const CRC_TAG = (15 << 3) | 5;
const CRC_BYTES = 4;
/** Tag and checksum. */
export const SEAL_BYTES = 1 + CRC_BYTES;

/** A frame as it travels: encoded, with the checksum that the top of raft.proto speaks of. */
export interface FrameCodec<Frame> {
  seal(frame: Frame): Buffer;
  /** Throws PROTOCOL unless the bytes are a frame, whole and unchanged. What it says is still to be checked. */
  open(bytes: Buffer): Frame;
  /** As `open`, of bytes whose checksum is known to be right. */
  decode(bytes: Buffer): Frame;
}

export const deliverRequest = frameCodec<DeliverRequest>(DeliverRequest);
export const deliverResponse = frameCodec<DeliverResponse>(DeliverResponse);
export const snapshotRequest = frameCodec<SnapshotRequest>(SnapshotRequest);
export const snapshotResponse = frameCodec<SnapshotResponse>(SnapshotResponse);

/**
 * The methods of the PeerService, with frames as bytes: whoever sends knows how large each is before it waits in a queue,
 * and whoever receives counts and names what it cannot read, where grpc-js would end the call in silence.
 */
export const peerMethods = { deliver: rawMethod(PeerServiceService.deliver), installSnapshot: rawMethod(PeerServiceService.installSnapshot) };

/** A stream of frames that another node opened. */
export type FrameStream = ServerDuplexStream<Buffer, Buffer>;

export function peerServiceOf(implementation: Service['implementation']): Service {
  return { definition: peerMethods, implementation };
}

interface Generated<Frame> {
  encode(frame: Frame): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Frame;
}

function frameCodec<Frame>(generated: Generated<Frame & { crc32: number }>): FrameCodec<Omit<Frame, 'crc32'>>;
function frameCodec(generated: Generated<object>): FrameCodec<object> {
  const decode = (bytes: Buffer): object => {
    try {
      return generated.decode(bytes);
    } catch (cause) {
      // The checksum is right, so it was sent so: by a program that is wrong, or by none of ours.
      throw new SeqError('PROTOCOL', `a frame of ${bytes.length} bytes that is no message`, { cause });
    }
  };
  return {
    seal(frame) {
      // Any checksum but 0, which would be left out, makes room for the right one.
      const { buffer, byteOffset, byteLength } = generated.encode({ ...frame, crc32: 1 }).finish();
      const bytes = Buffer.from(buffer, byteOffset, byteLength);
      writeSeal(bytes);
      return bytes;
    },
    open(bytes) {
      checkSeal(bytes);
      return decode(bytes);
    },
    decode,
  };
}

/** Fills the last bytes of a frame: the tag and the checksum of all before it. */
export function writeSeal(bytes: Buffer): void {
  bytes[bytes.length - SEAL_BYTES] = CRC_TAG;
  bytes.writeUInt32LE(checksumOf(bytes), bytes.length - CRC_BYTES);
}

/** Throws PROTOCOL unless the last bytes are what `writeSeal` writes. */
export function checkSeal(bytes: Buffer): void {
  const isSealed = bytes.length >= SEAL_BYTES && bytes[bytes.length - SEAL_BYTES] === CRC_TAG;
  if (!isSealed) throw new SeqError('PROTOCOL', `a frame of ${bytes.length} bytes without a checksum`);
  const stated = bytes.readUInt32LE(bytes.length - CRC_BYTES);
  const actual = checksumOf(bytes);
  if (stated !== actual) throw new SeqError('PROTOCOL', `a frame of ${bytes.length} bytes with checksum ${stated}, it must be ${actual}`);
}

function checksumOf(sealed: Buffer): number {
  return crc32(sealed.subarray(0, sealed.length - CRC_BYTES));
}

function rawMethod(method: { readonly path: string; readonly requestStream: true; readonly responseStream: true }) {
  const asIs = (bytes: Buffer): Buffer => bytes;
  const { path, requestStream, responseStream } = method;
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  } satisfies MethodDefinition<Buffer, Buffer>;
}
