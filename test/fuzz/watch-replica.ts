import type { ConfChange } from '../../src/raft/conf-change.js';
import type { Entry } from '../../src/raft/types.js';
import { Replica } from '../../src/store/replica.js';
import type { Section, StoreState } from '../../src/store/state.js';
import type { Result } from '../../src/store/state-machine.js';
import { isNewer, NO_VERSION, type Version } from '../../src/model/version.js';
import { dump } from '../unit/store/fixture.js';
import { mustHold, type Outcome } from './target.js';

/** An entry, with the change that it carries when it carries one. */
export type Committed = Entry & { readonly confChange?: ConfChange };

/** Two replicas that get the same entries, one of them through a disk, and what must be true of them (ARCHITECTURE, invariants 4 and 6). */
export class ReplicaWatch {
  readonly #one = new Replica(new Map(), () => undefined);
  readonly #other = new Replica(new Map(), () => undefined);
  readonly #disk = new Map<string, Uint8Array>();
  #before: readonly Section[] = [];
  #version: Version = NO_VERSION;

  get state(): StoreState {
    return this.#one.state;
  }

  get hash(): string {
    return this.#one.hash;
  }

  /** As run(), and what came of it in words. */
  apply(entry: Committed): Outcome {
    const result = this.run(entry);
    return result.type === 'refused' ? `refused ${result.code} ${result.why}` : `ok ${result.type}`;
  }

  /** Throws what the replica throws, after a check that both do. */
  run(entry: Committed): Result {
    const results = [this.#one, this.#other].map((replica) => resultOf(replica, entry));
    const [result, same] = results;
    if (result === undefined || same === undefined || 'thrown' in result || 'thrown' in same) {
      mustHold(String(thrownBy(result)) === String(thrownBy(same)), 'an entry that one replica cannot read no replica can');
      mustHold(this.#one.takeWrites().length === 0 && this.#other.takeWrites().length === 0, 'an entry that cannot be read changes nothing');
      throw thrownBy(result);
    }
    mustHold(JSON.stringify(result.of, bigints) === JSON.stringify(same.of, bigints), 'replicas come to the same result');
    mustHold(this.#one.hash === this.#other.hash, 'replicas that applied the same index hold the same state');
    this.#save(result.of);
    this.#checkState(result.of, entry);
    return result.of;
  }

  /** What the disk holds and what a snapshot holds is the state. `isThorough`: compared value by value too, and not by its records alone. */
  end({ isThorough }: { readonly isThorough: boolean }): void {
    const isSame = isThorough ? isSameState : hasSameRecords;
    mustHold(isSame(new Replica(this.#disk, () => undefined), this.#one), 'a restart brings back the state that was there');
    if (this.#one.state.cluster === undefined || !isThorough) return;
    const records = this.#one.parseSnapshot(this.#one.snapshot());
    mustHold(records !== undefined, 'a snapshot can be read');
    mustHold(isSame(new Replica(records, () => undefined), this.#one), 'a snapshot is the state that it was made of');
  }

  #save(result: Result): void {
    const writes = this.#one.takeWrites();
    this.#other.takeWrites();
    if (result.type === 'refused')
      mustHold(
        writes.every(({ key }) => key === 'hash'),
        'a refusal changes nothing',
      );
    for (const { key, value } of writes) {
      if (value === undefined) this.#disk.delete(key);
      else this.#disk.set(key, value);
    }
  }

  #checkState(result: Result, entry: Committed): void {
    const { sections, version } = this.state;
    mustHold(!isNewer(this.#version, version), 'routingVersion never goes back');
    const mayFall = result.type === 'released';
    for (let at = 0; at < sections.length; at += 1) {
      const [now, was] = [sections[at], this.#before[at]];
      if (now === was || now === undefined) continue;
      mustHold(now.base <= now.maxSeq && now.maxSeq < 2n ** 63n, 'base <= maxSeq <= 2^63-1');
      if (was === undefined) continue;
      mustHold(now.epoch >= was.epoch, 'epoch never goes back');
      mustHold(
        now.maxSeq >= was.maxSeq || (mayFall && now.maxSeq >= was.base),
        'maxSeq never goes back except in the release entry that retires an epoch',
      );
      mustHold(now.epoch === was.epoch || now.base >= was.base, 'the base of an epoch is at or above that of the one before');
      if (now.owner !== undefined && now.owner.incarnation !== was.owner?.incarnation) mustHold(now.epoch > was.epoch, 'a new owner has a new epoch');
    }
    mustHold(result.type !== 'refused' || !isNewer(version, this.#version), () => `a refusal is no new version, entry ${entry.index}`);
    this.#before = [...sections];
    this.#version = version;
  }
}

type Tried = { readonly of: Result } | { readonly thrown: unknown };

function resultOf(replica: Replica, entry: Committed): Tried {
  try {
    return { of: entry.confChange === undefined ? replica.apply(entry) : replica.applyConfChange(entry, entry.confChange).result };
  } catch (thrown) {
    return { thrown };
  }
}

function thrownBy(tried: Tried | undefined): unknown {
  return tried !== undefined && 'thrown' in tried ? tried.thrown : undefined;
}

export function hasSameRecords(one: Replica, other: Replica): boolean {
  return one.hash === other.hash && Buffer.from(one.snapshot()).equals(other.snapshot());
}

export function isSameState(one: Replica, other: Replica): boolean {
  return one.hash === other.hash && JSON.stringify(dump(one.state), bigints) === JSON.stringify(dump(other.state), bigints);
}

export function bigints(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}n` : value;
}
