import { EventEmitter } from 'node:events';
import type { AllocEvent } from '../../../src/alloc/events.js';
import { AllocNode } from '../../../src/alloc/node.js';
import { type Limits, quotasOf } from '../../../src/alloc/quotas.js';
import { AllocService } from '../../../src/alloc/service.js';
import type { SeqError } from '../../../src/base/errors.js';
import type { AllocId } from '../../../src/model/ids.js';
import { NO_VERSION, type Version } from '../../../src/model/version.js';
import { type Column, ColumnRoom } from '../../../src/rpc/columns.js';
import { decodeOpsFrame, decodeOpsReply, encodeOpsFrame, type OpsReply } from '../../../src/rpc/ops-codec.js';
import { Handlers } from '../../../src/rpc/server.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';
import { FakeStore } from './fake-store.js';

/** One operation as a test says it. */
export interface Op {
  readonly uid: bigint;
  /** 0: current. Default 1. */
  readonly count?: number;
  readonly floor?: bigint;
}

export interface FrameOptions {
  readonly id?: number;
  readonly strict?: boolean;
  readonly timeoutMs?: number;
  readonly routingVersion?: Version;
  readonly heardVersion?: Version;
}

/** A frame's bytes. */
export function frameOf(ops: readonly Op[], { id = 1, strict = false, timeoutMs = 0, routingVersion, heardVersion }: FrameOptions = {}): Buffer {
  const lengthMax = Math.max(1, ops.length);
  const uids = new ColumnRoom({ width: 8, lengthMax });
  const counts = ops.some(({ count = 1 }) => count !== 1) ? new ColumnRoom({ width: 4, lengthMax }) : undefined;
  const floors = ops.some(({ floor }) => floor !== undefined) ? new ColumnRoom({ width: 8, lengthMax }) : undefined;
  for (const [place, { uid, count = 1, floor = 0n }] of ops.entries()) {
    putBig(uids, place, uid);
    counts?.put(place, count);
    if (floors !== undefined) putBig(floors, place, floor);
  }
  const versions = { routingVersion: routingVersion ?? NO_VERSION, heardVersion: heardVersion ?? NO_VERSION };
  return encodeOpsFrame({ id, ...versions, strict, timeoutMs, opCount: ops.length, uids, counts, floors });
}

function putBig(room: ColumnRoom, place: number, value: bigint): void {
  room.put(place, Number(value & 0xffff_ffffn), Number(value >> 32n));
}

/** What a reply says of each place: the number, `~number` for an upper bound, or the error code. */
export function shown(reply: OpsReply): Record<number, bigint | string> {
  const answers: Record<number, bigint | string> = {};
  for (let at = 0; at < reply.opCount; at++) {
    const place = reply.places?.low(at) ?? at;
    const error = reply.errors.find((one) => one.place === place)?.error;
    const seq = bigAt(reply.seqs, at);
    answers[place] = error?.code ?? (reply.inexact.includes(place) ? `~${seq}` : seq);
  }
  return answers;
}

export function bigAt(column: Column, at: number): bigint {
  return (BigInt(column.high(at)) << 32n) | BigInt(column.low(at));
}

/** The server's end of an Exchange stream, without its sockets: what comes in waits while it is paused. */
export class FakeStream extends EventEmitter {
  readonly replies: OpsReply[] = [];
  /** How it ended: a status with our message, or as it should. */
  ended: { readonly code: number; readonly details: string } | 'well' | undefined;
  isPaused = false;
  /** False: the caller does not read, so nothing more is taken. */
  isTaking = true;
  readonly cancelled = false;
  peer = '10.0.0.1:4711';
  onWritten: (reply: OpsReply) => void = () => undefined;
  readonly #held: (() => void)[] = [];

  constructor() {
    super();
    this.on('error', (error: { readonly code: number; readonly details: string }) => {
      this.ended ??= error;
    });
  }

  /** As grpc-js calls 'data' and 'end': one after the other, and not while it is paused. */
  receive(bytes: Buffer | 'end'): void {
    this.#held.push(() => {
      if (bytes === 'end') this.emit('end');
      else this.emit('data', readFrame(bytes));
    });
    this.#flow();
  }

  get heldCount(): number {
    return this.#held.length;
  }

  write(bytes: Buffer): boolean {
    const reply = decodeOpsReply(bytes);
    this.replies.push(reply);
    this.onWritten(reply);
    return this.isTaking;
  }

  getPeer(): string {
    return this.peer;
  }

  drain(): void {
    this.isTaking = true;
    this.emit('drain');
  }

  pause(): this {
    this.isPaused = true;
    return this;
  }

  resume(): this {
    this.isPaused = false;
    this.#flow();
    return this;
  }

  end(): void {
    this.ended ??= 'well';
  }

  /** The caller goes away. */
  cancel(): void {
    this.emit('cancelled', 'cancelled');
  }

  #flow(): void {
    while (!this.isPaused && this.#held.length > 0) this.#held.shift()?.();
  }
}

function readFrame(bytes: Buffer): unknown {
  try {
    return decodeOpsFrame(bytes);
  } catch (error) {
    return error;
  }
}

/** AllocSvr 'a' with sections 0 and 1 of four, on a virtual clock, and its Exchange. */
export class ExchangeStage {
  readonly clock = new VirtualClock();
  readonly store = new FakeStore();
  readonly events: AllocEvent[] = [];
  readonly fatal: SeqError[] = [];
  readonly bugs: unknown[] = [];
  readonly node: AllocNode;
  readonly service: AllocService;
  readonly #open: (stream: unknown) => void;

  constructor({ isStrict = false, limits }: { readonly isStrict?: boolean; readonly limits?: Limits } = {}) {
    const { clock, store } = this;
    const observe = (event: AllocEvent): unknown => this.events.push(event);
    const onFatal = (error: unknown): unknown => this.fatal.push(error as SeqError);
    const parts = { id: 'a' as AllocId, zone: '', renewEveryMs: 500, store, pull: () => Promise.resolve(), random: new SeededRandom(1) };
    this.node = new AllocNode({ ...parts, clock, observe, onFatal });
    const quotas = limits === undefined ? undefined : quotasOf(limits);
    this.service = new AllocService({ node: this.node, clock, version: '', isStrict, quotas });
    const handlers = new Handlers({ clock, onBug: (error) => this.bugs.push(error), routingVersion: () => this.node.table?.version });
    const { implementation } = this.service.services(handlers).find(({ definition }) => 'exchange' in definition) ?? {};
    this.#open = implementation?.['exchange'] as unknown as (stream: unknown) => void;
  }

  async start(...sections: number[]): Promise<void> {
    this.store.assign('a', ...(sections.length > 0 ? sections : [0, 1]));
    this.store.assign('b', 2);
    await this.node.start({ address: 'a:1' });
  }

  open = (stream = new FakeStream()): FakeStream => {
    this.#open(stream);
    return stream;
  };

  get version(): Version {
    const version = this.node.table?.version;
    if (version === undefined) throw new Error('there is no table yet');
    return version;
  }
}
