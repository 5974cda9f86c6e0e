import type { AllocId } from '../model/ids.js';
import { primariesIn, type Situation, takersIn } from './situation.js';
import type { Candidate } from './view.js';

/**
 * Who takes over what `owner` can no longer serve; undefined: nobody owned it. Empty: nobody can.
 *
 * `balanced` (article, "Disaster 2.0"): everybody. `primary-standby` ("Disaster 1.0"): the article has one primary and one
 * cold standby, and one of the two has everything. With several of them each primary has one standby, which takes ALL
 * that a lost primary had; the other primaries get nothing more to do, for each is sized for its own. Only when no standby
 * lives they share it. Whatever else there is to give goes to the primaries as long as one lives.
 */
export function successorsOf(situation: Situation, owner: AllocId | undefined): readonly Candidate[] {
  const { policy } = situation.view;
  if (policy.placement === 'balanced') return takersIn(situation);
  const living = takersIn(situation);
  const isStandby = (id: AllocId): boolean => policy.standbys.includes(id);
  if (owner === undefined || isStandby(owner)) return idleOnesLast(situation);
  // It came back before anybody took over.
  const itself = living.filter(({ id }) => id === owner);
  if (itself.length > 0) return itself;
  const standbys = living.filter(({ id }) => isStandby(id));
  // By its place among the primaries: two that are lost together go to two standbys.
  const standby = standbys[Math.max(0, primariesIn(situation.view).indexOf(owner)) % Math.max(1, standbys.length)];
  return standby === undefined ? living : [standby];
}

/** For whatever is no takeover: under `primary-standby` standbys get nothing as long as a primary lives. */
export function idleOnesLast(situation: Situation): readonly Candidate[] {
  const { placement, standbys } = situation.view.policy;
  const living = takersIn(situation);
  if (placement === 'balanced') return living;
  const primaries = living.filter(({ id }) => !standbys.includes(id));
  // One switch and not several: one of them has everything.
  return primaries.length > 0 ? primaries : living.slice(0, 1);
}
