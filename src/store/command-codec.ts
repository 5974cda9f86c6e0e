import { unreachable } from '../base/assert.js';
import { messageOf, optional, SeqError } from '../base/errors.js';
import { parseAllocId, toSectionId } from '../model/ids.js';
import {
  callerFromWire,
  digestFromWire,
  digestToWire,
  epochFromWire,
  geometryFromWire,
  leaseTermsFromWire,
  leaseTermsToWire,
  numberFromWire,
  policyFromWire,
  policyToWire,
  seqFromWire,
  setMapFromWire,
  setMapToWire,
  versionFromWire,
  versionToWire,
} from '../rpc/codec.js';
import { Command as CommandMessage } from '../rpc/gen/seqsvr/v1/log.js';
import type { ReleasedRun as WireReleasedRun } from '../rpc/gen/seqsvr/v1/store.js';
import type { Command, Member, Motive, ReleasedRun } from './command.js';

export function encodeCommand(command: Command): Uint8Array {
  return CommandMessage.encode({ command: toWire(command) }).finish();
}

/** Throws PROTOCOL for a command that this program cannot read or does not know: the node must halt, for skipping would fork the state. */
export function decodeCommand(bytes: Uint8Array): Command {
  const { command } = decodedFromLog(CommandMessage, bytes);
  if (command === undefined) throw new SeqError('PROTOCOL', 'the log has a command that this version does not know; upgrade this node');
  return fromWire(command);
}

type Wire = NonNullable<CommandMessage['command']>;

function toWire(command: Command): Wire {
  switch (command.type) {
    case 'init': {
      const { clusterId, generation, geometry, lease, raiseBy, members } = command;
      return {
        $case: 'init',
        value: {
          clusterId,
          generation: BigInt(generation),
          geometry,
          lease: leaseTermsToWire(lease),
          raiseBy,
          members: members.map((member) => ({ ...member })),
        },
      };
    }
    case 'member': {
      const { id, name, nodeUuid, peerAddress, address } = command;
      return { $case: 'member', value: { id, name, nodeUuid, peerAddress, address } };
    }
    case 'register': {
      const { allocId, incarnation, address, zone } = command;
      return { $case: 'register', value: { allocId, incarnation, address, zone } };
    }
    case 'assign':
      return { $case: 'assign', value: decisionToWire(command) };
    case 'planMove':
      return { $case: 'planMove', value: decisionToWire(command) };
    case 'raise': {
      const { allocId, incarnation, raises } = command;
      return {
        $case: 'raise',
        value: { allocId, incarnation, raises: raises.map(({ section, epoch, to }) => ({ section, epoch: BigInt(epoch), to })) },
      };
    }
    case 'release': {
      const { allocId, incarnation, generation, releases } = command;
      return { $case: 'release', value: { allocId, incarnation, generation: BigInt(generation), releases: releases.map(releasedToWire) } };
    }
    case 'drain':
    case 'reportDeath': {
      const { type, allocId, incarnation } = command;
      return { $case: type, value: { allocId, incarnation, ...motiveToWire(command) } };
    }
    case 'resume':
    case 'removeAlloc':
      return { $case: command.type, value: { allocId: command.allocId, ...motiveToWire(command) } };
    case 'setPolicy':
      return { $case: 'setPolicy', value: { policy: policyToWire(command.policy), ...motiveToWire(command) } };
    case 'setLease':
      return { $case: 'setLease', value: { lease: leaseTermsToWire(command.lease), ...motiveToWire(command) } };
    case 'settleWait':
      return { $case: 'settleWait', value: { arbiterTerm: BigInt(command.arbiterTerm), leaseNumber: BigInt(command.leaseNumber) } };
    case 'setSets': {
      const { basedOn, sets, isCopy } = command;
      return { $case: 'setSets', value: { basedOn: BigInt(basedOn), sets: setMapToWire(sets), isCopy, ...motiveToWire(command) } };
    }
    default:
      return unreachable(command);
  }
}

