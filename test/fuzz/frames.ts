/** One step of an input that is a sequence: what it is, by a number, and its bytes. */
export interface Frame {
  readonly kind: number;
  readonly payload: Uint8Array;
}

const HEADER_BYTES = 3;
/** Steps of one input; what comes after is not looked at. */
const FRAMES_MAX = 64;

/** u8 kind | u16 length | payload, for each. A payload has at most 65,535 bytes. */
export function packFrames(frames: readonly Frame[]): Uint8Array {
  const bytes = Buffer.alloc(frames.reduce((sum, { payload }) => sum + HEADER_BYTES + payload.length, 0));
  let at = 0;
  for (const { kind, payload } of frames) {
    bytes.writeUInt8(kind & 0xff, at);
    bytes.writeUInt16BE(payload.length, at + 1);
    bytes.set(payload, at + HEADER_BYTES);
    at += HEADER_BYTES + payload.length;
  }
  return bytes;
}

/** Takes any bytes: a frame that does not end is cut where they end. */
export function unpackFrames(input: Uint8Array): Frame[] {
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.byteLength);
  const frames: Frame[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length && frames.length < FRAMES_MAX; ) {
    const end = at + HEADER_BYTES + bytes.readUInt16BE(at + 1);
    frames.push({ kind: bytes.readUInt8(at), payload: bytes.subarray(at + HEADER_BYTES, end) });
    at = end;
  }
  return frames;
}
