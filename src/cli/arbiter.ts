import { isoTime } from '../base/clock.js';
import { SeqError } from '../base/errors.js';
import type { Policy } from '../model/policy.js';
import { showVersion, type Version } from '../model/version.js';
import { leaseTermsFromWire, policyFromWire, policyToWire, versionFromWire } from '../rpc/codec.js';
import type { AuditRecord } from '../rpc/gen/seqsvr/v1/log.js';
import { type GetArbiterResponse, PlacementServiceService as Placement } from '../rpc/gen/seqsvr/v1/placement.js';
import { ALLOC_COLUMNS, allocLine } from './alloc-lines.js';
import { printDryRun } from './dry-run.js';
import { EXIT } from './exit.js';
import { type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { leaseText, policyText } from './policy-lines.js';
import { MOVE_COLUMNS, moveLine } from './section-lines.js';
import type { StoreFinder } from './store-finder.js';
import { type Column, renderTable } from './table.js';

/** One decision: one line of `seqctl arbiter history`. */
export interface HistoryLine {
  readonly number: bigint;
  /** By the wall clock of whoever proposed it. */
  readonly time: string;
  readonly term: bigint;
  readonly kind: string;
  readonly sections: number;
  readonly version: Version;
  readonly reason: string;
}

const HISTORY_COLUMNS: readonly Column<HistoryLine>[] = [
  { title: 'NUMBER', isWide: true, cell: ({ number }) => String(number) },
  { title: 'TIME', cell: ({ time }) => time },
  { title: 'TERM', cell: ({ term }) => String(term) },
  { title: 'KIND', cell: ({ kind }) => kind },
  { title: 'SECTIONS', cell: ({ sections }) => (sections === 0 ? '' : String(sections)) },
  { title: 'VERSION', cell: ({ version }) => showVersion(version) },
  { title: 'REASON', cell: ({ reason }) => reason },
];

/** `seqctl arbiter status`: what the leader sees, and what it would do now. */
export function arbiterStatus(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => {
    const answer = await askArbiter(finder);
    const { term, heldBackBy, unassignedCount, movingCount } = answer;
    const policy = policyFromWire(answer.policy);
    const lease = { ...leaseTermsFromWire(answer.lease), waitMs: answer.lease?.waitMs ?? 0 };
    const plan = answer.plan.map(moveLine);
    const allocs = answer.allocs.map(allocLine);
    const facts = [
      `term ${term}: ${heldBackBy === '' ? 'nothing holds it back' : `HELD BACK: ${heldBackBy}`}`,
      `${unassignedCount} sections without an owner, ${movingCount} on their way`,
      policyText(policy),
      leaseText(lease),
      '',
    ];
    const next = plan.length === 0 ? '' : `\nit would now do:\n${renderTable(MOVE_COLUMNS, plan, args.output)}`;
    const body = { term, heldBackBy, unassignedCount, movingCount, policy, lease, plan, allocs };
    print(voices.output, args.output, {
      kind: 'ArbiterStatus',
      body,
      table: `${facts.join('\n')}\n${renderTable(ALLOC_COLUMNS, allocs, args.output)}${next}`,
    });
    return EXIT.ok;
  });
}

/** `seqctl arbiter history`: the last decisions, oldest first. */
export function arbiterHistory(args: ConnectionArgs & { readonly limit: number }, voices: Voices): Promise<number> {
  if (args.limit < 1) throw new SeqError('INVALID_ARGUMENT', `--limit must be at least 1, got ${args.limit}`);
  return withMembers(args, voices, async ({ finder }) => {
    const { records } = await finder.callLeader((channel, options) => channel.call(Placement.getHistory, { limit: args.limit }, options));
    const lines = records.map(historyLine);
    print(voices.output, args.output, { kind: 'ArbiterHistory', body: { records: lines }, table: renderTable(HISTORY_COLUMNS, lines, args.output) });
    return EXIT.ok;
  });
}

/** `seqctl arbiter pause` and `resume`. */
export function arbiterPause(
  args: ConnectionArgs & { readonly isPaused: boolean; readonly reason: string; readonly isDryRun: boolean },
  voices: Voices,
): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => {
    const before = policyFromWire((await askArbiter(finder)).policy);
    const isNews = before.isPaused !== args.isPaused;
    if (args.isDryRun) {
      const [command, effect] = args.isPaused
        ? ['arbiter pause', 'nothing is given away any more, not even the sections of an AllocSvr that dies']
        : ['arbiter resume', 'what is to be done is done at once'];
      return printDryRun(voices, args, {
        command,
        change: isNews ? effect : `nothing changes: it is ${args.isPaused ? 'paused' : 'not paused'} already`,
      });
    }
    const policy = isNews
      ? await setPolicy(finder, { ...before, isPaused: args.isPaused }, reasonFor(args.isPaused ? 'pause' : 'resume', args.reason))
      : before;
    if (policy.isPaused)
      voices.output.talk("while it is paused nothing is given away, not even the sections of an AllocSvr that dies; 'seqctl arbiter resume' ends it");
    const word = policy.isPaused ? 'paused' : 'not paused';
    print(voices.output, args.output, { kind: 'Policy', body: { policy }, table: `the arbiter is ${word}${isNews ? '' : ', as before'}\n` });
    return EXIT.ok;
  });
}

export function askArbiter(finder: StoreFinder): Promise<GetArbiterResponse> {
  return finder.callLeader((channel, options) => channel.call(Placement.getArbiter, {}, options));
}

/** Returns it as committed. */
export async function setPolicy(finder: StoreFinder, policy: Policy, reason: string): Promise<Policy> {
  const request = { policy: policyToWire(policy), reason };
  const answer = await finder.callLeader((channel, options) => channel.call(Placement.setPolicy, request, options));
  return policyFromWire(answer.policy);
}

/** What was done, and why its operator did it. */
export function reasonFor(what: string, reason: string): string {
  return reason === '' ? `operator: ${what}` : `operator: ${what}: ${reason}`;
}

export function historyLine({ number, atUnixMs, term, kind, sectionCount, version, reason }: AuditRecord): HistoryLine {
  if (version === undefined) throw new SeqError('PROTOCOL', `decision ${number} without a version`);
  return { number, time: isoTime(Number(atUnixMs)), term, kind, sections: sectionCount, version: versionFromWire(version), reason };
}