function fromWire(wire: Wire): Command {
  switch (wire.$case) {
    case 'init': {
      const { clusterId, generation, geometry, lease, raiseBy, members } = wire.value;
      const terms = leaseTermsFromWire(lease);
      return {
        type: 'init',
        clusterId,
        generation: numberFromWire(generation, 'generation'),
        geometry: geometryFromWire(geometry),
        lease: terms,
        raiseBy: raiseByFromWire(raiseBy),
        members: members.map(memberFromWire),
      };
    }
    case 'member':
      return { type: 'member', ...memberFromWire(wire.value) };
    case 'register':
      return { type: 'register', ...callerFromWire(wire.value), address: wire.value.address, zone: wire.value.zone };
    case 'assign':
      return { type: 'assign', ...decisionFromWire(wire.value) };
    case 'planMove':
      return { type: 'planMove', ...decisionFromWire(wire.value) };
    case 'raise': {
      const raises = wire.value.raises.map(({ section, epoch, to }) => ({
        section: toSectionId(section),
        epoch: epochFromWire(epoch),
        to: seqFromWire(to),
      }));
      return { type: 'raise', ...callerFromWire(wire.value), raises };
    }
    case 'release': {
      const releases = wire.value.releases.map(releasedFromWire);
      return { type: 'release', ...callerFromWire(wire.value), generation: numberFromWire(wire.value.generation, 'generation'), releases };
    }
    case 'drain':
    case 'reportDeath':
      return { type: wire.$case, ...callerFromWire(wire.value), ...motiveFromWire(wire.value) };
    case 'resume':
    case 'removeAlloc':
      return { type: wire.$case, allocId: parseAllocId(wire.value.allocId), ...motiveFromWire(wire.value) };
    case 'setPolicy':
      return { type: 'setPolicy', policy: policyFromWire(wire.value.policy), ...motiveFromWire(wire.value) };
    case 'setLease':
      return { type: 'setLease', lease: leaseTermsFromWire(wire.value.lease), ...motiveFromWire(wire.value) };
    case 'settleWait': {
      const { arbiterTerm, leaseNumber } = wire.value;
      return {
        type: 'settleWait',
        arbiterTerm: numberFromWire(arbiterTerm, 'arbiter term'),
        leaseNumber: numberFromWire(leaseNumber, 'lease number'),
      };
    }
    case 'setSets': {
      const { basedOn, sets, isCopy } = wire.value;
      return {
        type: 'setSets',
        basedOn: numberFromWire(basedOn, 'set map version'),
        sets: setMapFromWire(sets),
        isCopy,
        ...motiveFromWire(wire.value),
      };
    }
    default:
      return unreachable(wire);
  }
}

type DecisionCommand = Extract<Command, { type: 'assign' | 'planMove' }>;

function decisionToWire(command: DecisionCommand) {
  const { arbiterTerm, basedOn, runs } = command;
  return { arbiterTerm: BigInt(arbiterTerm), basedOn: versionToWire(basedOn), runs: runs.map((run) => ({ ...run })), ...motiveToWire(command) };
}

function decisionFromWire(wire: Extract<Wire, { $case: 'assign' }>['value']): Omit<DecisionCommand, 'type'> {
  if (wire.basedOn === undefined) throw new SeqError('PROTOCOL', 'a decision in the log does not say what it is based on');
  return {
    arbiterTerm: numberFromWire(wire.arbiterTerm, 'arbiter term'),
    basedOn: versionFromWire(wire.basedOn),
    runs: wire.runs.map((run) => ({ ...callerFromWire(run), firstSection: toSectionId(run.firstSection), sectionCount: run.sectionCount })),
    ...motiveFromWire(wire),
  };
}

function motiveToWire({ reason, atMs }: Motive) {
  return { reason, atUnixMs: BigInt(Math.floor(atMs)) };
}

function motiveFromWire({ reason, atUnixMs }: { readonly reason: string; readonly atUnixMs: bigint }): Motive {
  return { reason, atMs: numberFromWire(atUnixMs, 'time') };
}

function releasedToWire({ firstSection, sectionCount, epoch, trueMax, digest }: ReleasedRun) {
  return { firstSection, sectionCount, epoch: BigInt(epoch), trueMax, digest: digestToWire(digest) };
}

function releasedFromWire(run: WireReleasedRun): ReleasedRun {
  return {
    firstSection: toSectionId(run.firstSection),
    sectionCount: run.sectionCount,
    epoch: epochFromWire(run.epoch),
    trueMax: seqFromWire(run.trueMax),
    ...optional('digest', digestFromWire(run.digest)),
  };
}

/** A message that an entry of the log carries. Throws PROTOCOL when the bytes are none. */
export function decodedFromLog<Message>(type: { decode(bytes: Uint8Array): Message }, bytes: Uint8Array): Message {
  try {
    return type.decode(bytes);
  } catch (cause) {
    throw new SeqError('PROTOCOL', `the log has an entry that is no message: ${messageOf(cause)}`, { cause });
  }
}

/** Also the first window of every grant, so a 0 would grant nothing for ever. */
function raiseByFromWire(value: bigint): bigint {
  const raiseBy = seqFromWire(value);
  if (raiseBy < 1n) throw new SeqError('PROTOCOL', `raiseBy must be at least 1, got ${raiseBy}`);
  return raiseBy;
}

export function memberFromWire({ id, name, nodeUuid, peerAddress, address }: Member): Member {
  return { id, name, nodeUuid, peerAddress, address };
}
