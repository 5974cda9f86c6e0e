import { createHash } from 'node:crypto';
import type { StateMachine, StateWrite } from '../raft/ports.js';
import type { Entry } from '../raft/types.js';
import { type Command, decodeCommand } from './command.js';
import { DamageError } from './damage.js';
import { recordOf, stateFrom } from './records.js';
import type { StoreState } from './state.js';
import { apply, type Result } from './state-machine.js';

/** Where the running hash is kept, beside the state's own keys. */
const HASH_KEY = 'hash';

/** One applied command, for whoever must act on it (never for deciding what apply does). */
export interface AppliedCommand {
  readonly command: Command;
  readonly result: Result;
}

/**
 * The state machine of one node: applies entries to the state in memory and collects what the disk must get.
 *
 * The running hash covers every entry applied and every record it changed, so replicas that applied the same index
 * and hold the same hash hold the same state (invariant 6).
 */
export class Replica implements StateMachine<Result> {
  readonly state: StoreState;
  #hash: string;
  #writes = new Map<string, Uint8Array | undefined>();
  readonly #onApplied: (applied: AppliedCommand) => void;

  /** `records` is what the disk has, without their prefix. */
  constructor(records: ReadonlyMap<string, Uint8Array>, onApplied: (applied: AppliedCommand) => void) {
    const own = new Map(records);
    const hash = own.get(HASH_KEY);
    own.delete(HASH_KEY);
    if (hash === undefined && own.size > 0) throw new DamageError('the state has lost its hash');
    this.#hash = hash === undefined ? '' : Buffer.from(hash).toString('hex');
    this.state = stateFrom(own);
    this.#onApplied = onApplied;
  }

  /** Hex digest over everything applied so far; '' before the first command. */
  get hash(): string {
    return this.#hash;
  }

  /** Throws for an entry that this version cannot read: the node must halt, for skipping it would fork the state. */
  apply(entry: Entry): Result {
    const command = decodeCommand(entry.data);
    const result = apply(this.state, command, entry.term);
    const writes = this.state.takeTouched().map((key) => recordOf(this.state, key));
    this.#hash = nextHash(this.#hash, entry, writes);
    for (const { key, value } of writes) this.#writes.set(key, value);
    this.#writes.set(HASH_KEY, Buffer.from(this.#hash, 'hex'));
    this.#onApplied({ command, result });
    return result;
  }

  takeWrites(): readonly StateWrite[] {
    const writes = [...this.#writes].map(([key, value]) => ({ key, value }));
    this.#writes = new Map();
    return writes;
  }
}

function nextHash(before: string, { index, term }: Entry, writes: readonly StateWrite[]): string {
  const hash = createHash('sha256').update(`${before} ${index} ${term}`);
  for (const { key, value } of writes) {
    hash.update(`\n${key} ${value?.length ?? -1}\n`);
    if (value !== undefined) hash.update(value);
  }
  return hash.digest('hex').slice(0, 32);
}
