import { connect, type Socket } from 'node:net';
import { ABUSER_ADDRESS, type Target } from './attack.js';

/** Frames of RFC 9113 by hand: no HTTP/2 client would send what an attack is made of. */
export const TYPES = { data: 0, headers: 1, rstStream: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 } as const;
export const FLAGS = { acknowledge: 1, endStream: 1, endHeaders: 4 } as const;
export const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\n'), Buffer.from('SM\r\n\r\n')]);
const FRAME_HEAD_BYTES = 9;
const FRAME_MAX_BYTES = 16 * 1024;

export interface Frame {
  readonly type: number;
  readonly flags?: number;
  readonly stream?: number;
  readonly payload?: Buffer;
  /** What it says of its payload, where that is a lie. */
  readonly length?: number;
}

export function frame({ type, flags = 0, stream = 0, payload = Buffer.alloc(0), length = payload.length }: Frame): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block of RFC 7541: every field a literal that no table keeps. */
export function headerBlock(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.of(0), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([prefixed(bytes.length), bytes]);
}

/** An integer with a prefix of seven bits (RFC 7541, 5.1). */
function prefixed(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Buffer.of(...bytes, rest);
}

/** The headers of a gRPC call. */
export function callHeaders(path: string, more: readonly (readonly [string, string])[] = []): Buffer {
  return headerBlock([
    [':method', 'POST'],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'localhost'],
    ['content-type', 'application/grpc'],
    ['te', 'trailers'],
    ...more,
  ]);
}

/** A header block over as many frames as it takes: a peer takes 16 KiB in one without being asked. */
export function headerFrames(block: Buffer, stream: number): Buffer {
  const frames: Buffer[] = [];
  for (let from = 0; from < block.length; from += FRAME_MAX_BYTES) {
    const payload = block.subarray(from, from + FRAME_MAX_BYTES);
    const flags = from + FRAME_MAX_BYTES >= block.length ? FLAGS.endHeaders : 0;
    frames.push(frame({ type: from === 0 ? TYPES.headers : TYPES.continuation, flags, stream, payload }));
  }
  return Buffer.concat(frames);
}

/** A connection that says whatever it is told to. */
export class RawConnection {
  readonly #socket: Socket;
  /** Resolves when it is over, whoever ended it. */
  readonly over: Promise<void>;
  #isOpen = true;

  private constructor(socket: Socket, note: Target['note']) {
    this.#socket = socket;
    this.over = new Promise((resolve) =>
      socket.once('close', () => {
        this.#isOpen = false;
        note('cut');
        resolve();
      }),
    );
  }

  /** Undefined: refused. `reads`: what comes is read and thrown away. */
  static async dial({ host, port, note }: Target, { reads = true } = {}): Promise<RawConnection | undefined> {
    const socket = connect({ host, port, localAddress: ABUSER_ADDRESS });
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('close', () => resolve(false));
      // A reset is how a server cuts: 'close' comes after it.
      socket.on('error', () => undefined);
    });
    if (!isOpen) {
      note('refused');
      return undefined;
    }
    note('opened');
    const connection = new RawConnection(socket, note);
    if (reads) socket.resume();
    return connection;
  }

  /** One that has begun as HTTP/2 begins. `settings`: its own, as pairs. */
  static async greet(target: Target, { reads = true, settings = [] }: { reads?: boolean; settings?: readonly (readonly [number, number])[] } = {}) {
    const connection = await RawConnection.dial(target, { reads });
    const payload = Buffer.alloc(settings.length * 6);
    for (const [at, [id, value]] of settings.entries()) {
      payload.writeUInt16BE(id, at * 6);
      payload.writeUInt32BE(value, at * 6 + 2);
    }
    await connection?.send(Buffer.concat([PREFACE, frame({ type: TYPES.settings, payload })]));
    return connection;
  }

  /** Resolves when it may send more, or will never: then with false. */
  async send(bytes: Buffer): Promise<boolean> {
    if (!this.#isOpen) return false;
    if (this.#socket.write(bytes)) await new Promise((resolve) => setImmediate(resolve));
    else await Promise.race([new Promise((resolve) => this.#socket.once('drain', resolve)), this.over]);
    return this.#isOpen;
  }

  close(): void {
    this.#socket.destroy();
  }
}
