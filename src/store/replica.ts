import { createHash } from 'node:crypto';
import type { ConfChange } from '../raft/conf-change.js';
import type { StateMachine, StateWrite } from '../raft/ports.js';
import type { Entry, EntryId } from '../raft/types.js';
import { StateSnapshot } from '../rpc/gen/seqsvr/v1/log.js';
import { Checkpoints } from './checkpoints.js';
import type { Command } from './command.js';
import { decodeCommand } from './command-codec.js';
import { DamageError } from './damage.js';
import { applyMembershipChange, type MembershipChange, membershipChangeFrom } from './membership-change.js';
import { recordOf, stateFrom } from './records.js';
import type { StoreState } from './state.js';
import { apply, type Result } from './state-machine.js';

/** Where the running hash is kept, beside the state's own keys. */
const HASH_KEY = 'hash';

/** One applied entry, for whoever must act on it (never for deciding what apply does). */
export type AppliedEntry =
  | { readonly type: 'command'; readonly command: Command; readonly result: Result }
  | { readonly type: 'membership'; readonly change: MembershipChange; readonly result: Result }
  /** A snapshot took the place of the whole state. */
  | { readonly type: 'restored' };

/**
 * The state machine of one node: applies entries to the state in memory and collects what the disk must get.
 *
 * The running hash covers every entry applied and every record it changed, so replicas that applied the same index
 * and hold the same hash hold the same state (invariant 6).
 */
export class Replica implements StateMachine<Result> {
  readonly checkpoints = new Checkpoints();
  #state: StoreState;
  #hash: string;
  #writes = new Map<string, Uint8Array | undefined>();
  readonly #onApplied: (applied: AppliedEntry) => void;

  /** `records` is what the disk has, without their prefix. */
  constructor(records: ReadonlyMap<string, Uint8Array>, onApplied: (applied: AppliedEntry) => void) {
    const { state, hash } = parse(records);
    this.#state = state;
    this.#hash = hash;
    this.#onApplied = onApplied;
  }

  /** Another object after a snapshot was installed: hold on to the replica, not to this. */
  get state(): StoreState {
    return this.#state;
  }

  /** Hex digest over everything applied so far; '' before the first command. */
  get hash(): string {
    return this.#hash;
  }

  /** Throws for an entry that this version cannot read: the node must halt, for skipping it would fork the state. */
  apply(entry: Entry): Result {
    const command = decodeCommand(entry.data);
    const result = apply(this.#state, command, entry.term);
    this.#note(entry);
    this.#onApplied({ type: 'command', command, result });
    return result;
  }

  /** The member table changes with the members of the Raft group, at the same place in the log. */
  applyConfChange(entry: Entry, confChange: ConfChange): { readonly result: Result; readonly isAccepted: boolean } {
    const change = membershipChangeFrom(confChange);
    const result = applyMembershipChange(this.#state, change);
    this.#note(entry);
    this.#onApplied({ type: 'membership', change, result });
    return { result, isAccepted: result.type !== 'refused' };
  }

  /** Offline only: changes the state by hand, as if an entry at this place had. */
  amend<Value>(at: EntryId, change: (state: StoreState) => Value): Value {
    const value = change(this.#state);
    this.#note(at);
    return value;
  }

  takeWrites(): readonly StateWrite[] {
    const writes = [...this.#writes].map(([key, value]) => ({ key, value }));
    this.#writes = new Map();
    return writes;
  }

  snapshot(): Uint8Array {
    const records = this.#state.keys().map((key) => ({ key, value: bufferOf(recordOf(this.#state, key).value) }));
    records.push({ key: HASH_KEY, value: Buffer.from(this.#hash, 'hex') });
    return StateSnapshot.encode({ records }).finish();
  }

  parseSnapshot(data: Uint8Array): ReadonlyMap<string, Uint8Array> | undefined {
    let snapshot: StateSnapshot;
    try {
      snapshot = StateSnapshot.decode(data);
    } catch (error) {
      // What protobuf throws for bytes that are none. Anything else is a bug.
      if (error instanceof Error && (error.name === 'Error' || error instanceof RangeError)) return undefined;
      throw error;
    }
    const records = new Map(snapshot.records.map(({ key, value }) => [key, value]));
    return records.size === snapshot.records.length && canBeState(records) ? records : undefined;
  }

  restore(records: ReadonlyMap<string, Uint8Array>): void {
    const { state, hash } = parse(records);
    this.#state = state;
    this.#hash = hash;
    this.#writes = new Map();
    this.checkpoints.clear();
    this.#onApplied({ type: 'restored' });
  }

  #note(entry: EntryId): void {
    const writes = this.#state.takeTouched().map((key) => recordOf(this.#state, key));
    const before = this.#hash;
    this.#hash = nextHash(before, entry, writes);
    this.checkpoints.add(entry.index, { before, after: this.#hash });
    for (const { key, value } of writes) this.#writes.set(key, value);
    this.#writes.set(HASH_KEY, Buffer.from(this.#hash, 'hex'));
  }
}

interface Parsed {
  readonly state: StoreState;
  readonly hash: string;
}

function parse(records: ReadonlyMap<string, Uint8Array>): Parsed {
  const own = new Map(records);
  const hash = own.get(HASH_KEY);
  own.delete(HASH_KEY);
  if (hash === undefined && own.size > 0) throw new DamageError('the state has lost its hash');
  return { state: stateFrom(own), hash: hash === undefined ? '' : Buffer.from(hash).toString('hex') };
}

function canBeState(records: ReadonlyMap<string, Uint8Array>): boolean {
  try {
    parse(records);
    return true;
  } catch (error) {
    if (error instanceof DamageError) return false;
    throw error;
  }
}

function nextHash(before: string, { index, term }: EntryId, writes: readonly StateWrite[]): string {
  const hash = createHash('sha256').update(`${before} ${index} ${term}`);
  for (const { key, value } of writes) {
    hash.update(`\n${key} ${value?.length ?? -1}\n`);
    if (value !== undefined) hash.update(value);
  }
  return hash.digest('hex').slice(0, 32);
}

function bufferOf(value: Uint8Array | undefined): Buffer {
  if (value === undefined) throw new DamageError('a record of the state is missing');
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}
