import { SeqError } from '../base/errors.js';
import { checkSetChange, parseSetMap, type SetEntry, type SetMap } from '../model/sets.js';

export type SetChange =
  /** The home set has to commit this one. */
  | { readonly type: 'commit'; readonly map: SetMap }
  /** It is in the map as it is: only copies may be missing. */
  | { readonly type: 'copyOnly'; readonly map: SetMap };

/**
 * The map with one more set, or with new seeds of one that it has. `home` is the set that decides, under the name that it
 * gets when there is no map yet. Throws INVALID_ARGUMENT with the value and the rule. Pure.
 */
export function planSetAdd(before: SetMap, { added, home }: { readonly added: SetEntry; readonly home: SetEntry }): SetChange {
  if (before.version === 0) {
    if (added.clusterId === home.clusterId)
      throw invalid(`the set at ${added.seeds.join(', ')} is the home set itself: --endpoints names the home set, --seeds another one`);
    return { type: 'commit', map: parseSetMap({ version: 1, home: home.name, sets: [home, added] }) };
  }
  const known = before.sets.find(({ name }) => name === added.name);
  if (known !== undefined && isSame(known, added)) return { type: 'copyOnly', map: before };
  const others = before.sets.filter(({ name }) => name !== added.name);
  const map = parseSetMap({ version: before.version + 1, home: before.home, sets: [...others, added] });
  checkSetChange(before, map);
  return { type: 'commit', map };
}

/** Throws INVALID_ARGUMENT when a set takes its word from another home set already. Pure. */
export function refuseForeign(own: SetMap, { added, homeId }: { readonly added: SetEntry; readonly homeId: string }): void {
  const home = own.sets.find(({ name }) => name === own.home);
  if (home === undefined || home.clusterId === homeId) return;
  throw invalid(`${added.name} belongs to another map already: its home set is ${own.home}, cluster ${home.clusterId}`);
}

function isSame(one: SetEntry, other: SetEntry): boolean {
  const text = ({ firstUid, lastUid, clusterId, seeds }: SetEntry): string => `${firstUid} ${lastUid} ${clusterId} ${[...seeds].sort().join(' ')}`;
  return text(one) === text(other);
}

function invalid(message: string): SeqError {
  return new SeqError('INVALID_ARGUMENT', message);
}
