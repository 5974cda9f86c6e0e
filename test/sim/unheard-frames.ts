import { decodeOpsFrame, decodeOpsReply, type OpsFrame } from '../../src/rpc/ops-codec.js';
import { bigAt } from '../unit/alloc/exchange-stage.js';

/** An operation that asked for numbers. */
export interface UnheardOp {
  readonly uid: bigint;
  readonly count: number;
}

interface Taken {
  readonly frame: OpsFrame;
  readonly sentMs: number;
  readonly answered: Set<number>;
}

/**
 * What a stream of frames leaves unsaid: operations that reached the server and whose answers never came back. Numbers may be gone with
 * them, also when the call was made again and answered: whoever checks a history must know.
 */
export class UnheardFrames {
  readonly #tell: (sentMs: number, ops: readonly UnheardOp[]) => void;
  readonly #sentMs = new Map<number, number>();
  readonly #taken = new Map<number, Taken>();
  #isOver = false;

  constructor(tell: (sentMs: number, ops: readonly UnheardOp[]) => void) {
    this.#tell = tell;
  }

  /** The client writes a frame. */
  sent(bytes: Buffer, nowMs: number): void {
    this.#sentMs.set(decodeOpsFrame(bytes).id, nowMs);
  }

  /** The server gets it, perhaps after its client has gone. */
  taken(bytes: Buffer): void {
    const frame = decodeOpsFrame(bytes);
    const sentMs = this.#sentMs.get(frame.id) ?? 0;
    this.#sentMs.delete(frame.id);
    const taken = { frame, sentMs, answered: new Set<number>() };
    if (this.#isOver) this.#unheard(taken);
    else this.#taken.set(frame.id, taken);
  }

  /** The client gets a reply. */
  heard(bytes: Buffer): void {
    const { id, opCount, places } = decodeOpsReply(bytes);
    const taken = this.#taken.get(id);
    if (taken === undefined) return;
    for (let at = 0; at < opCount; at++) taken.answered.add(places?.low(at) ?? at);
    if (taken.answered.size === taken.frame.opCount) this.#taken.delete(id);
  }

  /** The client hears nothing more. */
  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const taken of this.#taken.values()) this.#unheard(taken);
    this.#taken.clear();
  }

  #unheard({ frame, sentMs, answered }: Taken): void {
    const ops: UnheardOp[] = [];
    for (let place = 0; place < frame.opCount; place++) {
      const count = frame.counts?.low(place) ?? 1;
      if (count > 0 && !answered.has(place)) ops.push({ uid: bigAt(frame.uids, place), count });
    }
    if (ops.length > 0) this.#tell(sentMs, ops);
  }
}
