import type { SectionId, Uid } from '../model/ids.js';
import { isNewer, NO_VERSION, type Version } from '../model/version.js';

/** Uids whose highest number is remembered; about 100 bytes each. The ones that were not called for longest are forgotten. */
const UIDS_MAX = 50_000;
/** Sections whose epoch is remembered. */
const SECTIONS_MAX = 50_000;

/**
 * What a client has seen, as a belt over the fences of the servers (DESIGN 3.5): no number at or below one that it was given
 * before is ever believed, and no answer of a former owner. Bounded: what is forgotten is only not checked.
 */
export class ClientMemory {
  readonly #highest = new Map<Uid, bigint>();
  readonly #epochs = new Map<SectionId, number>();
  #generation = 0;
  #heard: Version = NO_VERSION;

  /** The highest number seen for the uid; 0: none. */
  floorOf(uid: Uid): bigint {
    return this.#highest.get(uid) ?? 0n;
  }

  sawSeq(uid: Uid, seq: bigint): void {
    const known = this.#highest.get(uid);
    // Last in the map is last called.
    this.#highest.delete(uid);
    this.#highest.set(uid, known !== undefined && known > seq ? known : seq);
    forgetOldest(this.#highest, UIDS_MAX);
  }

  /** False: an owner of a later epoch has answered before, so whoever answers now is a former one. */
  sawEpoch(section: SectionId, epoch: number): boolean {
    const known = this.#epochs.get(section);
    if (known !== undefined && epoch < known) return false;
    this.#epochs.delete(section);
    this.#epochs.set(section, epoch);
    forgetOldest(this.#epochs, SECTIONS_MAX);
    return true;
  }

  /** The newest table version that any server spoke of. */
  get heard(): Version {
    return this.#heard;
  }

  /** A server has this table: with a refusal, or with an answer. */
  sawVersion(version: Version): void {
    if (!isNewer(version, this.#heard)) return;
    this.#heard = version;
    if (version.generation === this.#generation) return;
    // Epochs and numbers begin anew, above all that was: what was seen before is compared no more.
    this.#generation = version.generation;
    this.#epochs.clear();
  }
}

function forgetOldest<Key>(map: Map<Key, unknown>, limit: number): void {
  if (map.size <= limit) return;
  const [oldest] = map.keys();
  map.delete(oldest as Key);
}
