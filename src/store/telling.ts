import type { Observer } from '../base/observe.js';
import { sectionCountOf } from '../model/geometry.js';
import { showVersion, type Version } from '../model/version.js';
import type { Command } from './command.js';
import type { StoreEvent } from './events.js';
import type { MembershipChange } from './membership-change.js';
import type { AppliedEntry } from './replica.js';
import type { Result } from './state-machine.js';

/** Says what an applied entry did, to whoever reads the events. `version`: of the state after it. */
export function tell(applied: Exclude<AppliedEntry, { type: 'restored' }>, version: Version, observe: Observer<StoreEvent>): void {
  const { result } = applied;
  const type = applied.type === 'command' ? applied.command.type : applied.change.type;
  if (result.type === 'refused') return observe({ type: 'commandRefused', command: type, code: result.code, why: result.why });
  if (applied.type === 'membership') tellChange(applied.change, observe);
  else tellCommand(applied.command, result, { version: showVersion(version), observe });
}

function tellChange(change: MembershipChange, observe: Observer<StoreEvent>): void {
  if (change.type === 'add') {
    const { id, name, nodeUuid } = change.member;
    observe({ type: 'memberAdded', nodeId: id, name, nodeUuid });
  }
  if (change.type === 'promote') observe({ type: 'memberPromoted', nodeId: change.id });
  if (change.type === 'replace') observe({ type: 'memberReplacing', nodeId: change.id, oldId: change.oldId });
  if (change.type === 'remove') observe({ type: 'memberRemoved', nodeId: change.id });
}

function tellCommand(
  command: Command,
  result: Result,
  { version, observe }: { readonly version: string; readonly observe: Observer<StoreEvent> },
): void {
  if (command.type === 'init') observe({ type: 'initialised', clusterId: command.clusterId, sectionCount: sectionCountOf(command.geometry) });
  if (command.type === 'register')
    observe({ type: 'allocRegistered', allocId: command.allocId, incarnation: command.incarnation, address: command.address });
  if (command.type === 'assign' && result.type === 'decided')
    observe({ type: 'sectionsAssigned', sectionCount: result.sectionCount, reason: command.reason, version });
  if (command.type === 'planMove' && result.type === 'decided')
    observe({ type: 'movePlanned', sectionCount: result.sectionCount, reason: command.reason, version });
  if (command.type === 'member') observe({ type: 'memberKnown', nodeId: command.id, nodeUuid: command.nodeUuid, peerAddress: command.peerAddress });
  if (command.type === 'drain') observe({ type: 'allocDraining', allocId: command.allocId, incarnation: command.incarnation });
  if (command.type === 'release' && result.type === 'released')
    observe({ type: 'sectionsReleased', allocId: command.allocId, releasedCount: result.releasedCount, refusedCount: result.refusedCount });
}
