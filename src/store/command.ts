import { unreachable } from '../base/assert.js';
import { SeqError } from '../base/errors.js';
import type { Geometry } from '../model/geometry.js';
import { type AllocId, type Epoch, type Incarnation, type SectionId, type Seq, toSectionId } from '../model/ids.js';
import type { LeaseTerms } from '../model/lease.js';
import type { Version } from '../model/version.js';
import {
  callerFromWire,
  epochFromWire,
  geometryFromWire,
  leaseTermsFromWire,
  numberFromWire,
  seqFromWire,
  versionFromWire,
  versionToWire,
} from '../rpc/codec.js';
import { Command as CommandMessage } from '../rpc/gen/seqsvr/v1/log.js';

/** Who asks: an AllocSvr, and which run of it. */
export interface Caller {
  readonly allocId: AllocId;
  readonly incarnation: Incarnation;
}

export interface AssignedRun extends Caller {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
}

/** One section's raise. */
export interface RaiseItem {
  readonly section: SectionId;
  readonly epoch: Epoch;
  /** The wanted maxSeq; what is already there or above stays. */
  readonly to: Seq;
}

/** Neighbouring sections of one epoch with one true maximum. */
export interface ReleasedRun {
  readonly firstSection: SectionId;
  readonly sectionCount: number;
  readonly epoch: Epoch;
  /** base <= trueMax <= maxSeq. */
  readonly trueMax: Seq;
}

export interface Member {
  readonly id: number;
  readonly name: string;
  readonly nodeUuid: string;
  readonly peerAddress: string;
  readonly address: string;
}

/** Guards of everything that the arbiter decides: refused unless both still hold when the entry is applied. */
interface Decision {
  /** The term of the leader that decided; it must be the term of the entry. */
  readonly arbiterTerm: number;
  readonly basedOn: Version;
  readonly runs: readonly AssignedRun[];
  /** Why, for whoever reads the log. */
  readonly reason: string;
}

/** What the Raft log carries (DESIGN 3.1). */
export type Command =
  | {
      readonly type: 'init';
      readonly clusterId: string;
      readonly generation: number;
      readonly geometry: Geometry;
      readonly lease: LeaseTerms;
      readonly raiseBy: bigint;
      /** Every member, each with the data directory that speaks for it from now on. */
      readonly members: readonly Member[];
    }
  | ({ readonly type: 'member' } & Member)
  | ({ readonly type: 'register'; readonly address: string; readonly zone: string } & Caller)
  | ({ readonly type: 'assign' } & Decision)
  | ({ readonly type: 'raise'; readonly raises: readonly RaiseItem[] } & Caller)
  | ({ readonly type: 'planMove' } & Decision)
  | ({ readonly type: 'release'; readonly generation: number; readonly releases: readonly ReleasedRun[] } & Caller)
  | ({ readonly type: 'drain' } & Caller);

export function encodeCommand(command: Command): Uint8Array {
  return CommandMessage.encode({ command: toWire(command) }).finish();
}

/** Throws PROTOCOL for a command that this program does not know: the node must halt, for skipping would fork the state. */
export function decodeCommand(bytes: Uint8Array): Command {
  const { command } = CommandMessage.decode(bytes);
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
        value: { clusterId, generation: BigInt(generation), geometry, lease, raiseBy, members: members.map((member) => ({ ...member })) },
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
      const runs = releases.map((run) => ({ ...run, epoch: BigInt(run.epoch) }));
      return { $case: 'release', value: { allocId, incarnation, generation: BigInt(generation), releases: runs } };
    }
    case 'drain': {
      const { allocId, incarnation } = command;
      return { $case: 'drain', value: { allocId, incarnation } };
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
      const releases = wire.value.releases.map((run) => ({
        firstSection: toSectionId(run.firstSection),
        sectionCount: run.sectionCount,
        epoch: epochFromWire(run.epoch),
        trueMax: seqFromWire(run.trueMax),
      }));
      return { type: 'release', ...callerFromWire(wire.value), generation: numberFromWire(wire.value.generation, 'generation'), releases };
    }
    case 'drain':
      return { type: 'drain', ...callerFromWire(wire.value) };
    default:
      return unreachable(wire);
  }
}

function decisionToWire({ arbiterTerm, basedOn, runs, reason }: Decision) {
  return { arbiterTerm: BigInt(arbiterTerm), basedOn: versionToWire(basedOn), runs: runs.map((run) => ({ ...run })), reason };
}

function decisionFromWire(wire: ReturnType<typeof decisionToWire> | (Wire & { $case: 'assign' })['value']): Decision {
  if (wire.basedOn === undefined) throw new SeqError('PROTOCOL', 'a decision in the log does not say what it is based on');
  return {
    arbiterTerm: numberFromWire(wire.arbiterTerm, 'arbiter term'),
    basedOn: versionFromWire(wire.basedOn),
    runs: wire.runs.map((run) => ({ ...callerFromWire(run), firstSection: toSectionId(run.firstSection), sectionCount: run.sectionCount })),
    reason: wire.reason,
  };
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
