import { SeqError } from '../base/errors.js';
import { contains } from '../model/geometry.js';
import type { Uid } from '../model/ids.js';
import { NO_SETS, type SetEntry, type SetMap, setOf } from '../model/sets.js';
import { needTable, persist } from './call.js';
import type { CallScope } from './call-scope.js';
import type { ClientConfig } from './options.js';
import { SetLink, type LinkEvents } from './set-link.js';

/** A uid that is in no set known so far makes the client ask for a newer map at most this often, in ms. */
const MAP_REFRESH_EVERY_MS = 1_000;

/**
 * All sets that a client reaches from its endpoints. The endpoints are nodes of one set, its home; the map that every set keeps
 * leads to the others. A client whose cluster has one set only never needs the map.
 */
export class SetLinks {
  readonly #config: ClientConfig;
  readonly #events: LinkEvents;
  readonly home: SetLink;
  readonly #others = new Map<string, SetLink>();
  #map: SetMap = NO_SETS;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(config: ClientConfig, events: Omit<LinkEvents, 'onSets'>) {
    this.#config = config;
    this.#events = { ...events, onSets: (sets) => this.#onSets(sets) };
    this.home = this.#link(config.endpoints);
  }

  get map(): SetMap {
    return this.#map;
  }

  /** The links that there are, the home first. */
  get all(): readonly SetLink[] {
    return [this.home, ...this.#others.values()];
  }

  /**
   * The link to the uid's set, once the client knows of it. Throws INVALID_ARGUMENT when the uid is in no set, and what needTable
   * throws while the home has told nothing yet.
   */
  async linkOf(uid: Uid, scope: CallScope): Promise<SetLink> {
    const known = this.find(uid);
    if (known !== undefined) return known;
    await persist(this.home.way, scope, () => needTable(this.home.way, scope));
    const found = this.find(uid);
    if (found !== undefined) return found;
    await this.#refreshMap(scope);
    return this.find(uid) ?? this.#refuse(uid);
  }

  /** As far as the client knows now; undefined: it does not know, or the uid is in no set. */
  find(uid: Uid): SetLink | undefined {
    const { table } = this.home.cache;
    if (table !== undefined && contains(table.geometry, uid)) return this.home;
    const entry = setOf(this.#map, uid);
    return entry === undefined ? undefined : this.#linkTo(entry);
  }

  close(): void {
    for (const link of this.all) link.close();
  }

  #refuse(uid: Uid): never {
    const { table } = this.home.cache;
    const sets = this.#map.sets.map(({ name, firstUid, lastUid }) => `${name} [${firstUid}, ${lastUid}]`);
    if (sets.length > 0) throw new SeqError('INVALID_ARGUMENT', `uid must be in one of the sets, ${sets.slice(0, 10).join(', ')}, got ${uid}`);
    // In the words that the only set there is has for it.
    throw new SeqError(
      'INVALID_ARGUMENT',
      `uid must be in this cluster's range [${table?.geometry.firstUid}, ${table?.geometry.lastUid}], got ${uid}`,
    );
  }

  /** One fetch at a time, and not for every uid that somebody mistyped. */
  async #refreshMap(scope: CallScope): Promise<void> {
    const nowMs = this.#config.clock.nowMs();
    if (nowMs - this.#refreshedAtMs < MAP_REFRESH_EVERY_MS) return;
    this.#refreshedAtMs = nowMs;
    await scope.wait(this.home.way.route.refresh());
  }

  #linkTo(entry: SetEntry): SetLink {
    let link = this.#others.get(entry.name);
    if (link === undefined) {
      link = this.#link(entry.seeds);
      this.#others.set(entry.name, link);
    }
    return link;
  }

  #link(seeds: readonly string[]): SetLink {
    return new SetLink({ seeds, config: this.#config, setsVersion: () => this.#map.version, events: this.#events });
  }

  /** Any set may tell a newer map. Sets never move, so what is open stays right; only its seeds may be others. */
  #onSets(sets: SetMap): void {
    if (sets.version <= this.#map.version) return;
    this.#map = sets;
    for (const { name, seeds } of sets.sets) {
      const link = this.#others.get(name);
      if (link !== undefined) link.seeds = seeds;
    }
  }
}
