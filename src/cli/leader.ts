import { SeqError } from '../base/errors.js';
import { parseName } from '../model/ids.js';
import { AdminServiceService as Admin, type ListMembersResponse } from '../rpc/gen/seqsvr/v1/admin.js';
import { printDryRun } from './dry-run.js';
import { EXIT } from './exit.js';
import { type MemberSession, type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { leaderOf } from './store-finder.js';
import { type Column, renderTable } from './table.js';

/** Between two searches, in ms. */
const SEARCH_PAUSE_MS = 200;

interface LeaderLine {
  readonly name: string;
  readonly id: number;
  readonly term: bigint;
  readonly address: string;
}

const COLUMNS: readonly Column<LeaderLine>[] = [
  { title: 'NAME', cell: ({ name }) => name },
  { title: 'ID', cell: ({ id }) => String(id) },
  { title: 'TERM', cell: ({ term }) => String(term) },
  { title: 'ADDRESS', cell: ({ address }) => address },
];

/** `seqctl leader show`: as the stores tell it, without a quorum. Throws UNAVAILABLE when none leads. */
export function leaderShow(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, (session) => show(session, voices, { args, kind: 'Leader' }));
}

/** `seqctl leader transfer [NAME]`: resolves once another one leads. */
export function leaderTransfer(
  args: ConnectionArgs & { readonly name: string | undefined; readonly isDryRun: boolean },
  voices: Voices,
): Promise<number> {
  const name = args.name === undefined ? '' : parseName(args.name, 'NAME');
  return withMembers(args, voices, async (session) => {
    const { finder } = session;
    if (args.isDryRun) return printDryRun(voices, args, { command: 'leader transfer', change: transferWords(await session.list(), name) });
    try {
      await finder.callLeader((channel, options) => channel.call(Admin.transferLeader, { name }, options));
    } catch (error) {
      // The answer may be lost while leadership moves: what counts is who leads now.
      const isThere = SeqError.is(error) && !error.definite && name !== '' && leaderOf(await finder.search())?.status.name === name;
      if (!isThere) throw error;
    }
    return show(session, voices, { args, kind: 'LeaderTransferred' });
  });
}

/** What it would come to. Throws INVALID_ARGUMENT for a name that cannot lead, with those that can. Pure. */
export function transferWords({ members, leaderId }: Pick<ListMembersResponse, 'members' | 'leaderId'>, name: string): string {
  const from = members.find(({ id }) => id === leaderId)?.name ?? 'nobody';
  const voters = members.filter(({ id, role, isActive }) => id !== leaderId && role === 'voter' && isActive);
  const furthest = [...voters].sort((one, other) => Number(other.matchIndex - one.matchIndex))[0];
  const to = name === '' ? furthest : voters.find((voter) => voter.name === name);
  if (name !== '' && name === from) return `nothing changes: ${name} leads already`;
  if (to === undefined) {
    const names = voters.map((voter) => voter.name).join(', ');
    throw new SeqError(
      'INVALID_ARGUMENT',
      `${name === '' ? 'nobody else can lead now' : `${name} cannot lead now`}; active voters besides ${from}: ${names === '' ? 'none' : names}`,
    );
  }
  return `${to.name} leads in the place of ${from}`;
}

async function show({ finder }: MemberSession, { output }: Voices, what: { readonly args: ConnectionArgs; readonly kind: string }): Promise<number> {
  let leader = leaderOf(await finder.search());
  // An election is over in a second or two.
  while (leader === undefined && finder.leftMs > 0) {
    await finder.pause(SEARCH_PAUSE_MS);
    if (finder.leftMs > 0) leader = leaderOf(await finder.search());
  }
  if (leader === undefined) throw new SeqError('UNAVAILABLE', 'no store that answers leads', { definite: true });
  const { nodeId, term, address } = leader.store;
  const line = { name: leader.status.name, id: nodeId, term, address };
  print(output, what.args.output, { kind: what.kind, body: line, table: renderTable(COLUMNS, [line], what.args.output) });
  return EXIT.ok;
}
