import { SeqError } from '../base/errors.js';
import { isWildcard, splitAddress } from '../model/address.js';
import { parseName } from '../model/ids.js';
import { AdminServiceService as Admin, type StoreMember } from '../rpc/gen/seqsvr/v1/admin.js';
import { printDryRun } from './dry-run.js';
import { EXIT } from './exit.js';
import { askJoiner, type Joiner } from './joiner.js';
import { MEMBER_COLUMNS, memberLine } from './member-lines.js';
import { type MemberSession, type Voices, withMembers } from './member-session.js';
import type { ConnectionArgs } from './options.js';
import { print } from './output.js';
import { bestOf, leaderOf } from './store-finder.js';
import { renderTable } from './table.js';
import { confirm } from './terminal.js';

export type MemberArgs = ConnectionArgs & { readonly name: string; readonly isDryRun: boolean };

/** `seqctl member list`. Also without a leader: then as the store has it that has applied most. */
export function memberList(args: ConnectionArgs, voices: Voices): Promise<number> {
  return withMembers(args, voices, async ({ finder }) => {
    const stores = await finder.search();
    const best = bestOf(stores);
    if (best === undefined) throw new SeqError('UNAVAILABLE', 'no store that answers is a member of a cluster', { definite: true });
    const leader = leaderOf(stores);
    const lines = await Promise.all(
      best.store.members.map(async (member) => {
        const status = stores.find(({ address }) => address === member.address)?.status ?? (await finder.statusAt(member.address));
        return memberLine(member, status, leader?.store.nodeId);
      }),
    );
    const body = {
      clusterId: best.status.clusterId,
      leader: lines.find(({ role }) => role === 'leader')?.name ?? '',
      term: best.store.term,
      appliedIndex: best.store.appliedIndex,
      members: lines,
    };
    print(voices.output, args.output, { kind: 'MemberList', body, table: renderTable(MEMBER_COLUMNS, lines, args.output) });
    if (leader === undefined) voices.output.talk(`no store leads: these are the members as ${best.status.name} had them`);
    return EXIT.ok;
  });
}

/** `seqctl member add NAME ADDR`: waits until it votes, unless it is to stay a learner. */
export function memberAdd(
  args: MemberArgs & { readonly address: string; readonly isLearner: boolean; readonly waits: boolean },
  voices: Voices,
): Promise<number> {
  const name = parseName(args.name, 'NAME');
  const address = parseTarget(args.address, 'ADDR');
  return withMembers(args, voices, async (session) => {
    const clusterId = await session.clusterId();
    const joiner = await askJoiner(session, { name, address, clusterId });
    const isJoiner = ({ nodeUuid }: StoreMember): boolean => nodeUuid === joiner.nodeUuid;
    const request = { ...joiner, isLearner: args.isLearner, replacesId: 0 };
    if (args.isDryRun) return printDryRun(voices, args, { command: 'member add', change: addWords(joiner, args.isLearner) });
    // Repeated, the command takes up where it was.
    if (!(await session.list()).members.some(isJoiner)) {
      await session.change(
        (channel, options) => channel.call(Admin.addMember, request, options),
        (members) => members.some(isJoiner),
      );
    }
    if (args.waits && !args.isLearner) await session.until(`the promotion of ${name}`, (members) => notYetVoter(members.find(isJoiner), name));
    return printMember(session, voices, { args, kind: 'MemberAdded', is: isJoiner });
  });
}

/** `seqctl member promote NAME`. */
export function memberPromote(args: MemberArgs, voices: Voices): Promise<number> {
  const name = parseName(args.name, 'NAME');
  return withMembers(args, voices, async (session) => {
    const isIt = (member: StoreMember): boolean => member.name === name;
    if (args.isDryRun) return printDryRun(voices, args, { command: 'member promote', change: promoteWords(await session.member(name)) });
    await session.change(
      (channel, options) => channel.call(Admin.promoteMember, { name }, options),
      (members) => members.find(isIt)?.role === 'voter',
    );
    return printMember(session, voices, { args, kind: 'MemberPromoted', is: isIt });
  });
}

