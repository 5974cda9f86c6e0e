import { SeqError } from '../base/errors.js';
import { sectionCountOf } from '../model/geometry.js';
import { parseAllocId } from '../model/ids.js';
import { showVersion } from '../model/version.js';
import { geometryFromWire, versionFromWire } from '../rpc/codec.js';
import { type ListSectionsResponse, type PlannedMove, PlacementServiceService as Placement } from '../rpc/gen/seqsvr/v1/placement.js';
import { EXIT } from './exit.js';
import { type MemberSession, type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { MOVE_COLUMNS, type MoveLine, moveLine, parseSectionRun, progressOf, SECTION_COLUMNS, sectionLine } from './section-lines.js';
import type { StoreFinder } from './store-finder.js';
import { renderTable } from './table.js';
import { confirm } from './terminal.js';

/** Between two looks at sections on their way, in ms: a move takes a few commits. */
const LOOK_EVERY_MS = 50;

/** What a command that moves sections is told. */
export interface MoveArgs extends ConnectionArgs {
  /** Only show what would be moved. */
  readonly isPlan: boolean;
  readonly isConfirmed: boolean;
  readonly waits: boolean;
  readonly reason: string;
}

/** `seqctl section list [--alloc A]`: as the leader has them. */
export function sectionList(args: ConnectionArgs & { readonly alloc: string | undefined }, voices: Voices): Promise<number> {
  const allocId = args.alloc === undefined ? '' : parseAllocId(args.alloc);
  return withMembers(args, voices, async ({ finder }) => {
    const { version, geometry, lines } = seen(await listSections(finder, allocId));
    const head = `routing version ${showVersion(version)}\n\n`;
    print(voices.output, args.output, {
      kind: 'SectionList',
      body: { version, geometry, sections: lines },
      table: head + renderTable(SECTION_COLUMNS, lines, args.output),
    });
    return EXIT.ok;
  });
}

/** `seqctl section show ID`. */
export function sectionShow(args: ConnectionArgs & { readonly section: string }, voices: Voices): Promise<number> {
  const { firstSection: id, sectionCount } = parseSectionRun(args.section);
  if (sectionCount !== 1) throw new SeqError('INVALID_ARGUMENT', `section show takes one section, got ${args.section}`);
  return withMembers(args, voices, async ({ finder }) => {
    const { geometry, lines, sections } = seen(await listSections(finder, ''));
    const at = lines.findIndex(({ firstSection, lastSection }) => firstSection <= id && id <= lastSection);
    const run = sections[at];
    if (run === undefined)
      throw new SeqError('INVALID_ARGUMENT', `section ${id} is not one of this set, which has 0..${sectionCountOf(geometry) - 1}`);
    const line = sectionLine({ ...run, firstSection: id, sectionCount: 1 }, geometry);
    print(voices.output, args.output, { kind: 'Section', body: { section: line }, table: renderTable(SECTION_COLUMNS, [line], args.output) });
    return EXIT.ok;
  });
}

/** `seqctl section move ID[..ID] --to ALLOC`: shows what it is about to do, and waits until it is done. */
export function sectionMove(args: MoveArgs & { readonly sections: string; readonly to: string }, voices: Voices): Promise<number> {
  const request = { ...parseSectionRun(args.sections), toAllocId: parseAllocId(args.to), reason: args.reason };
  return withMembers(args, voices, (session) =>
    plannedMoves(session, voices, {
      args,
      word: request.toAllocId,
      nothing: `nothing to move: ${request.toAllocId} has all of them`,
      ask: (isDryRun) => session.finder.callLeader((channel, options) => channel.call(Placement.moveSections, { ...request, isDryRun }, options)),
    }),
  );
}

/** `seqctl section rebalance`: as many as may be on their way at once; the arbiter goes on with the rest by itself. */
export function sectionRebalance(args: MoveArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, (session) =>
    plannedMoves(session, voices, {
      args,
      word: 'rebalance',
      nothing: 'nothing to move: the sections are spread evenly',
      ask: (isDryRun) =>
        session.finder.callLeader((channel, options) => channel.call(Placement.rebalance, { isDryRun, reason: args.reason }, options)),
    }),
  );
}

interface Moving {
  readonly args: MoveArgs;
  /** To be typed back. */
  readonly word: string;
  /** What to say when there is nothing to do. */
  readonly nothing: string;
  readonly ask: (isDryRun: boolean) => Promise<{ readonly moves: readonly PlannedMove[] }>;
}

/** Shows what the arbiter would do, asks, lets it be done, and waits until the sections are where they were to go. */
async function plannedMoves(session: MemberSession, voices: Voices, { args, word, nothing, ask }: Moving): Promise<number> {
  const planned = (await ask(true)).moves.map(moveLine);
  if (args.isPlan || planned.length === 0) {
    if (planned.length === 0) voices.output.talk(nothing);
    return printMoves(voices, args, { state: args.isPlan ? 'planned' : 'done', moves: planned });
  }
  const count = planned.reduce((sum, { sectionCount }) => sum + sectionCount, 0);
  if (!args.isConfirmed) voices.output.talk(renderTable(MOVE_COLUMNS, planned).trimEnd());
  const consequence = `this moves ${count} sections with their counters: no call fails, no number is skipped`;
  await confirm({ consequence, word, isConfirmed: args.isConfirmed, flag: '--yes' }, voices);
  const moves = (await ask(false)).moves.map(moveLine);
  if (args.waits) await untilMoved(session, moves);
  return printMoves(voices, args, { state: args.waits ? 'done' : 'begun', moves });
}

function printMoves(
  { output }: Voices,
  args: MoveArgs,
  body: { readonly state: 'planned' | 'begun' | 'done'; readonly moves: readonly MoveLine[] },
): number {
  print(output, args.output, { kind: 'SectionMoves', body, table: renderTable(MOVE_COLUMNS, body.moves, args.output) });
  return EXIT.ok;
}

/** Throws UNAVAILABLE when moves were called off, TIMEOUT when they take longer than the command may. */
async function untilMoved(session: MemberSession, moves: readonly MoveLine[]): Promise<void> {
  let failure: string | undefined;
  const look = async (): Promise<string | undefined> => {
    const { total, done, underWay } = progressOf(moves, (await listSections(session.finder, '')).sections);
    if (done === total) return undefined;
    const word = `${done} of ${total} sections have moved`;
    if (done + underWay === total) return word;
    failure = `${word}; ${total - done - underWay} were called off, or given to somebody else: 'seqctl arbiter history' says why`;
    return undefined;
  };
  await session.untilSeen('moving the sections', look, LOOK_EVERY_MS);
  if (failure !== undefined) throw new SeqError('UNAVAILABLE', failure, { definite: true });
}

function listSections(finder: StoreFinder, allocId: string): Promise<ListSectionsResponse> {
  return finder.callLeader((channel, options) => channel.call(Placement.listSections, { allocId }, options));
}

function seen({ sections, version, geometry }: ListSectionsResponse) {
  if (version === undefined) throw new SeqError('PROTOCOL', 'a list of sections without a version');
  const cut = geometryFromWire(geometry);
  return { version: versionFromWire(version), geometry: cut, sections, lines: sections.map((section) => sectionLine(section, cut)) };
}
