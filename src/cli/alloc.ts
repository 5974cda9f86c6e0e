import { SeqError } from '../base/errors.js';
import { type AllocId, parseAllocId } from '../model/ids.js';
import { type GetArbiterResponse, PlacementServiceService as Placement } from '../rpc/gen/seqsvr/v1/placement.js';
import { ALLOC_COLUMNS, allocLine } from './alloc-lines.js';
import { askArbiter, reasonFor } from './arbiter.js';
import { printDryRun } from './dry-run.js';
import { EXIT } from './exit.js';
import { type MemberSession, type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { renderTable } from './table.js';
import { confirm } from './terminal.js';

export type AllocArgs = ConnectionArgs & { readonly name: string; readonly reason: string; readonly isDryRun: boolean };

/** `seqctl alloc list`: as the leader hears them. */
export function allocList(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => {
    const lines = (await askArbiter(finder)).allocs.map(allocLine);
    print(voices.output, args.output, { kind: 'AllocList', body: { allocs: lines }, table: renderTable(ALLOC_COLUMNS, lines, args.output) });
    return EXIT.ok;
  });
}

/** `seqctl alloc drain NAME`: waits until it owns nothing. Its process goes on, and gets nothing until it is resumed or restarted. */
export function allocDrain(args: AllocArgs & { readonly waits: boolean }, voices: Voices): Promise<number> {
  const name = parseAllocId(args.name);
  return withMembers(args, voices, async (session) => {
    if (args.isDryRun) {
      const { sectionCount } = found(await askArbiter(session.finder), name);
      return printDryRun(voices, args, {
        command: 'alloc drain',
        change: `this hands the ${sectionCount} sections of ${name} to others, with their exact counters`,
      });
    }
    await mark(session, { name, isOver: false, reason: reasonFor(`drain ${name}`, args.reason) });
    if (args.waits) await session.untilSeen(`the drain of ${name}`, async () => notYetEmpty(await askArbiter(session.finder), name));
    return printAlloc(session, voices, { args, kind: 'AllocDrained', name });
  });
}

/** `seqctl alloc resume NAME`: it may have sections again. */
export function allocResume(args: AllocArgs, voices: Voices): Promise<number> {
  const name = parseAllocId(args.name);
  return withMembers(args, voices, async (session) => {
    if (args.isDryRun) {
      const { state } = found(await askArbiter(session.finder), name);
      const change = state === 'draining' ? `${name} gets its share of sections again` : `nothing changes: ${name} is ${state}`;
      return printDryRun(voices, args, { command: 'alloc resume', change });
    }
    await mark(session, { name, isOver: true, reason: reasonFor(`resume ${name}`, args.reason) });
    return printAlloc(session, voices, { args, kind: 'AllocResumed', name });
  });
}

/** `seqctl alloc remove NAME`: for one that does not come back. What it still has waits for its lease. */
export function allocRemove(args: AllocArgs & { readonly isConfirmed: boolean }, voices: Voices): Promise<number> {
  const name = parseAllocId(args.name);
  return withMembers(args, voices, async (session) => {
    const { sectionCount, waitLeftMs } = found(await askArbiter(session.finder), name);
    const held =
      sectionCount === 0
        ? 'it has no sections'
        : `nobody serves its ${sectionCount} sections until its lease is over (in ${waitLeftMs}ms), and their counters jump; 'seqctl alloc drain ${name}' spares both`;
    const consequence = `this takes ${name} out of the set until it registers anew: ${held}`;
    if (args.isDryRun) return printDryRun(voices, args, { command: 'alloc remove', change: consequence });
    await confirm({ consequence, word: name, isConfirmed: args.isConfirmed, flag: '--yes' }, voices);
    const request = { allocId: name, reason: reasonFor(`remove ${name}`, args.reason) };
    await session.finder.callLeader((channel, options) => channel.call(Placement.removeAlloc, request, options));
    print(voices.output, args.output, { kind: 'AllocRemoved', body: { name, sections: sectionCount }, table: `${name} is removed\n` });
    return EXIT.ok;
  });
}

/** What keeps a draining AllocSvr from being empty, for people; undefined: nothing. Pure. */
export function notYetEmpty({ allocs, heldBackBy }: Pick<GetArbiterResponse, 'allocs' | 'heldBackBy'>, name: AllocId): string | undefined {
  const alloc = found({ allocs }, name);
  if (alloc.sectionCount === 0) return undefined;
  const word = `${name} still has ${alloc.sectionCount} sections`;
  if (alloc.state !== 'draining') return `${word}, and is ${alloc.state}: it was resumed or restarted in the meantime`;
  if (heldBackBy !== '') return `${word}, and the arbiter is held back: ${heldBackBy}`;
  const isTaker = allocs.some(({ id, state, waitLeftMs }) => id !== name && state === 'joined' && waitLeftMs > 0);
  return isTaker ? word : `${word}, and no other AllocSvr is there to take them`;
}

async function mark({ finder }: MemberSession, { name, isOver, reason }: { name: AllocId; isOver: boolean; reason: string }): Promise<void> {
  const request = { allocId: name, isOver, reason };
  await finder.callLeader((channel, options) => channel.call(Placement.drainAlloc, request, options));
}

async function printAlloc(
  session: MemberSession,
  { output }: Voices,
  what: { readonly args: AllocArgs; readonly kind: string; readonly name: AllocId },
) {
  const line = allocLine(found(await askArbiter(session.finder), what.name));
  print(output, what.args.output, { kind: what.kind, body: { alloc: line }, table: renderTable(ALLOC_COLUMNS, [line], what.args.output) });
  return EXIT.ok;
}

/** Throws INVALID_ARGUMENT with the names there are. */
function found({ allocs }: Pick<GetArbiterResponse, 'allocs'>, name: AllocId) {
  const alloc = allocs.find(({ id }) => id === name);
  if (alloc === undefined) {
    const names = allocs.map(({ id }) => id);
    throw new SeqError('INVALID_ARGUMENT', `no AllocSvr is called ${name}; there are ${names.length === 0 ? 'none' : names.join(', ')}`);
  }
  return alloc;
}