/** `seqctl member remove NAME`: waits until it is out. */
export function memberRemove(args: MemberArgs & { readonly waits: boolean; readonly isConfirmed: boolean }, voices: Voices): Promise<number> {
  const name = parseName(args.name, 'NAME');
  return withMembers(args, voices, async (session) => {
    const { id, nodeUuid } = await session.member(name);
    const consequence = `this removes ${name} (id ${id}) for good: its data directory never counts again, and its process ends`;
    if (args.isDryRun) return printDryRun(voices, args, { command: 'member remove', change: consequence });
    await confirm({ consequence, word: name, isConfirmed: args.isConfirmed, flag: '--yes' }, voices);
    const isOut = (members: readonly StoreMember[]): boolean => members.every((member) => member.id !== id);
    await session.change((channel, options) => channel.call(Admin.removeMember, { name }, options), isOut);
    if (args.waits) await session.until(`the removal of ${name}`, (members) => (isOut(members) ? undefined : `${name} is still leaving`));
    print(voices.output, args.output, { kind: 'MemberRemoved', body: { member: { name, id, nodeUuid } }, table: `${name} (id ${id}) is removed\n` });
    return EXIT.ok;
  });
}

/** `seqctl member update NAME`: where it is reached; its process has to listen there already, or soon. */
export function memberUpdate(
  args: MemberArgs & { readonly peerAddress: string | undefined; readonly address: string | undefined },
  voices: Voices,
): Promise<number> {
  const name = parseName(args.name, 'NAME');
  const peerAddress = args.peerAddress === undefined ? '' : parseTarget(args.peerAddress, '--peer-address');
  const address = args.address === undefined ? '' : parseTarget(args.address, '--address');
  if (peerAddress === '' && address === '') {
    throw new SeqError('INVALID_ARGUMENT', 'an update needs --peer-address or --address, got neither');
  }
  return withMembers(args, voices, async (session) => {
    const isIt = (member: StoreMember): boolean => member.name === name;
    const isSo = (member: StoreMember | undefined): boolean =>
      (peerAddress === '' || member?.peerAddress === peerAddress) && (address === '' || member?.address === address);
    if (args.isDryRun)
      return printDryRun(voices, args, { command: 'member update', change: updateWords(await session.member(name), { peerAddress, address }) });
    await session.change(
      (channel, options) => channel.call(Admin.updateMember, { name, peerAddress, address }, options),
      (members) => isSo(members.find(isIt)),
    );
    return printMember(session, voices, { args, kind: 'MemberUpdated', is: isIt });
  });
}

function addWords({ name, id, address }: Joiner, isLearner: boolean): string {
  const then = isLearner ? 'it stays a learner until it is promoted' : 'it becomes a voter once it has caught up';
  return `this adds ${name} (id ${id}) at ${address}: ${then}`;
}

function promoteWords({ name, id, role, lag }: StoreMember): string {
  if (role !== 'learner') return `nothing changes: ${name} (id ${id}) is a ${role}`;
  return `this makes ${name} (id ${id}) a voter; it is ${lag < 0n ? 'not known how far' : `${lag} entries`} behind`;
}

function updateWords(before: StoreMember, { peerAddress, address }: { readonly peerAddress: string; readonly address: string }): string {
  const parts = [
    ...(peerAddress === '' ? [] : [`its peer address from ${before.peerAddress} to ${peerAddress}`]),
    ...(address === '' ? [] : [`its address from ${before.address} to ${address}`]),
  ];
  return `this changes of ${before.name} (id ${before.id}) ${parts.join(' and ')}`;
}

/** What keeps a member from being a voter, for people; undefined: nothing. */
export function notYetVoter(member: StoreMember | undefined, name: string): string | undefined {
  if (member === undefined) return `${name} is not in the list of members`;
  if (member.role === 'voter') return undefined;
  if (!member.isActive) return `${name} is a ${member.role}, and the leader does not hear it`;
  return `${name} is a ${member.role}${member.lag < 0n ? '' : `, ${member.lag} entries behind`}`;
}

/** `host:port` that others can dial. Throws INVALID_ARGUMENT. */
export function parseTarget(text: string, what: string): string {
  if (splitAddress(text).port === 0 || isWildcard(text)) {
    throw new SeqError('INVALID_ARGUMENT', `${what} is host:port that others can dial, got '${text}'`);
  }
  return text;
}

/** The member as it is now, confirmed. */
export async function printMember(
  session: MemberSession,
  { output }: Voices,
  what: { readonly args: ConnectionArgs; readonly kind: string; readonly is: (member: StoreMember) => boolean },
): Promise<number> {
  const { members, leaderId } = await session.list();
  const found = members.filter(what.is);
  const lines = await Promise.all(found.map(async (member) => memberLine(member, await session.finder.statusAt(member.address), leaderId)));
  print(output, what.args.output, { kind: what.kind, body: { member: lines[0] }, table: renderTable(MEMBER_COLUMNS, lines, what.args.output) });
  return EXIT.ok;
}
