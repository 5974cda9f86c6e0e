import { optional, SeqError } from '../base/errors.js';
import { checkLeaseTerms, type LeaseTerms, waitMsOf } from '../model/lease.js';
import { parsePolicy, type Policy } from '../model/policy.js';
import { leaseTermsFromWire, policyFromWire } from '../rpc/codec.js';
import type { LeaseTerms as WireLease } from '../rpc/gen/seqsvr/v1/store.js';
import { PlacementServiceService as Placement } from '../rpc/gen/seqsvr/v1/placement.js';
import { askArbiter, reasonFor, setPolicy } from './arbiter.js';
import { parsePpm } from './config-fields.js';
import { formatDuration, parseDurationMs } from './duration.js';
import { EXIT } from './exit.js';
import { type Voices, withMembers } from './member-session.js';
import { type ConnectionArgs, parseWhole } from './options.js';
import { print } from './output.js';
import { type CommittedLease, leaseText, policyText } from './policy-lines.js';

/** What a command that changes a setting is told. */
interface ChangeArgs extends ConnectionArgs {
  /** Only show what it would be. */
  readonly isDryRun: boolean;
  readonly reason: string;
}

/** As the command line has them; undefined: it stays. */
export interface PolicyFlags {
  readonly placement: string | undefined;
  readonly standby: string | undefined;
  readonly moves: string | undefined;
  readonly silentShare: string | undefined;
}

/** As the command line has them; undefined: it stays. */
export interface LeaseFlags {
  readonly lease: string | undefined;
  readonly drift: string | undefined;
  readonly margin: string | undefined;
}

/** `seqctl policy show`. */
export function policyShow(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => printPolicy(voices, args, policyFromWire((await askArbiter(finder)).policy)));
}

/** `seqctl policy set`: what is not named stays. */
export function policySet(args: ChangeArgs & PolicyFlags, voices: Voices): Promise<number> {
  requireSome(
    args,
    'policy set',
    ['--placement', '--standby', '--moves', '--silent-share'],
    [args.placement, args.standby, args.moves, args.silentShare],
  );
  return withMembers(args, voices, async ({ finder }) => {
    const wanted = changedPolicy(policyFromWire((await askArbiter(finder)).policy), args);
    return printPolicy(voices, args, args.isDryRun ? wanted : await setPolicy(finder, wanted, reasonFor(policyText(wanted), args.reason)));
  });
}

/** `seqctl lease show`. */
export function leaseShow(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => printLease(voices, args, committed((await askArbiter(finder)).lease)));
}

/** `seqctl lease set`: what is not named stays. */
export function leaseSet(args: ChangeArgs & LeaseFlags, voices: Voices): Promise<number> {
  requireSome(args, 'lease set', ['--lease', '--drift', '--margin'], [args.lease, args.drift, args.margin]);
  return withMembers(args, voices, async ({ finder }) => {
    const before = committed((await askArbiter(finder)).lease);
    const wanted = changedLease(before, args);
    const waitMs = Math.max(before.waitMs, waitMsOf(wanted));
    if (args.isDryRun) return printLease(voices, args, { ...wanted, waitMs });
    const request = { lease: { ...wanted, waitMs }, reason: reasonFor(leaseText({ ...wanted, waitMs }), args.reason) };
    const answer = await finder.callLeader((channel, options) => channel.call(Placement.setLease, request, options));
    return printLease(voices, args, committed(answer.lease));
  });
}

/** The policy with what the flags say. Throws INVALID_ARGUMENT with the value and the rule. Pure. */
export function changedPolicy(before: Policy, { placement = before.placement, standby, moves, silentShare }: PolicyFlags): Policy {
  // Standbys go with the placement that has them.
  const kept = placement === 'primary-standby' ? before.standbys : [];
  const standbys = standby === undefined ? kept : standby.split(',').map((name) => name.trim());
  const percent = silentShare?.replace(/%$/, '');
  return parsePolicy({
    ...before,
    placement,
    standbys,
    ...optional('movesInFlightMax', moves === undefined ? undefined : parseWhole('--moves', moves)),
    ...optional('silentShareMaxPercent', percent === undefined ? undefined : parseWhole('--silent-share', percent)),
  });
}

/** The lease with what the flags say. Throws INVALID_ARGUMENT with the value and the rule. Pure. */
export function changedLease(before: LeaseTerms, { lease, drift, margin }: LeaseFlags): LeaseTerms {
  const terms: LeaseTerms = {
    leaseMs: lease === undefined ? before.leaseMs : parseDurationMs(lease),
    driftPpm: drift === undefined ? before.driftPpm : parsePpm(drift),
    marginMs: margin === undefined ? before.marginMs : parseDurationMs(margin),
  };
  checkLeaseTerms(terms);
  return terms;
}

function requireSome(args: ChangeArgs, command: string, names: readonly string[], values: readonly (string | undefined)[]): void {
  if (values.some((value) => value !== undefined)) return;
  throw new SeqError('INVALID_ARGUMENT', `${command} needs one of ${names.join(', ')}${args.isDryRun ? ' to try' : ''}, got none`);
}

function printPolicy({ output }: Voices, args: ConnectionArgs, policy: Policy): number {
  print(output, args.output, { kind: 'Policy', body: { policy }, table: `${policyText(policy)}\n` });
  return EXIT.ok;
}

function printLease({ output }: Voices, args: ConnectionArgs, lease: CommittedLease): number {
  print(output, args.output, { kind: 'Lease', body: { lease }, table: `${leaseText(lease)}\n` });
  const laterMs = waitMsOf(lease);
  if (laterMs < lease.waitMs) {
    output.talk(
      `leases of the former length may be out still: one leader waits ${formatDuration(lease.waitMs)} once, and ${formatDuration(laterMs)} from then on`,
    );
  }
  return EXIT.ok;
}

function committed(lease: WireLease | undefined): CommittedLease {
  return { ...leaseTermsFromWire(lease), waitMs: lease?.waitMs ?? 0 };
}
