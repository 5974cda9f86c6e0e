import { SeqError } from '../base/errors.js';
import { splitAddress } from '../model/address.js';
import { parseName } from '../model/ids.js';
import type { SetEntry, SetMap } from '../model/sets.js';
import { setMapToWire } from '../rpc/codec.js';
import { PlacementServiceService as Placement } from '../rpc/gen/seqsvr/v1/placement.js';
import { reasonFor } from './arbiter.js';
import { EXIT } from './exit.js';
import { type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { mapOf, tableOf } from './set.js';
import { planSetAdd, refuseForeign, type SetChange } from './set-plan.js';
import { bestOf, type StoreFinder } from './store-finder.js';
import { type Column, renderTable } from './table.js';
import { confirm } from './terminal.js';

/** For one other set, in ms: one that cannot be reached must not use up the time of the rest. */
const SET_LIMIT_MS = 3_000;
/** Copies that are made at the same time. */
const COPIES_AT_ONCE = 16;
/** Attempts when somebody else changes the map at the same time. */
const ATTEMPTS_MAX = 3;
/** Addresses that a home set is entered with. */
const SEEDS_MAX = 16;

export interface SetAddArgs extends ConnectionArgs {
  readonly name: string;
  /** `host:port` of nodes of the new set, with commas. */
  readonly seeds: string;
  /** What the home set is to be called when there is no map yet. */
  readonly home: string;
  readonly isDryRun: boolean;
  readonly isConfirmed: boolean;
  readonly reason: string;
}

/** What became of one set's copy of the map. */
interface CopyLine {
  readonly name: string;
  /** decided: it is the home set; copied; unreachable, or whatever its refusal was. */
  readonly state: string;
  readonly error: string;
}

const COPY_COLUMNS: readonly Column<CopyLine>[] = [
  { title: 'SET', cell: ({ name }) => name },
  { title: 'MAP', cell: ({ state }) => state },
  { title: 'WHY', cell: ({ error }) => error },
];

/**
 * `seqctl set add NAME --seeds ...`: asks the new set who it is, lets the home set decide, and copies the map to every set.
 * Exit code 4 when a set could not be reached: its clients learn of the new one from other sets; repeated, it is completed.
 */
export function setAdd(args: SetAddArgs, voices: Voices): Promise<number> {
  const name = parseName(args.name, 'NAME');
  const home = parseName(args.home, '--home');
  const seeds = parseSeeds(args.seeds);
  return withMembers(args, voices, async (session) => {
    const { finder } = session;
    const added = await entryOf(finder.elsewhere(seeds, finder.leftMs), { name, seeds });
    const homeFinder = await findHome(finder);
    for (let attempt = 1; ; attempt += 1) {
      const change = await planned(homeFinder, { added, home, endpoints: args.endpoints });
      refuseForeign(await mapOf(finder.elsewhere(seeds, SET_LIMIT_MS)), { added, homeId: homeIdOf(change.map) });
      if (args.isDryRun) return printResult(voices, args, { map: change.map, copies: [] });
      if (change.type === 'commit') {
        if (!args.isConfirmed) voices.output.talk(tableOf(change.map).trimEnd());
        const consequence = `set ${name} gets uids ${added.firstUid}..${added.lastUid}: ranges never move, so this cannot be taken back`;
        await confirm({ consequence, word: name, isConfirmed: args.isConfirmed, flag: '--yes' }, voices);
        if (!(await isCommitted(homeFinder, change.map, { attempt, reason: reasonFor(`add set ${name}`, args.reason) }))) continue;
      }
      return printResult(voices, args, { map: change.map, copies: await copyToAll(finder, change.map) });
    }
  });
}

/** `host:port`, several with commas. Throws INVALID_ARGUMENT. */
export function parseSeeds(text: string): readonly string[] {
  const seeds = text.split(',').map((seed) => seed.trim());
  for (const seed of seeds) {
    if (splitAddress(seed).port === 0) throw new SeqError('INVALID_ARGUMENT', `a seed is host:port that clients can dial, got '${seed}'`);
  }
  return [...new Set(seeds)];
}

/** What a set says of itself. Throws UNAVAILABLE when none of its nodes knows. */
async function entryOf(finder: StoreFinder, { name, seeds }: { readonly name: string; readonly seeds: readonly string[] }): Promise<SetEntry> {
  const best = bestOf(await finder.search());
  const geometry = best?.store.geometry;
  if (best === undefined || geometry === undefined)
    throw new SeqError('UNAVAILABLE', `no store of set ${name} at ${seeds.join(', ')} is a member of a cluster yet`, { definite: true });
  return { name, firstUid: geometry.firstUid, lastUid: geometry.lastUid, seeds, clusterId: best.status.clusterId };
}

/** The set that decides: the one that was asked, unless its map names another. */
async function findHome(finder: StoreFinder): Promise<StoreFinder> {
  const { home, sets } = await mapOf(finder);
  const entry = sets.find(({ name }) => name === home);
  const asked = bestOf(await finder.search())?.status.clusterId;
  return entry === undefined || entry.clusterId === asked ? finder : finder.elsewhere(entry.seeds, finder.leftMs);
}

async function planned(
  homeFinder: StoreFinder,
  { added, home, endpoints }: { readonly added: SetEntry; readonly home: string; readonly endpoints: readonly string[] },
): Promise<SetChange> {
  const before = await mapOf(homeFinder);
  const stores = (await homeFinder.search()).flatMap(({ store }) => store.members.map(({ address }) => address));
  const seeds = [...new Set(stores.length > 0 ? stores : endpoints)].slice(0, SEEDS_MAX);
  return planSetAdd(before, { added, home: await entryOf(homeFinder, { name: home, seeds }) });
}

/** False when somebody else was faster: then it is planned anew. */
async function isCommitted(
  homeFinder: StoreFinder,
  map: SetMap,
  { attempt, reason }: { readonly attempt: number; readonly reason: string },
): Promise<boolean> {
  const request = { basedOn: BigInt(map.version - 1), sets: setMapToWire(map), isCopy: false, reason };
  try {
    await homeFinder.callLeader((channel, options) => channel.call(Placement.setSets, request, options));
    return true;
  } catch (error) {
    if (!SeqError.is(error, 'ABORTED') || !error.definite || attempt >= ATTEMPTS_MAX) throw error;
    return false;
  }
}

/** Every set but the home set gets a copy; who cannot be reached is told, not waited for. */
async function copyToAll(finder: StoreFinder, map: SetMap): Promise<CopyLine[]> {
  const lines: CopyLine[] = [];
  for (let from = 0; from < map.sets.length; from += COPIES_AT_ONCE) {
    lines.push(...(await Promise.all(map.sets.slice(from, from + COPIES_AT_ONCE).map((set) => copyTo(finder, map, set)))));
  }
  return lines;
}

async function copyTo(finder: StoreFinder, map: SetMap, { name, seeds }: SetEntry): Promise<CopyLine> {
  if (name === map.home) return { name, state: 'decided', error: '' };
  const request = { basedOn: 0n, sets: setMapToWire(map), isCopy: true, reason: `copy of version ${map.version} of ${map.home}` };
  try {
    await finder.elsewhere(seeds, SET_LIMIT_MS).callLeader((channel, options) => channel.call(Placement.setSets, request, options));
    return { name, state: 'copied', error: '' };
  } catch (error) {
    if (!SeqError.is(error)) throw error;
    return { name, state: error.retryable ? 'unreachable' : 'refused', error: error.message };
  }
}

function printResult({ output }: Voices, args: SetAddArgs, { map, copies }: { readonly map: SetMap; readonly copies: readonly CopyLine[] }): number {
  const table = copies.length === 0 ? tableOf(map) : `${tableOf(map)}\n${renderTable(COPY_COLUMNS, copies)}`;
  print(output, args.output, { kind: args.isDryRun ? 'SetMapPlanned' : 'SetAdded', body: { ...map, copies }, table });
  const missing = copies.filter(({ state }) => state !== 'decided' && state !== 'copied');
  if (missing.length === 0) return EXIT.ok;
  output.talk(`${missing.map(({ name }) => name).join(', ')} has no copy of it yet: run the same command again to complete it`);
  return EXIT.unhealthy;
}

function homeIdOf({ home, sets }: SetMap): string {
  return sets.find(({ name }) => name === home)?.clusterId ?? '';
}
