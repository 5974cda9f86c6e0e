import type { Clock } from '../../../src/base/clock.js';
import { SeqError } from '../../../src/base/errors.js';
import type { ConfChange } from '../../../src/raft/conf-change.js';
import { type DriverOptions, RaftDriver } from '../../../src/raft/driver.js';
import type { Message } from '../../../src/raft/message.js';
import type { RaftEvent, StateMachine, StateWrite } from '../../../src/raft/ports.js';
import type { RaftOptions } from '../../../src/raft/core.js';
import { EMPTY_CONF_STATE, type Entry, type NodeId } from '../../../src/raft/types.js';
import { SeededRandom } from '../seeded-random.js';
import { VirtualClock } from '../virtual-clock.js';
import { bytesOf, MemoryStorage, textOf } from './memory-storage.js';
import { membersOf } from './test-node.js';

export const TICK_MS = 100;

/** Remembers every command and answers with its text in capitals. A change with the context 'no' is refused. */
export class Journal implements StateMachine<string> {
  commands: string[] = [];
  #writes: StateWrite[] = [];

  apply(entry: Entry): string {
    return this.#remember(entry, textOf(entry));
  }

  applyConfChange(entry: Entry, { context }: ConfChange): { result: string; isAccepted: boolean } {
    const text = textOf({ data: context });
    return text === 'no' ? { result: 'REFUSED', isAccepted: false } : { result: this.#remember(entry, `change ${text}`.trim()), isAccepted: true };
  }

  takeWrites(): readonly StateWrite[] {
    return this.#writes.splice(0);
  }

  snapshot(): Uint8Array {
    return bytesOf(JSON.stringify(this.commands));
  }

  parseSnapshot(data: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
    const text = textOf({ data });
    return text.startsWith('[')
      ? new Map((JSON.parse(text) as string[]).map((command, at) => [`${at}`.padStart(6, '0'), bytesOf(command)]))
      : undefined;
  }

  restore(state: ReadonlyMap<string, Uint8Array>): void {
    this.commands = [...state].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, data]) => textOf({ data }));
    this.#writes = [];
  }

  #remember(_: Entry, text: string): string {
    this.#writes.push({ key: `${this.commands.length}`.padStart(6, '0'), value: bytesOf(text) });
    this.commands.push(text);
    return text.toUpperCase();
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

export interface StageOptions {
  readonly raft?: Partial<RaftOptions>;
  readonly driver?: Partial<Pick<DriverOptions<string>, 'keptEntries'>>;
  readonly clockOf?: (clock: VirtualClock) => Clock;
  /** Nodes with empty disks that nobody knows yet; all logs begin at index 2 then, so that these need a snapshot. */
  readonly joiners?: number;
}

/** Drivers 1..size with virtual time, disks in memory, and wires that a test can cut and read. */
export class DriverStage {
  readonly clock = new VirtualClock();
  /** Everything that was sent, cut or not. */
  readonly sent: Message[] = [];
  readonly actors: readonly Actor[];
  readonly #options: StageOptions;
  readonly #isolated = new Set<NodeId>();
  #processCount = 0;
  /** What is lost although nobody is cut off. */
  isLost: (message: Message) => boolean = () => false;

  constructor(size: number, options: StageOptions = {}) {
    this.#options = options;
    const { joiners = 0 } = options;
    const ids = Array.from({ length: size + joiners }, (_, offset) => offset + 1);
    const members = { confState: membersOf({ voters: ids.slice(0, size) }), ...(joiners > 0 ? { start: { index: 1, term: 1 } } : {}) };
    this.actors = ids.map((id) =>
      this.#newActor(id, id > size ? MemoryStorage.holding({ confState: EMPTY_CONF_STATE }) : MemoryStorage.holding(members)),
    );
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

  /** Any node that does not lead. */
  followerOf(leader: Actor): Actor {
    return this.actors.find((actor) => actor !== leader)!;
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

  /** The same, in the place of the old one. */
  replace(actor: Actor): Actor {
    const next = this.reopen(actor);
    (this.actors as Actor[])[actor.id - 1] = next;
    next.driver.start();
    return next;
  }

  #newActor(id: NodeId, storage: MemoryStorage): Actor {
    this.#processCount += 1;
    const machine = new Journal();
    machine.restore(storage.state);
    const events: RaftEvent[] = [];
    const fatal: unknown[] = [];
    const { clockOf = (clock: VirtualClock): Clock => clock } = this.#options;
    const driver = new RaftDriver<string>({
      raft: {
        id,
        electionTicks: 10,
        heartbeatTicks: 1,
        maxAppendBytes: 1 << 20,
        maxInflightMessages: 256,
        maxInflightBytes: 1 << 24,
        maxUncommittedBytes: 1 << 24,
        maxApplyBytes: 1 << 20,
        // No process draws what a former one drew.
        random: new SeededRandom(this.#processCount),
        ...this.#options.raft,
      },
      ...this.#options.driver,
      tickMs: TICK_MS,
      hardState: storage.hardState,
      appliedIndex: storage.appliedIndex,
      confState: storage.confState,
      storage,
      transport: { send: (message) => this.#carry(message) },
      machine,
      clock: clockOf(this.clock),
      observe: (event) => events.push(event),
      onFatal: (error) => fatal.push(error),
    });
    return { id, driver, storage, machine, events, fatal };
  }

  /** A snapshot goes its own way, and its sender hears how that ended. */
  #carry(message: Message): void {
    this.sent.push(message);
    const isLost = this.#isolated.has(message.from) || this.#isolated.has(message.to) || this.isLost(message);
    if (message.type === 'snapshot') this.clock.defer(() => this.actor(message.from).driver.reportSnapshot(message.to, !isLost));
    if (isLost) return;
    this.clock.defer(() => this.actor(message.to)?.driver.receive(message));
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

/** The code of an error, and whether it says that certainly nothing was done. */
export function codeOf(error: unknown): string {
  if (!SeqError.is(error)) return String(error);
  return `${error.code} ${error.definite ? 'definite' : 'unknown'}`;
}
