import { messageOf, SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import type { SectionId } from '../model/ids.js';
import type { RoutingTable } from '../model/routing.js';
import type { RoutingDelta } from '../model/routing-delta.js';
import type { SetMap } from '../model/sets.js';
import { isNewer, NO_VERSION, type Version } from '../model/version.js';
import { deltaFromWire, tableFromWire } from '../rpc/codec.js';
import type * as common from '../rpc/gen/seqsvr/v1/common.js';
import { bigOf } from './halves.js';
import { ClientMemory } from './memory.js';
import { protocol } from './remote-error.js';
import type { RoutingCache } from './routing-cache.js';
import type { Answer } from './sent-frame.js';

/** The high half of 2^63, which no number reaches. */
const HIGH_END = 2 ** 31;

export interface AttemptEvents {
  /** A newer table is in the cache. */
  onTable(table: RoutingTable, previous: Version): void;
  /** A node told which sets there are. */
  onSets(sets: SetMap): void;
  /** The address answered; `error` when what came back, or did not, makes it suspect. */
  onOutcome(address: string, error: SeqError | undefined): void;
}

/** What a reply says of the route. */
export interface Routing {
  readonly routing?: common.RoutingTable | undefined;
  readonly routingDelta?: common.RoutingDelta | undefined;
}

/** What the answers of one set have told: the table, and what was seen. It judges the answers that come. */
export class Knowledge {
  readonly memory = new ClientMemory();
  readonly #cache: RoutingCache;
  readonly #events: AttemptEvents;
  /** Calls that wait for somebody may now have to go elsewhere. */
  readonly #onMoved: () => void;
  /** A delta did not fit. */
  #needsWhole = false;

  constructor(options: { readonly cache: RoutingCache; readonly events: AttemptEvents; readonly onMoved: () => void }) {
    this.#cache = options.cache;
    this.#events = options.events;
    this.#onMoved = options.onMoved;
  }

  /** The table in use, and a newer one that some server spoke of: whoever has not seen that yet waits for it. */
  versions(): { readonly routingVersion: Version; readonly heardVersion: Version } {
    const { heard } = this.memory;
    const { version } = this.#cache;
    return { routingVersion: this.#needsWhole ? NO_VERSION : version, heardVersion: isNewer(heard, version) ? heard : NO_VERSION };
  }

  /**
   * Undefined: the answer is believed, and remembered. An error, for another try elsewhere, when it comes from a former owner: its epoch is
   * over, or its numbers are not above what was seen. What it took is a gap.
   */
  judge(answer: Answer): SeqError | undefined {
    const { uidLow, uidHigh, floorLow, floorHigh, count, low, high, epoch } = answer;
    if (answer.lastHigh >= HIGH_END || (count > 0 && low === 0 && high === 0))
      return protocol(`a number handed out lies in [1, 2^63-1], got ${bigOf(low, high)} for a count of ${count}`);
    const section = this.#cache.sectionAt(uidLow, uidHigh);
    const isCurrent = section < 0 || this.memory.sawEpoch(section as SectionId, epoch);
    const isSame = high === floorHigh && low === floorLow;
    // The last number handed out may be the very one that was seen.
    const isAbove = high > floorHigh || (high === floorHigh && low > floorLow) || (isSame && count === 0);
    if (!isCurrent || !isAbove) {
      const uid = bigOf(uidLow, uidHigh);
      const why = isAbove ? '' : ' and not above what was seen';
      return new SeqError('UNAVAILABLE', `an answer of a former owner: for uid ${uid} it is in epoch ${epoch}${why}`, { definite: false });
    }
    // An upper bound is nothing that was handed out, so it is no floor for what comes; what was asked for is, whatever a server says of it.
    if (answer.isExact || count > 0) this.memory.sawSeq(uidLow, uidHigh, answer.lastLow, answer.lastHigh);
    return undefined;
  }

  /** A bad table must not cost the numbers that came with it. */
  absorbQuietly(address: string, routing: Routing): void {
    if (routing.routing === undefined && routing.routingDelta === undefined) return;
    try {
      this.absorb(routing);
    } catch (thrown) {
      if (!(thrown instanceof SeqError)) throw thrown;
      this.#events.onOutcome(address, thrown.with({ endpoint: address }));
    }
  }

  /** Throws PROTOCOL for a table that makes no sense. */
  absorb({ routing, routingDelta }: Routing): void {
    const previous = this.#cache.version;
    const absorbed = routing === undefined ? this.#absorbDelta(routingDelta) : this.#cache.absorb(parseTable(routing));
    if (routing !== undefined) this.#needsWhole = false;
    const { table } = this.#cache;
    if (!absorbed || table === undefined) return;
    this.memory.sawVersion(table.version);
    this.#onMoved();
    this.#events.onTable(table, previous);
  }

  #absorbDelta(wire: common.RoutingDelta | undefined): boolean {
    if (wire === undefined) return false;
    const absorbed = this.#cache.absorbDelta(parseDelta(wire));
    // Made for a table that is not in use any more, or never was: the next request asks for a whole one.
    if (absorbed === 'misfit') this.#needsWhole = true;
    return absorbed === true;
  }
}

/** Throws PROTOCOL unless the table is whole and every address in it can be dialled. */
function parseTable(wire: common.RoutingTable): RoutingTable {
  try {
    const table = tableFromWire(wire);
    for (const { address } of [...table.allocs, ...table.stores]) splitAddress(address);
    return table;
  } catch (cause) {
    if (!(cause instanceof SeqError)) throw cause;
    throw new SeqError('PROTOCOL', `a bad routing table: ${messageOf(cause)}`, { cause });
  }
}

/** Throws PROTOCOL unless every address in it can be dialled. */
function parseDelta(wire: common.RoutingDelta): RoutingDelta {
  try {
    const delta = deltaFromWire(wire);
    for (const { address } of [...delta.allocs, ...(delta.stores ?? [])]) splitAddress(address);
    return delta;
  } catch (cause) {
    if (!(cause instanceof SeqError)) throw cause;
    throw new SeqError('PROTOCOL', `a bad routing delta: ${messageOf(cause)}`, { cause });
  }
}
