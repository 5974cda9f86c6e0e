import type { SectionId } from '../model/ids.js';
import { isNewer, NO_VERSION, type Version } from '../model/version.js';

/**
 * Uids whose highest number is remembered, as a power of 2, 16 bytes each: each has one place, and whoever is called later for the same
 * place takes it. All of it stays near the processor.
 */
const PLACE_BITS_MAX = 15;
/** Room for a few at first: a process may have many clients. */
const PLACE_BITS_MIN = 6;
const WORDS_PER_PLACE = 4;

/**
 * What a client has seen, as a belt over the fences of the servers (DESIGN 3.5): no number at or below one that it was given
 * before is ever believed, and no answer of a former owner. Bounded: what is forgotten is only not checked. 64-bit values are
 * halves of 32 bits, for a bigint each would cost more than all the rest of a call.
 */
export class ClientMemory {
  /** By place: uid low and high, seq low and high. A seq of 0: nobody is there. */
  #words = new Uint32Array(WORDS_PER_PLACE << PLACE_BITS_MIN);
  #placeBits = PLACE_BITS_MIN;
  /** Places that somebody took, those that were taken over included. */
  #takenCount = 0;
  /** By section: the highest epoch of an answer. As far as the highest section that answered. */
  #epochs = new Float64Array(0);
  #generation = 0;
  #heard: Version = NO_VERSION;

  /** Where the uid's highest number is, for floorLow() and floorHigh(); -1: nowhere. */
  find(uidLow: number, uidHigh: number): number {
    const at = placeOf(uidLow, uidHigh, this.#placeBits);
    return this.#words[at] === uidLow && this.#words[at + 1] === uidHigh ? at : -1;
  }

  floorLow(at: number): number {
    return at < 0 ? 0 : (this.#words[at + 2] ?? 0);
  }

  floorHigh(at: number): number {
    return at < 0 ? 0 : (this.#words[at + 3] ?? 0);
  }

  sawSeq(uidLow: number, uidHigh: number, low: number, high: number): void {
    const at = placeOf(uidLow, uidHigh, this.#placeBits);
    const words = this.#words;
    if (words[at] === uidLow && words[at + 1] === uidHigh) {
      const knownHigh = words[at + 3] ?? 0;
      if (knownHigh > high || (knownHigh === high && (words[at + 2] ?? 0) >= low)) return;
    } else {
      words[at] = uidLow;
      words[at + 1] = uidHigh;
      this.#takenCount += 1;
    }
    words[at + 2] = low;
    words[at + 3] = high;
    if (this.#takenCount > 1 << (this.#placeBits - 1) && this.#placeBits < PLACE_BITS_MAX) this.#spread();
  }

  /** Twice the places, each entry where it belongs now. */
  #spread(): void {
    const former = this.#words;
    this.#placeBits += 1;
    this.#words = new Uint32Array(WORDS_PER_PLACE << this.#placeBits);
    for (let at = 0; at < former.length; at += WORDS_PER_PLACE) {
      if (former[at + 2] === 0 && former[at + 3] === 0) continue;
      const entry = former.subarray(at, at + WORDS_PER_PLACE);
      this.#words.set(entry, placeOf(entry[0] ?? 0, entry[1] ?? 0, this.#placeBits));
    }
  }

  /** False: an owner of a later epoch has answered before, so whoever answers now is a former one. */
  sawEpoch(section: SectionId, epoch: number): boolean {
    if (section >= this.#epochs.length) this.#grow(section);
    if (epoch < (this.#epochs[section] ?? 0)) return false;
    this.#epochs[section] = epoch;
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
    this.#epochs.fill(0);
  }

  /** A set has at most SECTIONS_MAX. */
  #grow(section: SectionId): void {
    const grown = new Float64Array(Math.max(section + 1, this.#epochs.length * 2));
    grown.set(this.#epochs);
    this.#epochs = grown;
  }
}

/** Neighbouring uids lie apart, and so do those that differ in any bit. */
function placeOf(uidLow: number, uidHigh: number, placeBits: number): number {
  const mixed = Math.imul(uidLow ^ Math.imul(uidHigh, 0x85eb_ca6b), 0x9e37_79b1);
  return (mixed >>> (32 - placeBits)) * WORDS_PER_PLACE;
}
