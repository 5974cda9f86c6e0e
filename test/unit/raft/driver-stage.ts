import type { Clock } from '../../../src/base/clock.js';
import { RaftDriver } from '../../../src/raft/driver.js';
import type { Message } from '../../../src/raft/message.js';
import type { RaftEvent, StateMachine, StateWrite } from '../../../src/raft/ports.js';
import type { RaftOptions } from '../../../src/raft/core.js';
import type { Entry, NodeId } from '../../../src/raft/types.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';
import { MemoryStorage, textOf } from './memory-storage.js';

export const TICK_MS = 100;

/** Remembers every command and answers with its text in capitals. */
export class Journal implements StateMachine<string> {
  readonly commands: string[] = [];
  #writes: StateWrite[] = [];

  apply(entry: Entry): string {
    const text = textOf(entry);
    this.commands.push(text);
    this.#writes.push({ key: `${entry.index}`, value: entry.data });
    return text.toUpperCase();
  }

  takeWrites(): readonly StateWrite[] {
    return this.#writes.splice(0);
  }
}

/** One driver and everything around it. */
export interface Actor {
  readonly id: NodeId;
  driver: RaftDriver<string>;
  readonly storage: MemoryStorage;
  readonly machine: Journal;
  readonly events: RaftEvent[];
  readonly fatal: unknown[];
}

/** Drivers 1..size with virtual time, disks in memory, and wires that a test can cut and read. */
export class DriverStage {
  readonly clock = new VirtualClock();
  /** Everything that was sent, cut or not. */
  readonly sent: Message[] = [];
  readonly actors: readonly Actor[];
  readonly #voters: readonly NodeId[];
  readonly #raft: Partial<RaftOptions>;
  readonly #clockOf: (clock: VirtualClock) => Clock;
  readonly #isolated = new Set<NodeId>();

  constructor(size: number, raft: Partial<RaftOptions> = {}, clockOf: (clock: VirtualClock) => Clock = (clock) => clock) {
    this.#voters = Array.from({ length: size }, (_, offset) => offset + 1);
    this.#raft = raft;
    this.#clockOf = clockOf;
    this.actors = this.#voters.map((id) => this.#newActor(id, new MemoryStorage()));
  }

  actor(id: NodeId): Actor {
    return this.actors[id - 1]!;
  }

  get leader(): Actor | undefined {
    return this.actors.find(({ driver }) => driver.isReadyLeader);
  }

  /** Starts all and waits until one leads and has applied its no-op. */
  async begin(): Promise<Actor> {
    for (const { driver } of this.actors) driver.start();
    for (let tick = 0; tick < 100 && this.leader === undefined; tick += 1) await this.clock.elapse(TICK_MS);
    const { leader } = this;
    if (leader === undefined) throw new Error('nobody leads');
    await this.clock.settle();
    leader.storage.batches.length = 0;
    leader.storage.begun = 0;
    this.sent.length = 0;
    return leader;
  }

  isolate(id: NodeId): void {
    this.#isolated.add(id);
  }

  heal(): void {
    this.#isolated.clear();
  }

  /** A new process on the same disk. */
  reopen({ id, storage }: Actor): Actor {
    return this.#newActor(id, storage);
  }

  #newActor(id: NodeId, storage: MemoryStorage): Actor {
    const machine = new Journal();
    const events: RaftEvent[] = [];
    const fatal: unknown[] = [];
    const driver = new RaftDriver<string>({
      raft: {
        id,
        voters: this.#voters,
        electionTicks: 10,
        heartbeatTicks: 1,
        maxAppendBytes: 1 << 20,
        maxInflightMessages: 256,
        maxInflightBytes: 1 << 24,
        maxUncommittedBytes: 1 << 24,
        maxApplyBytes: 1 << 20,
        random: new SeededRandom(id),
        ...this.#raft,
      },
      tickMs: TICK_MS,
      hardState: storage.hardState,
      appliedIndex: storage.appliedIndex,
      storage,
      transport: { send: (message) => this.#carry(message) },
      machine,
      clock: this.#clockOf(this.clock),
      observe: (event) => events.push(event),
      onFatal: (error) => fatal.push(error),
    });
    return { id, driver, storage, machine, events, fatal };
  }

  #carry(message: Message): void {
    this.sent.push(message);
    if (this.#isolated.has(message.from) || this.#isolated.has(message.to)) return;
    this.clock.defer(() => this.actor(message.to).driver.receive(message));
  }
}

/** A promise and what has become of it by now. */
export function watch<Value>(promise: Promise<Value>): { value?: Value; error?: unknown; isDone: boolean } {
  const fate: { value?: Value; error?: unknown; isDone: boolean } = { isDone: false };
  promise.then(
    (value) => Object.assign(fate, { value, isDone: true }),
    (error: unknown) => Object.assign(fate, { error, isDone: true }),
  );
  return fate;
}
